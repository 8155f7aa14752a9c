"""Which part of an image to explore: all of a small one, of a large one a window that is picked on an overview."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from pages.app.markdown import sentence
from pages.app.state import COLUMN, ROW, Window, cache, session
from pages.app.subject import Choice, Subject, hash_of, raster_bytes, truth_bytes
from pages.sources.dialog import dialog_button
from pages.sources.window_dialog import pick_on_overview, picture
from scinet.errors import RasterError, SciNetError
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.truth import Truth, read_truth, read_window_truth
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene
from scinet.raster.scene_window import central_window
from scinet.vector.choice import VectorChoice

WHOLE_PIXELS = 4096 * 4096  # images up to this size are explored whole
SIDES_PX = (512, 1024, 2048)
OVERVIEW_PX = 2048
THUMBNAIL_PX = 560


@dataclass(frozen=True, eq=False)
class TruthFile:
    """A file of reference buildings, as a path or bytes; `key` changes with its content and with how it is read."""

    source: Path | bytes
    name: str
    key: str
    choice: MaskChoice | None = None
    features: VectorChoice | None = None


def choose_part(
    scene: Scene, key: str, title: str, truth: TruthFile | Callable[[], TruthFile | None] | None, credit: str = ""
) -> Choice:
    """The subject from an image of any size; draws widgets only if it is large.

    Args:
        scene: The image.
        key: Changes with its content.
        title: What to call it on the page.
        truth: The file of reference buildings, or a function that draws a widget for it below those of the window.
        credit: The attribution.
    """
    if scene.pixels <= WHOLE_PIXELS:
        place = (0, 0, scene.width, scene.height)
    else:
        place = _choose_window(scene, key)
        title = f"{title} · column {place[0]}, row {place[1]}"
    raster = _read(key, place, scene)
    if callable(truth):
        truth = truth()
    camera = scene.shot.camera if scene.shot else None
    subject = Subject(hash_of(key, place), title, raster, None, credit, camera=camera)
    if truth is None:
        return Choice(subject)
    try:
        found = _read_truth(key, place, truth, scene, raster)
    except SciNetError as error:
        return Choice(subject, problem=str(error))
    return Choice(replace(subject, key=hash_of(key, place, truth.key), truth=found))


def check_pixels(scene: Scene, key: str) -> None:
    """Raise RasterError if a small image is damaged, before its user is asked anything."""
    if scene.pixels <= WHOLE_PIXELS:
        _read(key, (0, 0, scene.width, scene.height), scene)


def _choose_window(scene: Scene, key: str) -> Window:
    """Draw the widgets of the window; returns it."""
    overview, problem = try_overview(scene, key)
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
        help="Side of the square to explore, in px of the image.",
    )
    width, height = min(side, scene.width), min(side, scene.height)
    column, row = central_window(scene, overview, side)
    limits = {COLUMN: scene.width - width, ROW: scene.height - height}
    _keep_within(key, limits, {COLUMN: column, ROW: row})
    column = column_slot.number_input(
        "Column",
        0,
        limits[COLUMN],
        column,
        side // 2,
        key=COLUMN,
        bind="query-params",
        persist_state="session",
        help="Left edge of the window, in px of the image.",
    )
    row = row_slot.number_input(
        "Row",
        0,
        limits[ROW],
        row,
        side // 2,
        key=ROW,
        bind="query-params",
        persist_state="session",
        help="Upper edge of the window, in px of the image.",
    )
    place = int(column), int(row), width, height
    if overview is None:
        top.caption(sentence(problem))
        return place
    top.image(_thumbnail(key, place, overview, scene), width="stretch", alt="The scene with the chosen window")
    with button_slot:
        picking = dialog_button("Choose on the picture", "pick", "Opens the picture above; click the place to explore.")
    if picking:
        pick_on_overview(scene, key, overview, place, lambda at: _read(key, at, scene))
    return place


def _keep_within(key: str, limits: dict[str, int], default: dict[str, int]) -> None:
    """Start a new image at its middle, and move a window that has grown back into the image."""
    former, session().window_of = session().window_of, key
    for name, limit in limits.items():
        if former not in (None, key):
            st.session_state[name] = default[name]
        elif name in st.session_state and st.session_state[name] > limit:
            st.session_state[name] = limit


def try_overview(scene: Scene, key: str) -> tuple[Raster | None, str]:
    """The overview, or None and why there is none."""
    try:
        return _overview(key, scene), ""
    except RasterError as error:
        return None, str(error)


def _overview(key: str, scene: Scene) -> Raster:
    def make() -> Raster:
        with st.spinner("Reading the overview"):
            return scene.overview(OVERVIEW_PX)

    return cache("images").get_or_make(("overview", key), make, raster_bytes)


def _read(key: str, place: Window, scene: Scene) -> Raster:
    def make() -> Raster:
        with st.spinner("Reading the image"):
            return scene.window(*place)

    return cache("images").get_or_make(("window", key, place), make, raster_bytes)


def _read_truth(key: str, place: Window, file: TruthFile, scene: Scene, raster: Raster) -> Truth:
    def make() -> Truth:
        with st.spinner("Reading the reference buildings"):
            if raster.shape == (scene.height, scene.width):
                return read_truth(file.source, raster, file.name, file.choice, file.features, scene.name)
            return read_window_truth(file.source, raster, scene, file.name, file.choice, file.features)

    return cache("images").get_or_make(("truth", key, place, file.key), make, truth_bytes)


def _thumbnail(key: str, place: Window, overview: Raster, scene: Scene) -> bytes:
    """The overview as a small picture with the window's frame on it."""
    scale = overview.width / scene.width
    column, row, width, height = (round(scale * value) for value in place)
    return cache("thumbnails").get_or_make(
        ("window", key, place), lambda: picture(overview.pixels, THUMBNAIL_PX, (column, row, width, height)), len
    )
