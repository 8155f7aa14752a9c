"""What the page Benchmark shows: models, tiles, grid, score and target; and the numbers of it, computed once."""

from dataclasses import dataclass
from functools import cached_property
from math import nan

import pandas as pd
import streamlit as st

from pages.views.benchmark.scored_models import ScoredModel
from scinet.evaluation import benchmark, bootstrap, yardstick
from scinet.evaluation.benchmark import Benchmark


@dataclass(frozen=True, eq=False)
class Selection:
    """The choices of the page, and the rows of tiles that they select.

    Attributes:
        benchmark: The scores.
        version: That of the benchmark's file and of the rows beside it, see `VersionedBenchmark`.
        models: Those that are shown.
        tile_set: The name of the test tiles, see `places.tile_sets`.
        images: Those tiles.
        strategy: What the models saw of them.
        grid: "working" or "native".
        metric: The score.
        target: The least that a score should reach.
        cm_per_px: The resolution that the page asks for; NaN before it is chosen.
    """

    benchmark: Benchmark
    version: str
    models: tuple[ScoredModel, ...]
    tile_set: str
    images: tuple[str, ...]
    strategy: str
    grid: str
    metric: str
    target: float
    cm_per_px: float = nan

    @property
    def rows(self) -> pd.DataFrame:
        """All test tiles by the strategy, on the grid, at all resolutions; seen_cm_per_px is their resolution there."""
        return self.rows_by(self.strategy)

    def rows_by(self, strategy: str) -> pd.DataFrame:
        """The rows by another strategy."""
        tiles = self.benchmark.tiles
        seeds = {seed for model in self.models for seed in model.seeds}
        rows = tiles[(tiles["grid"] == self.grid) & (tiles["strategy"] == strategy) & tiles["model"].isin(seeds)]
        return rows.assign(seen_cm_per_px=rows["cm_per_px"])

    @property
    def resampled(self) -> pd.DataFrame:
        """The set's tiles at the resolutions that all of them have."""
        return self.resampled_by(self.strategy)

    def resampled_by(self, strategy: str) -> pd.DataFrame:
        """The same by another strategy."""
        return _resampled(self.key("resampled", strategy), self, strategy)

    @cached_property
    def table(self) -> pd.DataFrame:
        """`estimates` of these tiles over cm/px."""
        return estimates(self.key("resampled"), self.resampled)

    @property
    def at_resolution(self) -> pd.DataFrame:
        """The rows of `table` at the page's resolution, of its score."""
        return self.table[(self.table["metric"] == self.metric) & (self.table["cm_per_px"] == self.cm_per_px)]

    @property
    def native(self) -> pd.DataFrame:
        """All test tiles at their native resolution, without the published scene, which shows a city's ground again."""
        rows = self.rows
        return scored_by_all(rows[rows["is_native"] & (rows["dataset"] != yardstick.DATASET)])

    @property
    def own_gsd(self) -> pd.DataFrame:
        """These tiles with their native resolution, in two digits, as cm_per_px."""
        rows = self.native
        return rows.assign(cm_per_px=benchmark.native_gsd(rows))

    @property
    def published(self) -> dict[str, float]:
        """Published scores by metric, where the set's tiles and the grid are those that they were computed on."""
        is_yardstick = self.tile_set.startswith(yardstick.TITLE) and self.grid == yardstick.GRID
        return yardstick.PUBLISHED if is_yardstick else {}

    def key(self, *more: str) -> str:
        """Identifies the selection in a cache."""
        names = [model.name for model in self.models]
        return "|".join([self.version, *names, self.tile_set, self.strategy, self.grid, *more])


def scored_by_all(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of tiles that every model was scored on, of those with any rows: else scores would not compare.

    The seeds of a model count as one here: a seed with fewer tiles is left out later.
    """
    systems = rows["model"].map({name: bootstrap.system_of(name) for name in rows["model"].unique()})
    scored = rows.assign(system=systems).groupby("image")["system"].nunique()
    if (scored == systems.nunique()).all():
        return rows
    return rows[rows["image"].isin(scored.index[scored == systems.nunique()])]


@st.cache_resource(max_entries=6, show_spinner=False)
def _resampled(key: str, _chosen: Selection, strategy: str) -> pd.DataFrame:
    rows = _chosen.rows_by(strategy)
    rows = scored_by_all(rows[rows["image"].isin(_chosen.images)])
    return benchmark.same_tiles(rows, _chosen.benchmark.steps_cm_per_px)


@st.cache_data(max_entries=64, show_spinner="Computing the intervals")
def estimates(key: str, _rows: pd.DataFrame) -> pd.DataFrame:
    """``scinet.evaluation.bootstrap.estimates`` over cm/px; the key identifies the rows."""
    return bootstrap.estimates(_rows, "cm_per_px")


@st.cache_data(max_entries=16, show_spinner="Computing the intervals")
def scale_gains(key: str, _best: pd.DataFrame, _direct: pd.DataFrame) -> pd.DataFrame:
    """``scinet.evaluation.bootstrap.scale_gains`` over cm/px; the key identifies the rows."""
    return bootstrap.scale_gains(_best, _direct, "cm_per_px")


@st.cache_data(max_entries=64, show_spinner=False)
def robustness(key: str, metric: str, _rows: pd.DataFrame) -> pd.DataFrame:
    """``scinet.evaluation.bootstrap.robustness``; the key identifies the rows."""
    return bootstrap.robustness(_rows, metric)
