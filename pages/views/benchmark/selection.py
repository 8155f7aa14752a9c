"""What the page Benchmark shows: models, tiles, grid and score; and the numbers of it, computed once."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.app import drawing
from pages.app.benchmark_file import VersionedBenchmark
from pages.app.charts import MARKERS
from pages.app.measures import GRID_HELP
from scinet.evaluation import benchmark, bootstrap
from scinet.evaluation.benchmark import Benchmark
from scinet.models.architectures import NAMES, TITLES
from scinet.models.card import Card, list_models

METRIC_TITLES = {
    "micro_iou": "Micro-IoU",
    "micro_f1": "Micro-F1",
    "macro_iou": "Macro-IoU",
    "macro_f1": "Macro-F1",
}
METRIC_HELP = {
    "micro_iou": "intersection over union of the pixels of all tiles pooled",
    "micro_f1": "F1 of the pixels of all tiles pooled",
    "macro_iou": "mean over tiles of their IoU; an empty tile without predictions counts as 1",
    "macro_f1": "mean over tiles of their F1; an empty tile without predictions counts as 1",
}
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
    grid: str
    metric: str

    @property
    def rows(self) -> pd.DataFrame:
        """All test tiles on the grid, at all resolutions; seen_cm_per_px is what the models saw."""
        tiles = self.benchmark.tiles
        seeds = {seed for model in self.models for seed in model.seeds}
        rows = tiles[(tiles["grid"] == self.grid) & tiles["model"].isin(seeds)]
        return rows.assign(seen_cm_per_px=rows["cm_per_px"])

    @property
    def resampled(self) -> pd.DataFrame:
        """The set's tiles at the resolutions that all of them have."""
        rows = self.rows
        images = benchmark.tile_sets(self.benchmark.tiles)[self.tile_set]
        return benchmark.same_tiles(rows[rows["image"].isin(images)], self.benchmark.steps_cm_per_px)

    @property
    def own_gsd(self) -> pd.DataFrame:
        """All test tiles, each only at its native resolution, which replaces cm_per_px, in two digits."""
        rows = self.rows[self.rows["is_native"]]
        return rows.assign(cm_per_px=benchmark.native_gsd(rows))

    def key(self, *more: str) -> str:
        """Identifies the selection in a cache."""
        return "|".join([self.version, *(model.name for model in self.models), self.tile_set, self.grid, *more])


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
        format_func=lambda name: f"{name} · {len(sets[name])} tiles",
        key="tiles_of",
        bind="query-params",
        help="Tiles not used in any training. Curves show the resolutions that all of them have.",
    )
    metric = st.selectbox(
        "Score",
        list(METRIC_TITLES),
        format_func=METRIC_TITLES.__getitem__,
        key="metric",
        bind="query-params",
        help="For the ranking and the tables. " + "; ".join(f"{METRIC_TITLES[m]}: {t}" for m, t in METRIC_HELP.items()),
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
    return Selection(scored, version, tuple(models[n] for n in names), tile_set, (grid or "Working").lower(), metric)


@st.cache_data(max_entries=64, show_spinner="Computing the intervals")
def estimates(key: str, _rows: pd.DataFrame) -> pd.DataFrame:
    """``scinet.evaluation.bootstrap.estimates`` over cm/px; the key identifies the rows."""
    return bootstrap.estimates(_rows, "cm_per_px")


@st.cache_data(max_entries=64, show_spinner=False)
def robustness(key: str, metric: str, _rows: pd.DataFrame) -> pd.DataFrame:
    """``scinet.evaluation.bootstrap.robustness``; the key identifies the rows."""
    return bootstrap.robustness(_rows, metric)
