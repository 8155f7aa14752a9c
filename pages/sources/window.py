"""Which part of a large image is explored: the whole of a small one, else a window that is picked on an overview."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.app.subject import Choice, Subject, hash_of
from pages.sources.dialog import dialog_button
from pages.sources.window_dialog import pick_on_overview, picture
from scinet.errors import RasterError, SciNetError
from scinet.evaluation.truth import Truth, read_truth, read_window_truth
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene, central_window

WHOLE_PIXELS = 4096 * 4096  # an image up to here is explored whole
SIDES_PX = (512, 1024, 2048)
OVERVIEW_PX = 2048
THUMBNAIL_PX = 560


@dataclass(frozen=True, eq=False)
class TruthFile:
    """Where a truth comes from: a path or bytes; `key` changes with its content."""

    source: Path | bytes
    name: str
    key: str


def choose_part(
    scene: Scene, key: str, title: str, truth: TruthFile | Callable[[], TruthFile | None] | None, credit: str = ""
) -> Choice:
    """The subject from an image of any size; `key` names its content. Widgets only where it is large.

    `truth` may be a function that asks for it: it is called below the window's widgets.
    """
    if scene.pixels <= WHOLE_PIXELS:
        place = (0, 0, scene.width, scene.height)
    else:
        place = _choose_window(scene, key)
        title = f"{title} · column {place[0]}, row {place[1]}"
    raster = _read(key, place, scene)
    if callable(truth):
        truth = truth()
    subject = Subject(hash_of(key, place), title, raster, None, credit)
    if truth is None:
        return Choice(subject)
    try:
        read = _read_truth(key, place, truth.key, truth, scene, raster)
    except SciNetError as error:
        return Choice(subject, problem=str(error))
    return Choice(Subject(hash_of(key, place, truth.key), title, raster, read, credit))


def check_pixels(scene: Scene, key: str) -> None:
    """Raise RasterError where a small image is damaged: such a file is not worth a question."""
    if scene.pixels <= WHOLE_PIXELS:
        _read(key, (0, 0, scene.width, scene.height), scene)


def _choose_window(scene: Scene, key: str) -> tuple[int, int, int, int]:
    """Column, row, width and height in px, from the widgets."""
    overview, problem = _try_overview(scene, key)
    top = st.container()
    button_slot, side_slot = st.columns(2, vertical_alignment="bottom")
    column_slot, row_slot = st.columns(2)
    side = side_slot.selectbox(
        "Window",
        SIDES_PX,
        index=1,
        format_func=lambda v: f"{v} px",
        key="side",
        bind="query-params",
        persist_state="session",
        help="Side of the square that is cut out of the image, in its own px.",
    )
    width, height = min(side, scene.width), min(side, scene.height)
    column, row = central_window(scene, overview, side)
    limits = {"column": scene.width - width, "row": scene.height - height}
    _keep_within(key, limits, {"column": column, "row": row})
    column = column_slot.number_input(
        "Column",
        0,
        limits["column"],
        column,
        side // 2,
        key="column",
        bind="query-params",
        persist_state="session",
        help="Left edge of the window, in px of the image.",
    )
    row = row_slot.number_input(
        "Row",
        0,
        limits["row"],
        row,
        side // 2,
        key="row",
        bind="query-params",
        persist_state="session",
        help="Upper edge of the window, in px of the image.",
    )
    place = int(column), int(row), width, height
    if overview is None:
        top.caption(problem)
        return place
    top.image(_thumbnail(key, place, overview, scene), width="stretch")
    with button_slot:
        picking = dialog_button("Choose on it", "pick", "Click a place on the image above.")
    if picking:
        pick_on_overview(scene, key, overview, place, lambda at: _read(key, at, scene))
    return place


def _keep_within(key: str, limits: dict[str, int], default: dict[str, int]) -> None:
    """Another image starts at its middle; a window that has grown is moved back within the image."""
    former = st.session_state.get("explore.window_of")
    st.session_state["explore.window_of"] = key
    for name, limit in limits.items():
        if former not in (None, key):
            st.session_state[name] = default[name]
        elif name in st.session_state and st.session_state[name] > limit:
            st.session_state[name] = limit


def _try_overview(scene: Scene, key: str) -> tuple[Raster | None, str]:
    try:
        return _overview(key, scene), ""
    except RasterError as error:
        return None, str(error)


@st.cache_resource(max_entries=4, show_spinner="Reading the overview")
def _overview(key: str, _scene: Scene) -> Raster:
    return _scene.overview(OVERVIEW_PX)


@st.cache_resource(max_entries=6, show_spinner="Reading the image")
def _read(key: str, place: tuple[int, int, int, int], _scene: Scene) -> Raster:
    return _scene.window(*place)


@st.cache_resource(max_entries=6, show_spinner="Reading the truth")
def _read_truth(
    key: str, place: tuple[int, int, int, int], truth_key: str, _truth: TruthFile, _scene: Scene, _raster: Raster
) -> Truth:
    if _raster.shape == (_scene.height, _scene.width):
        return read_truth(_truth.source, _raster, _truth.name)
    return read_window_truth(_truth.source, _raster, _scene, _truth.name)


@st.cache_data(max_entries=32, show_spinner=False)
def _thumbnail(key: str, place: tuple[int, int, int, int], _overview: Raster, _scene: Scene) -> bytes:
    """The overview as a small picture with the window's frame on it."""
    scale = _overview.width / _scene.width
    column, row, width, height = (round(scale * value) for value in place)
    return picture(_overview.pixels, THUMBNAIL_PX, (column, row, width, height))
