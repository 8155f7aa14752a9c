"""The dialog in which a window is picked on a scene's overview: a map of its own, there only while picking."""

from collections.abc import Callable

import folium
import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from streamlit_folium import st_folium

from pages.app.drawing import Bounds, encode_image
from pages.map.leaflet import Fit, serve, use_own_files
from pages.sources.dialog import close_dialog
from scinet.errors import SciNetError
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene, window_around

HEIGHT_PX = 460
PREVIEW_PX = 640
MIN_ZOOM = -9
MIN_FRAME_PX = 10
FRAME_COLOUR = "#ffd23f"
Place = tuple[int, int, int, int]


@st.dialog("Choose a window", width="large", on_dismiss=close_dialog)
def pick_on_overview(scene: Scene, key: str, overview: Raster, place: Place, read: Callable[[Place], Raster]) -> None:
    """A click moves the frame; the button takes its column and row over to the widgets."""
    _, _, width, height = place
    left, right = st.columns([3, 2])
    with left:
        clicked = _overview_map(scene, key, overview, _pending(key, place))
        if clicked is not None and clicked != st.session_state.get("explore.clicked"):
            st.session_state["explore.clicked"] = clicked
            st.session_state["explore.pending"] = (
                key,
                (
                    *window_around(scene, clicked[0], clicked[1], max(width, height)),
                    width,
                    height,
                ),
            )
            st.rerun(scope="fragment")
    column, row, *_ = chosen = _pending(key, place)
    with right:
        try:
            st.image(picture(read(chosen).pixels, PREVIEW_PX), width="stretch")
            problem = None
        except SciNetError as error:
            problem = str(error)
            st.warning(problem)
        st.caption(f"{width} × {height} px at column {column}, row {row}")
        if st.button(
            "Explore this window",
            type="primary",
            width="stretch",
            disabled=problem is not None,
            on_click=_take,
            args=(column, row),
        ):
            st.rerun()


def _pending(key: str, place: Place) -> Place:
    """The window that the last click chose, else the one explored."""
    of, pending = st.session_state.get("explore.pending", (None, place))
    return pending if of == key else place


def _take(column: int, row: int) -> None:
    st.session_state["column"], st.session_state["row"] = column, row
    st.session_state.pop("explore.pending", None)
    close_dialog()


def _overview_map(scene: Scene, key: str, overview: Raster, place: Place) -> tuple[float, float] | None:
    """Shows the overview with the frame; returns the last click in the scene's px (x, y)."""
    bounds: Bounds = [[-scene.height, 0], [0, scene.width]]
    own = folium.Map(
        location=[-scene.height / 2, scene.width / 2],
        crs="Simple",
        tiles=None,
        minZoom=MIN_ZOOM,
        maxZoom=1,
        zoomSnap=0.25,
        attributionControl=False,
    )
    use_own_files(own, "pick")
    image = folium.raster_layers.ImageOverlay(
        np.zeros((1, 1)), bounds=bounds
    )  # a relative address would be opened as a file
    image.url = serve(_overview_picture(key, overview), "image/jpeg", "overview")
    image.add_to(own)
    own.add_child(Fit(bounds, (4, 4, 4, 4), MIN_ZOOM))
    column, row, width, height = place
    frame = folium.FeatureGroup().add_child(
        folium.Rectangle(
            [[-row - height, column], [-row, column + width]],
            color=FRAME_COLOUR,
            weight=3,
            fill_opacity=0.1,
            interactive=False,
        )
    )
    found = st_folium(
        own,
        key=f"overview-{key[:12]}",
        height=HEIGHT_PX,
        use_container_width=True,
        feature_group_to_add=frame,
        returned_objects=["last_clicked"],
    )
    click = (found or {}).get("last_clicked")
    return (click["lng"], -click["lat"]) if click else None


@st.cache_data(max_entries=4, show_spinner=False)
def _overview_picture(key: str, _overview: Raster) -> bytes:
    return picture(_overview.pixels, max(_overview.shape))


def picture(pixels: NDArray[np.uint8], max_px: int, frame: Place | None = None) -> bytes:
    """A JPEG of at most `max_px` a side; `frame` is drawn on it, in the pixels given."""
    image = Image.fromarray(pixels)
    image.thumbnail((max_px, max_px))
    if frame is not None:
        scale = image.width / pixels.shape[1]
        column, row, width, height = (scale * value for value in frame)
        grow = max(0.0, MIN_FRAME_PX - max(width, height)) / 2  # seen however large the scene
        corners = [column - grow, row - grow, column + width + grow, row + height + grow]
        ImageDraw.Draw(image).rectangle(corners, outline=FRAME_COLOUR, width=3)
    return encode_image(np.asarray(image))
