"""``benchmark.parquet``, with the sums of every tile, and ``benchmark.json``, with the scores that follow from them."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scinet.atomic_write import write_bytes, write_text
from scinet.evaluation.benchmark import STEPS_CM_PER_PX, THRESHOLD, dataset_title, nearest_step
from scinet.evaluation.benchmark_rows import rows_to_parquet, with_strategies
from scinet.evaluation.bootstrap import estimates
from scinet.evaluation.diagnose import Tally
from scinet.evaluation.scores import macro, micro
from scinet.evaluation.tile_sums import OBJECT_METRICS, object_scores_of, sums_matrix
from scinet.models.card import Card
from training.errors import DataError

ESTIMATED = ("micro_iou", "macro_iou", "object_f1")  # in benchmark.json; the page makes all of them from the tiles
TALLY = [field.name for field in fields(Tally)]


def summary(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Micro, macro and object scores and the pooled error shares, per model, strategy, data set, cm/px and grid.

    ``cm_per_px`` is a step, or "native" for every tile at its own. NaN becomes None: JSON has no NaN.
    """
    rows = []
    at_native = table[table["is_native"]].assign(step="native")
    at_steps = table.assign(step=steps_of(table)).dropna(subset="step")
    keys = ["model", "strategy", "dataset", "step", "grid"]
    for part in (at_native, at_steps):
        for names, group in part.groupby(keys, sort=True):
            model, strategy, dataset, step, grid = names
            tiles = [Tally(*(int(value) for value in values)) for values in group[TALLY].to_numpy()]
            pooled = sum(tiles, Tally())
            objects = object_scores_of(sums_matrix(group).sum(axis=0))
            rows.append(
                {
                    "model": model,
                    "strategy": strategy,
                    "dataset": dataset,
                    "cm_per_px": step,
                    "grid": grid,
                    "tiles": len(tiles),
                    "micro": _plain(micro([tile.counts for tile in tiles])._asdict()),
                    "macro": _plain(macro([tile.counts for tile in tiles])._asdict()),
                    "shares": _plain(pooled.shares._asdict()),
                    "objects": _plain({name.removeprefix("object_"): objects[name] for name in OBJECT_METRICS}),
                }
            )
    return rows


def native_summary(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `summary` for tiles at their native resolution, on the working grid."""
    rows = summary(table[table["is_native"] & (table["grid"] == "working")])
    return [row for row in rows if row["cm_per_px"] == "native"]


def steps_of(table: pd.DataFrame) -> pd.Series:
    """The step that each row's GSD stands for, NaN where it is none."""
    return table["cm_per_px"].map({gsd: nearest_step(gsd, STEPS_CM_PER_PX) for gsd in table["cm_per_px"].unique()})


def everything_is_building(table: pd.DataFrame) -> dict[str, float]:
    """Micro-IoU per data set of a mask that calls every pixel a building: the floor any model must beat."""
    once = table[table["is_native"] & (table["grid"] == "native")].drop_duplicates("image")
    return {
        str(dataset): round(float(group["true"].sum() / group["pixels"].sum()), 4)
        for dataset, group in once.groupby("dataset")
    }


def read_tiles(folder: Path) -> pd.DataFrame:
    """The sums per tile of benchmark.parquet. Raises DataError if it cannot be read."""
    try:
        return with_strategies(pd.read_parquet(folder / "benchmark.parquet"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / 'benchmark.parquet'} cannot be read ({error}): give --model and --data.") from error


def merged(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The table at ``path`` with the rows of a model replaced, written back.

    Rows of strategies that were not evaluated now stay if the same weights made them.
    """
    if path.exists():
        old = read_tiles(path.parent)
        same_model = old["model"] == rows["model"].iloc[0]
        again = old["strategy"].isin(rows["strategy"].unique()) | (old["weights"] != rows["weights"].iloc[0])
        rows = pd.concat([old[~(same_model & again)], rows], ignore_index=True)
    write_tiles(path, rows)
    return rows


def write_tiles(path: Path, table: pd.DataFrame) -> None:
    """Write benchmark.parquet."""
    write_bytes(path, rows_to_parquet(table))


def write_benchmark(table: pd.DataFrame, folder: Path) -> None:
    """``benchmark.json`` from the sums of all tiles; what ``training.costs`` has put there stays."""
    path = folder / "benchmark.json"
    former = json.loads(path.read_text()) if path.exists() else {}
    content = {
        "threshold": THRESHOLD,
        "steps_cm_per_px": STEPS_CM_PER_PX,
        "everything_is_building": everything_is_building(table),
        "costs": former.get("costs", {}),
        "estimates": estimated(table),
        "rows": summary(table),
    }
    write_json(path, content)


def estimated(table: pd.DataFrame) -> list[dict[str, Any]]:
    """ESTIMATED of every model with intervals and changes against Sci-Net; see ``scinet.evaluation.bootstrap``.

    Per strategy, data set, cm/px and grid as in ``summary``, over the tiles of every native GSD.
    """
    rows = []
    at_steps = table.assign(cm_per_px=steps_of(table)).dropna(subset="cm_per_px")
    for step, part in (("native", table[table["is_native"]].assign(cm_per_px=0.0)), (None, at_steps)):
        for (strategy, dataset, grid), group in part.groupby(["strategy", "dataset", "grid"], sort=True):
            found = estimates(group, "cm_per_px", metrics=ESTIMATED).astype(object).replace({np.nan: None})
            for row in found.to_dict("records"):
                rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()}
                place = {"strategy": strategy, "dataset": dataset, "grid": grid}
                rows.append({**place, **rounded, "cm_per_px": step or row["cm_per_px"]})
    return rows


def write_json(path: Path, content: dict[str, Any]) -> None:
    """A JSON object with a line for each row of its tables; whole or not at all."""
    entries = [f" {json.dumps(key)}: {_lines(value)}" for key, value in content.items()]
    write_text(path, "{\n" + ",\n".join(entries) + "\n}\n")


def _lines(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n ]"
    if isinstance(value, dict) and value and all(isinstance(each, dict) for each in value.values()):
        return "{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(each)}" for key, each in value.items()) + "\n }"
    return json.dumps(value)


def write_scores(rows: pd.DataFrame, card: Card, folder: Path) -> None:
    """Put the native micro-IoU of each test set on the checkpoint's card, where it lies in the folder."""
    path = folder / f"{card.name}.json"
    if not path.exists() or Card.from_json(path.read_text(), path.name).sha256 != card.sha256:
        return
    scores = {
        f"test micro-IoU, {dataset_title(row['dataset'])}, native GSD": round(row["micro"]["iou"], 4)
        for row in native_summary(rows)
        if row["strategy"] == "direct"
    }
    write_text(path, replace(card, scores={**card.scores, **scores}).to_json())


def _plain(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else round(float(value), 5) for name, value in values.items()}
