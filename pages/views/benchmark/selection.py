"""What the page Benchmark shows: models, tiles, grid and score; and the numbers of it, computed once."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.app import drawing
from pages.app.benchmark_file import VersionedBenchmark
from pages.app.charts import MARKERS
from pages.app.measures import GRID_HELP
from pages.views.benchmark.metrics import METRIC_HELP, METRIC_TITLES, SCORE_TITLES, STRATEGY_HELP, STRATEGY_TITLES
from scinet.evaluation import benchmark, bootstrap, yardstick
from scinet.evaluation.benchmark import Benchmark
from scinet.models.architectures import NAMES, TITLES
from scinet.models.card import Card, list_models

VARIANT_TITLES = {"native": "trained at native resolution"}


@dataclass(frozen=True)
class ScoredModel:
    """A model that was trained and scored, with one seed or several.

    architecture  one of the paper's seven, or "" if the name does not tell
    seeds         the names of the trainings that were scored
    cards         of those that are on board
    """

    name: str
    architecture: str
    seeds: tuple[str, ...]
    cards: tuple[Card, ...]

    @property
    def title(self) -> str:
        """What to call it on the page."""
        variant = self.name.removeprefix(self.architecture).strip("-")
        title = TITLES.get(self.architecture, "")
        return f"{title} ({VARIANT_TITLES.get(variant, variant)})" if title and variant else title or self.name

    @property
    def colour(self) -> str:
        """The colour of its marks."""
        return drawing.model_colour(self.architecture)

    @property
    def marker(self) -> str:
        """The name of its marker, a key of MARKERS."""
        return list(MARKERS)[NAMES.index(self.architecture) if self.architecture else -1]

    @property
    def is_variant(self) -> bool:
        """Whether it is a variant of one of the paper's models: dashed, with hollow markers."""
        return self.name != self.architecture

    @property
    def dash(self) -> str:
        """The line style."""
        return "dash" if self.is_variant else "solid"

    @property
    def symbol(self) -> str:
        """The marker for plotly."""
        return f"{self.marker}-open" if self.is_variant else self.marker

    @property
    def sign(self) -> str:
        """The marker as HTML."""
        hollow = ' class="sn-hollow"' if self.is_variant else ""
        return f'<i{hollow} style="color:{self.colour}">{MARKERS[self.marker]}</i>'


@dataclass(frozen=True)
class Selection:
    """The choices of the sidebar, and the rows of tiles that they select.

    `version` is that of the benchmark's file, see `VersionedBenchmark`.
    """

    benchmark: Benchmark
    version: str
    models: tuple[ScoredModel, ...]
    tile_set: str
    strategy: str
    grid: str
    metric: str

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
        rows = self.rows_by(strategy)
        images = benchmark.tile_sets(self.benchmark.tiles)[self.tile_set]
        return benchmark.same_tiles(rows[rows["image"].isin(images)], self.benchmark.steps_cm_per_px)

    @property
    def native(self) -> pd.DataFrame:
        """All test tiles at their native resolution, without the published scene, which shows a city's ground again."""
        rows = self.rows
        return rows[rows["is_native"] & (rows["dataset"] != yardstick.DATASET)]

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


def models_of(scored: Benchmark) -> dict[str, ScoredModel]:
    """All models by name: the paper's in its order, then their variants."""
    cards = {card.name: card for card in list_models()}
    models = {}
    for name in dict.fromkeys(bootstrap.system_of(seed) for seed in scored.models):
        seeds = tuple(seed for seed in scored.models if bootstrap.system_of(seed) == name)
        on_board = tuple(cards[seed] for seed in seeds if seed in cards)
        fitting = [a for a in NAMES if name == a or name.startswith(f"{a}-")]
        architecture = on_board[0].architecture if on_board else max(fitting, key=len, default="")
        models[name] = ScoredModel(name, architecture if architecture in NAMES else "", seeds, on_board)
    order = {name: i for i, name in enumerate(NAMES)}
    return dict(
        sorted(models.items(), key=lambda each: (each[0] not in NAMES, order.get(each[1].architecture, 99), each[0]))
    )


def choose(found: VersionedBenchmark) -> Selection:
    """Draw the widgets of the sidebar."""
    scored, version = found
    models = models_of(scored)
    names = st.multiselect(
        "Models",
        list(models),
        default=list(models),
        format_func=lambda name: models[name].title,
        key="systems",
        bind="query-params",
        help="Of a model that was trained with several seeds, the mean is shown.",
    )
    sets = benchmark.tile_sets(scored.tiles)
    tile_set = st.selectbox(
        "Test tiles",
        list(sets),
        format_func=lambda name: f"{name} · {len(sets[name])} {'tile' if len(sets[name]) == 1 else 'tiles'}",
        key="tiles_of",
        bind="query-params",
        help="Tiles not used in any training. Curves show the resolutions that all of them have.",
    )
    strategies = scored.strategies
    strategy = st.selectbox(
        "Strategy",
        strategies,
        index=strategies.index("best-scale") if "best-scale" in strategies else 0,
        format_func=STRATEGY_TITLES.__getitem__,
        key="scored_by",
        bind="query-params",
        help=STRATEGY_HELP,
    )
    metric = st.selectbox(
        "Score",
        list(SCORE_TITLES) if scored.has_objects else list(METRIC_TITLES),
        format_func=SCORE_TITLES.__getitem__,
        key="metric",
        bind="query-params",
        help="For the ranking, the curves and the tables. Scores of objects count buildings instead of pixels. "
        + "; ".join(f"{METRIC_TITLES[m]}: {t}" for m, t in METRIC_HELP.items()),
    )
    grid = st.segmented_control(
        "Grid",
        ["Working", "Native"],
        default="Working",
        key="score_grid",
        bind="query-params",
        required=True,
        width="stretch",
        help=GRID_HELP,
    )
    chosen = tuple(models[name] for name in names)
    return Selection(scored, version, chosen, tile_set, strategy, (grid or "Working").lower(), metric)


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
