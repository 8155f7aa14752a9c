"""The scores of checkpoints on the test tiles, as ``python -m training.benchmark`` writes them.

``benchmark.json`` holds scores per model, data set, cm/px and grid, ``benchmark.parquet`` the sums of every tile
that they are made of.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scinet.errors import BenchmarkError
from scinet.evaluation.diagnose import Shares
from scinet.evaluation.grading import Grid
from scinet.evaluation.scores import Scores
from scinet.models.card import checkpoints_folder

AVERAGES = ("micro", "macro")
SAME_STEP = 0.01
NEAR = 1.2  # the largest ratio of a GSD to the step that still speaks for it
ALL_SETS = "All cities, finest tiles"
TILE_COLUMNS = {
    "model",
    "dataset",
    "city",
    "image",
    "native_cm_per_px",
    "cm_per_px",
    "is_native",
    "grid",
    "pixels",
    "true",
    "predicted",
    "shared",
    "largest_pieces",
    "largest_owners",
    "holes",
}


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What ``benchmark.json`` and ``benchmark.parquet`` say.

    scores  a row a model, dataset, cm_per_px (NaN in rows of tiles at their own GSD, where is_native) and grid;
            tiles, micro_iou, micro_f1, ..., macro_recall and the shares omission to holes, in [0, 1] or NaN
    tiles   a row a tile, model, cm_per_px and grid: sums in pixels of that grid
    floor   micro-IoU per dataset of a mask that calls every pixel a building
    costs   by system: parameters, gmacs_512_px, gmacs_1024_px, reach_px, seconds_1024_px, timed_on; empty where
            ``python -m training.costs`` has not run
    """

    threshold: float
    steps_cm_per_px: tuple[float, ...]
    floor: dict[str, float]
    scores: pd.DataFrame
    tiles: pd.DataFrame
    costs: dict[str, dict]

    @property
    def models(self) -> list[str]:
        """Names of all checkpoints that were scored, whether they are on board or not."""
        return list(dict.fromkeys(self.scores["model"]))

    def at(self, model: str, cm_per_px: float, grid: Grid = "working") -> pd.DataFrame:
        """The rows of a model at the step nearest to a GSD, one a dataset; none where no step is near."""
        step = min(self.steps_cm_per_px, key=lambda step: max(step / cm_per_px, cm_per_px / step))
        table = self.scores
        if max(step / cm_per_px, cm_per_px / step) > NEAR:
            return table.iloc[:0]
        return table[(table["model"] == model) & (table["cm_per_px"] == step) & (table["grid"] == grid)]


def read_benchmark(folder: Path | None = None) -> Benchmark | None:
    """The benchmark in a folder, by default that of the checkpoints; None where there is none.

    Raises BenchmarkError where its files cannot be read.
    """
    path = (folder or checkpoints_folder()) / "benchmark.json"
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        tiles = pd.read_parquet(path.with_suffix(".parquet"))
        if missing := TILE_COLUMNS - set(tiles.columns):
            raise KeyError(", ".join(sorted(missing)))
        return Benchmark(
            threshold=float(content["threshold"]),
            steps_cm_per_px=tuple(float(step) for step in content["steps_cm_per_px"]),
            floor={str(name): float(value) for name, value in content["everything_is_building"].items()},
            scores=_flat(content["rows"]),
            tiles=tiles,
            costs=dict(content.get("costs", {})),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchmarkError(
            f"{path.name} or {path.stem}.parquet cannot be read ({error}); "
            "restore them, or score the checkpoints with python -m training.benchmark."
        ) from error


def native_gsd(tiles: pd.DataFrame) -> pd.Series:
    """The native GSD of rows of tiles in cm/px, to two digits: tiles of one flight differ a little."""
    return tiles["native_cm_per_px"].map({gsd: float(f"{gsd:.2g}") for gsd in tiles["native_cm_per_px"].unique()})


def tile_sets(tiles: pd.DataFrame) -> dict[str, list[str]]:
    """Images by the name of their set: those of each data set and native GSD, finest first.

    Some data sets hold the same ground at several GSDs. The first set, ALL_SETS, takes each ground once, from
    the finest tiles of every data set.
    """
    each = tiles.drop_duplicates("image")
    each = each.assign(gsd=native_gsd(each)).sort_values(["dataset", "gsd", "image"])
    finest = each[each["gsd"] == each.groupby("dataset")["gsd"].transform("min")]
    sets = {ALL_SETS: finest["image"].tolist()} if finest["dataset"].nunique() > 1 else {}
    for (dataset, gsd), group in each.groupby(["dataset", "gsd"]):
        sets[f"{str(dataset).capitalize()}, {gsd:g} cm/px"] = group["image"].tolist()
    return sets


def nearest_step(cm_per_px: float, steps_cm_per_px: Sequence[float]) -> float | None:
    """The step that a GSD stands for: itself, or the step within 1 % of it."""
    return next((step for step in steps_cm_per_px if abs(step / cm_per_px - 1) <= SAME_STEP), None)


def same_tiles(tiles: pd.DataFrame, steps_cm_per_px: Sequence[float]) -> pd.DataFrame:
    """The rows at those cm/px at which every tile takes part: only there is a curve one of scale alone.

    A native GSD that stands for a step counts as that step.
    """
    gsds = {gsd: nearest_step(gsd, steps_cm_per_px) or gsd for gsd in tiles["cm_per_px"].unique()}
    tiles = tiles.assign(cm_per_px=tiles["cm_per_px"].map(gsds))
    counts = tiles.groupby("cm_per_px")["image"].nunique()
    return tiles[tiles["cm_per_px"].isin(counts.index[counts == tiles["image"].nunique()])]


def _flat(rows: list[dict]) -> pd.DataFrame:
    flat = [
        {
            "model": row["model"],
            "dataset": row["dataset"],
            "cm_per_px": float("nan") if row["cm_per_px"] == "native" else float(row["cm_per_px"]),
            "is_native": row["cm_per_px"] == "native",
            "grid": row["grid"],
            "tiles": int(row["tiles"]),
            **{f"{how}_{name}": row[how][name] for how in AVERAGES for name in Scores._fields},
            **{name: row["shares"][name] for name in Shares._fields},
        }
        for row in rows
    ]
    numbers = [f"{how}_{name}" for how in AVERAGES for name in Scores._fields] + list(Shares._fields)
    columns = ["model", "dataset", "cm_per_px", "is_native", "grid", "tiles", *numbers]
    return pd.DataFrame(flat, columns=columns).astype(dict.fromkeys(numbers, float))
