"""Score checkpoints on the test tiles: ``python -m training.benchmark --data DIR --model sci-net --model unet``.

Every test tile is segmented at its native GSD and at ``STEPS_CM_PER_PX``, and scored on two grids: working
(truth brought to the model's grid: what the model can be blamed for) and native (prediction brought back:
what a user loses by flying higher). Sums per tile go to ``benchmark.parquet``, scores to ``benchmark.json``;
rows of models that are not evaluated now stay as they are. Without ``--model``, ``benchmark.json`` is made again
from ``benchmark.parquet``.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from scinet.atomic_write import write_bytes, write_text
from scinet.datasets.tiles import Tile
from scinet.evaluation.benchmark import nearest_step
from scinet.evaluation.bootstrap import estimates
from scinet.evaluation.diagnose import Tally
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.mask import read_mask
from scinet.evaluation.scores import macro, micro
from scinet.evaluation.truth import truth_labels
from scinet.models.card import Card, checkpoints_folder
from scinet.models.checkpoint import Model, load_model
from scinet.models.device import parse_device
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment
from training.command import run_command
from training.errors import DataError
from training.packed_tiles import labelled_tiles

STEPS_CM_PER_PX = (5.18, 7.5, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0)
FINEST_AGAINST_NATIVE = 0.5  # finer steps than half the native GSD show a model nothing but interpolation
THRESHOLD = 0.5
TALLY = [field.name for field in fields(Tally)]


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmark", description="Score models on test tiles.")
    parser.add_argument("--data", type=Path, help="a folder with index.csv and a test split")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        help="a checkpoint; may be given again; none: benchmark.json is made again",
    )
    parser.add_argument("--out", type=Path, help="where benchmark.json goes (default: the checkpoints' folder)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--device", type=parse_device)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score models on test tiles, or write benchmark.json again from the tiles' sums."""
    options = parse_arguments(arguments)
    out = options.out or checkpoints_folder()
    if not options.model:
        write_benchmark(read_tiles(out), out)
        return
    if options.data is None:
        raise DataError("Scoring a model needs a folder of tiles: --data DIR.")
    tiles = labelled_tiles(options.data, options.split)
    out.mkdir(parents=True, exist_ok=True)
    for name in options.model:
        model = load_model(name, options.device)
        rows = pd.DataFrame(evaluate(model, options.data, tiles))
        table = merged(out / "benchmark.parquet", rows, model.card.name)
        write_benchmark(table, out)
        write_scores(rows, model.card, out)
        native = [row for row in summary(rows) if row["cm_per_px"] == "native" and row["grid"] == "working"]
        for row in native:
            print(f"{name} {row['dataset']}: micro-IoU {row['micro']['iou']:.4f} at native GSD, {row['tiles']} tiles")


def evaluate(model: Model, data: Path, tiles: Sequence[Tile]) -> Iterator[dict[str, Any]]:
    """One row per tile, working GSD and grid: names, GSDs in cm/px and the tally in pixels of that grid."""
    for tile in tqdm(tiles, desc=model.card.name, unit="tile", file=sys.stderr):
        assert tile.truth is not None
        raster = read_raster(tile.image, cm_per_px=tile.cm_per_px)
        labels_on = partial(truth_labels, read_mask(tile.truth, raster))
        for cm_per_px in working_steps(raster.cm_per_px):
            working, probability = segment(raster, model, cm_per_px)
            evaluations = evaluate_on_grids(probability, working, raster, labels_on, threshold=THRESHOLD)
            for grid, evaluation in evaluations.items():
                assert evaluation.diagnosis is not None
                yield {
                    "model": model.card.name,
                    "dataset": tile.dataset,
                    "city": tile.city,
                    "image": tile.image.relative_to(data).as_posix(),
                    "native_cm_per_px": tile.cm_per_px,
                    "cm_per_px": cm_per_px,
                    "is_native": cm_per_px == raster.cm_per_px,
                    "grid": grid,
                    "pixels": raster.width * raster.height,
                    **asdict(evaluation.diagnosis.tally),
                }


def working_steps(native_cm_per_px: float) -> list[float]:
    """The native GSD itself and the steps from half of it on; a step within 1 % of native is native."""
    others = [
        step
        for step in STEPS_CM_PER_PX
        if step >= FINEST_AGAINST_NATIVE * native_cm_per_px and abs(step / native_cm_per_px - 1) > 0.01
    ]
    return sorted([native_cm_per_px, *others])


def summary(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Micro and macro scores and the pooled error shares, per model, data set, cm/px and grid.

    ``cm_per_px`` is a step, or "native" for every tile at its own. NaN becomes None: JSON has no NaN.
    """
    rows = []
    at_native = table[table["is_native"]].assign(step="native")
    at_steps = table.assign(step=steps_of(table)).dropna(subset="step")
    for part in (at_native, at_steps):
        for (model, dataset, step, grid), group in part.groupby(["model", "dataset", "step", "grid"], sort=True):
            tiles = [Tally(*(int(value) for value in values)) for values in group[TALLY].to_numpy()]
            pooled = sum(tiles, Tally())
            rows.append(
                {
                    "model": model,
                    "dataset": dataset,
                    "cm_per_px": step,
                    "grid": grid,
                    "tiles": len(tiles),
                    "micro": _plain(micro([tile.counts for tile in tiles])._asdict()),
                    "macro": _plain(macro([tile.counts for tile in tiles])._asdict()),
                    "shares": _plain(pooled.shares._asdict()),
                }
            )
    return rows


def steps_of(table: pd.DataFrame) -> pd.Series:
    """The step that each row's GSD stands for, NaN where it is none."""
    return table["cm_per_px"].map({gsd: nearest_step(gsd, STEPS_CM_PER_PX) for gsd in table["cm_per_px"].unique()})


def everything_is_building(table: pd.DataFrame) -> dict[str, float]:
    """Micro-IoU per data set of a mask that calls every pixel a building: the floor any model must beat."""
    one_model = table[(table["is_native"]) & (table["grid"] == "native") & (table["model"] == table["model"].iloc[0])]
    return {
        str(dataset): round(float(group["true"].sum() / group["pixels"].sum()), 4)
        for dataset, group in one_model.groupby("dataset")
    }


def read_tiles(folder: Path) -> pd.DataFrame:
    """The sums per tile of benchmark.parquet. Raises DataError if it cannot be read."""
    try:
        return pd.read_parquet(folder / "benchmark.parquet")
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / 'benchmark.parquet'} cannot be read ({error}): give --model and --data.") from error


def merged(path: Path, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table at ``path`` with the rows of model ``name`` replaced, written back."""
    if path.exists():
        old = pd.read_parquet(path)
        rows = pd.concat([old[old["model"] != name], rows], ignore_index=True)
    write_bytes(path, rows.to_parquet(index=False))
    return rows


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
    """The scores of every model with intervals and changes against Sci-Net; see ``scinet.evaluation.bootstrap``.

    Per data set, cm/px and grid as in ``summary``, over the tiles of every native GSD.
    """
    rows = []
    at_steps = table.assign(cm_per_px=steps_of(table)).dropna(subset="cm_per_px")
    for step, part in (("native", table[table["is_native"]].assign(cm_per_px=0.0)), (None, at_steps)):
        for (dataset, grid), group in part.groupby(["dataset", "grid"], sort=True):
            found = estimates(group, "cm_per_px").astype(object).replace({np.nan: None})
            for row in found.to_dict("records"):
                rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()}
                rows.append({"dataset": dataset, "grid": grid, **rounded, "cm_per_px": step or row["cm_per_px"]})
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
    native = [row for row in summary(rows) if row["cm_per_px"] == "native" and row["grid"] == "working"]
    scores = {
        f"test micro-IoU, {row['dataset'].capitalize()}, native GSD": round(row["micro"]["iou"], 4) for row in native
    }
    write_text(path, replace(card, scores={**card.scores, **scores}).to_json())


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else round(float(value), 5) for name, value in values.items()}


if __name__ == "__main__":
    run_command(main)
