"""The dialog in which an image without a georeference gets its resolution: a line over something of known length."""

from typing import Any

import folium
import numpy as np
import streamlit as st
from streamlit_folium import st_folium

from pages.app.drawing import Bounds
from pages.app.markdown import sentence
from pages.app.state import Ends, session
from pages.map.leaflet import Fit, Ruler, serve, use_local_files
from pages.sources.dialog import close_dialog
from pages.sources.window_dialog import HEIGHT_PX, MIN_ZOOM, overview_picture
from scinet.camera.scale import cm_per_px_from_line
from scinet.errors import SciNetError
from scinet.raster.raster import Raster
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.scene import Scene


@st.dialog("Measure something of known length", width="large", on_dismiss=close_dialog)
def measure_line(scene: Scene, key: str, overview: Raster, field: str) -> None:
    """Draw the dialog: a line and its length give the resolution, which a button writes into a text field.

    Args:
        scene: The image.
        key: Changes with its content.
        overview: All of it, small enough to show.
        field: The key of the text field.
    """
    left, right = st.columns([3, 2])
    with left:
        _map(scene, key, overview)
    with right:
        st.caption(
            "Draw a line over something whose length you know, the longer the better: a car is about 4.5 m long, a "
            "shipping container 6.1 or 12.2 m, a football field 105 m."
        )
        length_m = st.number_input("Length of the line, m", 0.1, 100_000.0, None, format="%g", key=f"length-{key[:12]}")
        of, ends = session().measured_line or (None, None)
        if of != key or ends is None or length_m is None:
            st.button("Use it", type="primary", width="stretch", disabled=True, key="use_line")
            return
        try:
            cm_per_px = parse_cm_per_px(cm_per_px_from_line(*ends, length_m))
        except SciNetError as error:
            st.warning(sentence(str(error)))
            return
        text = f"{cm_per_px:.4g}"
        if st.button(
            f"Use {text} cm/px", type="primary", width="stretch", key="use_line", on_click=_use, args=(field, text)
        ):
            st.rerun()


def _use(key: str, text: str) -> None:
    st.session_state[key] = text
    close_dialog()


def _map(scene: Scene, key: str, overview: Raster) -> None:
    """Draw the image with a tool for lines, whose last one the session remembers."""
    bounds: Bounds = [[-scene.height, 0], [0, scene.width]]
    image_map = folium.Map(
        location=[-scene.height / 2, scene.width / 2],
        crs="Simple",
        tiles=None,
        minZoom=MIN_ZOOM,
        maxZoom=4,
        zoomSnap=0.25,
        attributionControl=False,
    )
    use_local_files(image_map, "pick", "draw")
    image = folium.raster_layers.ImageOverlay(np.zeros((1, 1)), bounds=bounds)  # would open a relative URL as a file
    image.url = serve(overview_picture(key, overview), "image/jpeg", "overview")
    image.add_to(image_map)
    image_map.add_child(Fit(bounds, (4, 4, 4, 4), MIN_ZOOM))
    image_map.add_child(Ruler())
    name = f"line-{key[:12]}"

    def keep() -> None:
        sent = st.session_state.get(name)
        session().measured_line = key, ends_of(sent.get("drawing") if isinstance(sent, dict) else None)

    st_folium(image_map, key=name, height=HEIGHT_PX, use_container_width=True, returned_objects=[], on_change=keep)


def ends_of(drawing: Any) -> Ends | None:
    """The ends of a line that the browser has sent as [y, x] of the map, which may be anything.

    >>> ends_of([[-50, 100], [-50, 145]])
    ((100.0, 50.0), (145.0, 50.0))
    >>> ends_of("nonsense") is None
    True
    """
    try:
        ends = np.array(drawing, np.float64)
    except (TypeError, ValueError):
        return None
    if ends.shape != (2, 2):
        return None
    (start_y, start_x), (end_y, end_x) = ends.tolist()
    return (start_x, -start_y), (end_x, -end_y)
