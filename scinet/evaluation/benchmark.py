"""The scores of models on the test tiles, as ``python -m training.benchmark`` writes them.

``benchmark.json`` has scores per model, data set, cm/px and grid, ``benchmark.parquet`` the sums of every tile
that they are made of.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pyarrow as pa

from scinet import json_values
from scinet.errors import BenchmarkError
from scinet.evaluation import yardstick
from scinet.evaluation.benchmark_rows import parse_rows
from scinet.evaluation.diagnose import Shares
from scinet.evaluation.grading import Grid, two_digits
from scinet.evaluation.scores import Scores
from scinet.evaluation.threshold_sums import THRESHOLD_COLUMNS, has_threshold_sums
from scinet.evaluation.tile_sums import NUMBERS, OBJECT_METRICS, RANKED
from scinet.evaluation.tile_traits import TRAITS
from scinet.models.card import checkpoints_folder
from scinet.segmentation.strategies import Strategy

STEPS_CM_PER_PX = (5.18, 7.5, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0)
THRESHOLD = 0.5
BENCHMARK_STRATEGIES = {
    "direct": Strategy("direct"),
    "best-scale": Strategy("best-scale", "unknown"),
    "best-scale-known": Strategy("best-scale", "known"),
}
AVERAGES = ("micro", "macro")
SAME_STEP = 0.01
NEAR = 1.2  # the largest ratio of a resolution to the step that still stands for it
ALL_SETS = "All cities, finest tiles"


@dataclass(frozen=True, eq=False)
class Benchmark:
    """What ``benchmark.json`` and ``benchmark.parquet`` contain.

    Attributes:
        threshold: Pixels with a higher probability are building.
        steps_cm_per_px: The resolutions at which all tiles were scored.
        baseline: Micro-IoU per dataset of a mask that calls every pixel a building.
        scores: One row per model, strategy, dataset, cm_per_px and grid: tiles, micro_iou, micro_f1, ..., macro_recall,
            the shares omission to holes, in [0, 1] or NaN, and OBJECT_METRICS, NaN where objects were not scored.
            cm_per_px is NaN, and is_native True, in rows of tiles at their native resolution.
        tiles: One row per tile, model, strategy, cm_per_px and grid: sums in pixels of that grid, the scale by which
            the model saw the tile enlarged, and, where they were measured, the columns of `scinet.evaluation.tile_sums`
            and the tile's `scinet.evaluation.tile_traits`.
        costs: By model: parameters, gmacs_512_px, gmacs_1024_px, reach_px, seconds_1024_px, timed_on; empty if
            ``python -m training.costs`` has not run.
    """

    threshold: float
    steps_cm_per_px: tuple[float, ...]
    baseline: dict[str, float]
    scores: pd.DataFrame
    tiles: pd.DataFrame
    costs: dict[str, dict[str, Any]]

    @property
    def models(self) -> list[str]:
        """Names of all models that were scored, whether they are installed or not."""
        return list(dict.fromkeys(self.scores["model"]))

    @property
    def strategies(self) -> list[str]:
        """The keys of BENCHMARK_STRATEGIES by which models were scored."""
        scored = set(self.tiles["strategy"].unique())
        return [name for name in BENCHMARK_STRATEGIES if name in scored]

    @property
    def has_objects(self) -> bool:
        """Whether objects were scored, of one model at least."""
        return bool(self.scores["object_f1"].notna().any())

    def at(self, model: str, cm_per_px: float, grid: Grid = "working", strategy: str = "direct") -> pd.DataFrame:
        """The rows of a model at the step nearest to a resolution, one per dataset; none if no step is near."""
        step = min(self.steps_cm_per_px, key=lambda step: max(step / cm_per_px, cm_per_px / step))
        table = self.scores
        if max(step / cm_per_px, cm_per_px / step) > NEAR:
            return table.iloc[:0]
        of_model = (table["model"] == model) & (table["strategy"] == strategy)
        return table[of_model & (table["cm_per_px"] == step) & (table["grid"] == grid)]


def read_benchmark(folder: Path | None = None) -> Benchmark | None:
    """Read the benchmark in a folder, by default that of the models; None if there is none.

    Raises:
        BenchmarkError: Its files cannot be read.
    """
    path = (folder or checkpoints_folder()) / "benchmark.json"
    if not path.is_file():
        return None
    try:
        content = json_values.mapping(json_values.parse(path.read_text()), path.name)
        baseline = json_values.mapping(content["everything_is_building"], "everything_is_building")
        steps = json_values.sequence(content["steps_cm_per_px"], "steps_cm_per_px")
        if not steps:
            raise ValueError("steps_cm_per_px is empty")
        return Benchmark(
            threshold=json_values.number(content["threshold"], "threshold"),
            steps_cm_per_px=tuple(json_values.positive(step, "a step") for step in steps),
            baseline={name: json_values.number(value, f"the score of {name}") for name, value in baseline.items()},
            scores=_flat(json_values.sequence(content["rows"], "rows")),
            tiles=parse_rows(path.with_suffix(".parquet").read_bytes(), without=THRESHOLD_COLUMNS),
            costs=_costs(content.get("costs", {})),
        )
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise BenchmarkError(
            f"{path.name} or {path.stem}.parquet cannot be read ({str(error).strip()[:200]}); "
            "restore them, or score the models with python -m training.benchmark."
        ) from error


def read_threshold_rows(folder: Path | None = None) -> pd.DataFrame:
    """The rows of `Benchmark.tiles` on the working grid that have the columns of `scinet.evaluation.threshold_sums`.

    They take much memory, so `read_benchmark` leaves them out. The folder is that of a benchmark that can be read.

    Raises:
        BenchmarkError: The file cannot be read.
    """
    path = (folder or checkpoints_folder()) / "benchmark.parquet"
    try:
        rows = parse_rows(path.read_bytes(), without=(*NUMBERS, *RANKED, *TRAITS))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise BenchmarkError(f"{path.name} cannot be read ({str(error).strip()[:200]}); restore it.") from error
    return rows[rows["grid"] == "working"] if has_threshold_sums(rows) else rows.iloc[:0]


def scored_strategy(scored: Benchmark, strategy: Strategy) -> str:
    """The key of BENCHMARK_STRATEGIES that is nearest to a strategy, of those by which models were scored."""
    wanted = {str(known): name for name, known in BENCHMARK_STRATEGIES.items()}.get(str(strategy), "direct")
    return wanted if wanted in scored.strategies else "direct"


def dataset_title(dataset: str) -> str:
    """What to call a data set on pages and cards."""
    return yardstick.TITLE if dataset == yardstick.DATASET else dataset.capitalize()


def _costs(value: Any) -> dict[str, dict[str, Any]]:
    """By model: every cost is a number, but for the machine's name and the reach of a model that sees everything."""
    costs = json_values.mapping(value, "costs")
    for cost in costs.values():
        for name, found in json_values.mapping(cost, "the cost of a model").items():
            if name == "timed_on":
                json_values.text(found, name)
            elif not (name == "reach_px" and found is None):
                json_values.positive(found, name)
    return costs


def native_gsd(tiles: pd.DataFrame) -> pd.Series:
    """The native resolution of rows of tiles in cm/px, to two digits."""
    return tiles["native_cm_per_px"].map({gsd: two_digits(gsd) for gsd in tiles["native_cm_per_px"].unique()})


def tile_sets(tiles: pd.DataFrame) -> dict[str, list[str]]:
    """Images by the name of their set: one set per data set and native resolution, finest first.

    Some data sets have the same ground at several resolutions. The first set, ALL_SETS, has all ground once, in the
    finest tiles of every city.
    """
    each = tiles.drop_duplicates("image")
    each = each.assign(gsd=native_gsd(each)).sort_values(["dataset", "gsd", "image"])
    finest = each[each["gsd"] == each.groupby("city")["gsd"].transform("min")]
    sets = {ALL_SETS: finest["image"].tolist()} if finest["dataset"].nunique() > 1 else {}
    for (dataset, gsd), group in each.groupby(["dataset", "gsd"]):
        sets[f"{dataset_title(str(dataset))}, {gsd:g} cm/px"] = group["image"].tolist()
    return sets


def nearest_step(cm_per_px: float, steps_cm_per_px: Sequence[float]) -> float | None:
    """The step within 1 % of a resolution, or None."""
    return next((step for step in steps_cm_per_px if abs(step / cm_per_px - 1) <= SAME_STEP), None)


def same_tiles(tiles: pd.DataFrame, steps_cm_per_px: Sequence[float]) -> pd.DataFrame:
    """The rows at those cm/px at which all tiles were scored, so that a curve over them shows scale alone.

    A native resolution within 1 % of a step counts as that step.
    """
    gsds = {gsd: nearest_step(gsd, steps_cm_per_px) or gsd for gsd in tiles["cm_per_px"].unique()}
    tiles = tiles.assign(cm_per_px=tiles["cm_per_px"].map(gsds))
    counts = tiles.groupby("cm_per_px")["image"].nunique()
    return tiles[tiles["cm_per_px"].isin(counts.index[counts == tiles["image"].nunique()])]


def _flat(rows: list[Any]) -> pd.DataFrame:
    averages = [f"{how}_{name}" for how in AVERAGES for name in Scores._fields]
    numbers = [*averages, *Shares._fields, *OBJECT_METRICS]
    columns = ["model", "strategy", "dataset", "cm_per_px", "is_native", "grid", "tiles", *numbers]
    flat = [_flat_row(json_values.mapping(row, "a row")) for row in rows]
    return pd.DataFrame(flat, columns=columns).astype(dict.fromkeys(numbers, float))


def _flat_row(row: dict[str, Any]) -> dict[str, Any]:
    is_native = row["cm_per_px"] == "native"
    if row["grid"] not in get_args(Grid):
        raise ValueError(f"grid is not one of {', '.join(get_args(Grid))}")
    averages = {how: json_values.mapping(row[how], how) for how in AVERAGES}
    shares = json_values.mapping(row["shares"], "shares")
    objects = json_values.mapping(row.get("objects", {}), "objects")
    return {
        "model": json_values.text(row["model"], "model"),
        "strategy": json_values.text(row.get("strategy", "direct"), "strategy"),
        "dataset": json_values.text(row["dataset"], "dataset"),
        "cm_per_px": math.nan if is_native else json_values.positive(row["cm_per_px"], "cm_per_px"),
        "is_native": is_native,
        "grid": row["grid"],
        "tiles": json_values.whole(row["tiles"], "tiles"),
        **{
            f"{how}_{name}": json_values.score(values[name], name)
            for how, values in averages.items()
            for name in Scores._fields
        },
        **{name: json_values.score(shares[name], name) for name in Shares._fields},
        **{name: json_values.score(objects.get(name.removeprefix("object_")), name) for name in OBJECT_METRICS},
    }
