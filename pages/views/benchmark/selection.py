"""What the page Benchmark shows: systems, tiles, grid and score; and the numbers of it, counted once."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.app import drawing
from pages.app.charts import MARKERS
from scinet.evaluation import benchmark, bootstrap
from scinet.evaluation.benchmark import Benchmark
from scinet.models.architectures import NAMES, TITLES
from scinet.models.card import Card, checkpoints_folder, list_models

METRIC_TITLES = {
    "micro_iou": "Micro-IoU",
    "micro_f1": "Micro-F1",
    "macro_iou": "Macro-IoU",
    "macro_f1": "Macro-F1",
}
METRIC_HELP = {
    "micro_iou": "intersection over union of the pixels of all tiles pooled",
    "micro_f1": "F1 of the pixels of all tiles pooled",
    "macro_iou": "mean over tiles of their IoU; an empty tile left empty counts 1",
    "macro_f1": "mean over tiles of their F1; an empty tile left empty counts 1",
}
assert tuple(METRIC_TITLES) == bootstrap.METRICS


@dataclass(frozen=True)
class System:
    """What was trained and scored, with one seed or several; its checkpoints may be on board or not."""

    name: str
    architecture: str  # of the seven, or "" where the name does not tell
    models: tuple[str, ...]  # the checkpoints that were scored
    cards: tuple[Card, ...]  # of those that are on board

    @property
    def title(self) -> str:
        rest = self.name.removeprefix(self.architecture).strip("-")
        title = TITLES.get(self.architecture, "")
        return f"{title} ({rest})" if title and rest else title or self.name

    @property
    def colour(self) -> str:
        return drawing.model_colour(self.architecture)

    @property
    def marker(self) -> str:
        return list(MARKERS)[NAMES.index(self.architecture) if self.architecture else -1]

    @property
    def is_variant(self) -> bool:
        """Of a system of the paper, and none itself: dashed, with hollow markers."""
        return self.name != self.architecture

    @property
    def dash(self) -> str:
        return "dash" if self.is_variant else "solid"

    @property
    def symbol(self) -> str:
        return f"{self.marker}-open" if self.is_variant else self.marker

    @property
    def sign(self) -> str:
        """Its marker as HTML."""
        hollow = ' class="sn-hollow"' if self.is_variant else ""
        return f'<i{hollow} style="color:{self.colour}">{MARKERS[self.marker]}</i>'


@dataclass(frozen=True)
class Selection:
    """The sidebar, and the rows of tiles that belong to it."""

    benchmark: Benchmark
    version: str  # of the benchmark's files: what was counted from others does not stand for them
    systems: tuple[System, ...]
    tile_set: str
    grid: str
    metric: str

    @property
    def rows(self) -> pd.DataFrame:
        """Every cm/px, of all test tiles on the grid; seen_cm_per_px is what the models saw."""
        tiles = self.benchmark.tiles
        models = {model for system in self.systems for model in system.models}
        rows = tiles[(tiles["grid"] == self.grid) & tiles["model"].isin(models)]
        return rows.assign(seen_cm_per_px=rows["cm_per_px"])

    @property
    def resampled(self) -> pd.DataFrame:
        """The set's tiles at those cm/px at which all of them take part."""
        rows = self.rows
        images = benchmark.tile_sets(self.benchmark.tiles)[self.tile_set]
        return benchmark.same_tiles(rows[rows["image"].isin(images)], self.benchmark.steps_cm_per_px)

    @property
    def own_gsd(self) -> pd.DataFrame:
        """All test tiles, each at its own GSD alone, which takes the place of cm_per_px to two digits."""
        rows = self.rows[self.rows["is_native"]]
        return rows.assign(cm_per_px=benchmark.native_gsd(rows))

    def key(self, *more: str) -> str:
        return "|".join([self.version, *(s.name for s in self.systems), self.tile_set, self.grid, *more])


def read() -> tuple[Benchmark, str] | None:
    """The benchmark on board and its version; None where there is none. Raises BenchmarkError."""
    folder = checkpoints_folder()
    path = folder / "benchmark.json"
    if not path.is_file():
        return None
    version = f"{folder}-{path.stat().st_mtime_ns}"
    return _read(version), version


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(version: str) -> Benchmark:
    found = benchmark.read_benchmark()
    assert found is not None
    return found


def systems_of(scored: Benchmark) -> dict[str, System]:
    """All systems by name: the paper's in its order, then their variants."""
    cards = {card.name: card for card in list_models()}
    systems = {}
    for name in dict.fromkeys(bootstrap.system_of(model) for model in scored.models):
        models = tuple(model for model in scored.models if bootstrap.system_of(model) == name)
        on_board = tuple(cards[model] for model in models if model in cards)
        fitting = [a for a in NAMES if name == a or name.startswith(f"{a}-")]
        architecture = on_board[0].architecture if on_board else max(fitting, key=len, default="")
        systems[name] = System(name, architecture if architecture in NAMES else "", models, on_board)
    order = {name: i for i, name in enumerate(NAMES)}
    return dict(
        sorted(systems.items(), key=lambda each: (each[0] not in NAMES, order.get(each[1].architecture, 99), each[0]))
    )


def choose(scored: Benchmark, version: str) -> Selection:
    """The widgets of the sidebar."""
    systems = systems_of(scored)
    names = st.multiselect(
        "Systems",
        list(systems),
        default=list(systems),
        format_func=lambda name: systems[name].title,
        key="systems",
        bind="query-params",
        help="What was trained; with several seeds, their mean is shown.",
    )
    sets = benchmark.tile_sets(scored.tiles)
    tile_set = st.selectbox(
        "Test tiles",
        list(sets),
        format_func=lambda name: f"{name} · {len(sets[name])} tiles",
        key="tiles_of",
        bind="query-params",
        help="Tiles that no training saw. Curves show those cm/px at which all of them take part.",
    )
    metric = st.selectbox(
        "Score",
        list(METRIC_TITLES),
        format_func=lambda name: METRIC_TITLES[name],
        key="metric",
        bind="query-params",
        help="Of the ranking and the tables. " + "; ".join(f"{METRIC_TITLES[m]}: {t}" for m, t in METRIC_HELP.items()),
    )
    grid = st.segmented_control(
        "Grid",
        ["Working", "Native"],
        default="Working",
        key="score_grid",
        bind="query-params",
        required=True,
        width="stretch",
        help="Working: the truth is brought to the model's grid, what the model can be blamed for. "
        "Native: the mask is brought back to the image's grid, what is lost by flying higher.",
    )
    return Selection(scored, version, tuple(systems[n] for n in names), tile_set, (grid or "Working").lower(), metric)


@st.cache_data(max_entries=64, show_spinner="Drawing tiles anew for the intervals")
def estimates(key: str, _rows: pd.DataFrame) -> pd.DataFrame:
    """``scinet.evaluation.bootstrap.estimates`` over cm/px; the key stands for the rows."""
    return bootstrap.estimates(_rows, "cm_per_px")


@st.cache_data(max_entries=64, show_spinner=False)
def robustness(key: str, metric: str, _rows: pd.DataFrame) -> pd.DataFrame:
    return bootstrap.robustness(_rows, metric)
