"""The dialog in which a window is picked on a scene's overview, with a map that exists only as long as the dialog."""

from collections.abc import Callable

import folium
import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from streamlit_folium import st_folium

from pages.app.drawing import Bounds, encode_image
from pages.app.markdown import sentence
from pages.app.state import COLUMN, ROW, Window, cache, session
from pages.map.leaflet import Fit, serve, use_local_files
from pages.sources.dialog import close_dialog
from scinet.errors import SciNetError
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene
from scinet.raster.scene_window import window_around

HEIGHT_PX = 460
PREVIEW_PX = 640
MIN_ZOOM = -9
MIN_FRAME_PX = 10
FRAME_COLOUR = "#ffd23f"


@st.dialog("Choose a window", width="large", on_dismiss=close_dialog)
def pick_on_overview(scene: Scene, key: str, overview: Raster, place: Window, read: Callable[[Window], Raster]) -> None:
    """Draw the dialog: a click moves the frame, the button sets the column and row widgets."""
    _, _, width, height = place
    left, right = st.columns([3, 2])
    with left:
        clicked = _overview_map(scene, key, overview, _picked(key, place))
        if clicked is not None and clicked != session().overview_click:
            session().overview_click = clicked
            column, row = window_around(scene, *clicked, max(width, height))
            session().picked_window = key, (column, row, width, height)
            st.rerun(scope="fragment")
    column, row, *_ = chosen = _picked(key, place)
    with right:
        try:
            st.image(picture(read(chosen).pixels, PREVIEW_PX), width="stretch", alt="The chosen window")
            problem = None
        except SciNetError as error:
            problem = str(error)
            st.warning(sentence(problem))
        st.caption(f"{width} × {height} px at column {column}, row {row}")
        if st.button(
            "Explore this window",
            type="primary",
            width="stretch",
            disabled=problem is not None,
            on_click=_use,
            args=(column, row),
        ):
            st.rerun()


def _picked(key: str, place: Window) -> Window:
    """The window that the last click chose, else the one that is explored."""
    of, picked = session().picked_window or (None, place)
    return picked if of == key else place


def _use(column: int, row: int) -> None:
    st.session_state[COLUMN], st.session_state[ROW] = column, row
    session().picked_window = None
    close_dialog()


def _overview_map(scene: Scene, key: str, overview: Raster, place: Window) -> tuple[float, float] | None:
    """Draw the overview with the frame; returns the last click in px of the scene (x, y)."""
    bounds: Bounds = [[-scene.height, 0], [0, scene.width]]
    overview_map = folium.Map(
        location=[-scene.height / 2, scene.width / 2],
        crs="Simple",
        tiles=None,
        minZoom=MIN_ZOOM,
        maxZoom=1,
        zoomSnap=0.25,
        attributionControl=False,
    )
    use_local_files(overview_map, "pick")
    image = folium.raster_layers.ImageOverlay(np.zeros((1, 1)), bounds=bounds)  # would open a relative URL as a file
    image.url = serve(overview_picture(key, overview), "image/jpeg", "overview")
    image.add_to(overview_map)
    overview_map.add_child(Fit(bounds, (4, 4, 4, 4), MIN_ZOOM))
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
        overview_map,
        key=f"overview-{key[:12]}",
        height=HEIGHT_PX,
        use_container_width=True,
        feature_group_to_add=frame,
        returned_objects=["last_clicked"],
    )
    click = (found or {}).get("last_clicked")
    return (click["lng"], -click["lat"]) if click else None


def overview_picture(key: str, overview: Raster) -> bytes:
    """An overview as a JPEG."""
    return cache("map").get_or_make(("overview", key), lambda: picture(overview.pixels, max(overview.shape)), len)


def picture(pixels: NDArray[np.uint8], max_px: int, frame: Window | None = None) -> bytes:
    """A JPEG of at most `max_px` per side, with `frame`, which is in px of `pixels`."""
    image = Image.fromarray(pixels)
    image.thumbnail((max_px, max_px))
    if frame is not None:
        scale = image.width / pixels.shape[1]
        column, row, width, height = (scale * value for value in frame)
        grow = max(0.0, MIN_FRAME_PX - max(width, height)) / 2  # visible however large the scene is
        corners = [column - grow, row - grow, column + width + grow, row + height + grow]
        ImageDraw.Draw(image).rectangle(corners, outline=FRAME_COLOUR, width=3)
    return encode_image(np.asarray(image))
