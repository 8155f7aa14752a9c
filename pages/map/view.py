"""The map: a folium map that never changes, and the state that static/map.js shows on it.

Python puts the state into an element of the page, from which static/stage.js reads it. The element may change many
times during one run, so that each mask appears when its model is done; folium's own layers are sent once per run.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import folium
import streamlit as st
from branca.element import MacroElement
from folium.template import Template
from streamlit.delta_generator import DeltaGenerator
from streamlit_folium import st_folium

from pages.app import drawing
from pages.app.subject import Subject
from pages.map import layers, pictures
from pages.map.leaflet import use_local_files

HEIGHT_PX = 480
MAP_KEY = "map"


class Frame(MacroElement):
    """Controls and maps on a folium map; `bounds` is what it shows at first."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "scinetMap.open({{ this._parent.get_name() }}, {{ this.frame|tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, subject: str, bounds: drawing.Bounds) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._name = "Frame"
        self.frame = {
            "id": subject,
            "bounds": bounds,
            "withoutOutcome": layers.WITHOUT_OUTCOME,  # a reference building in a cell without a mask
            "tooSmall": layers.TOO_SMALL,  # one that the mask's grid does not show
        }


@dataclass(frozen=True)
class Stage:
    """The places in the page from which the map's frame reads what it shows."""

    state: DeltaGenerator
    known: DeltaGenerator

    def show(self, state: dict[str, Any]) -> None:
        """Have the map show a state, in place of the former one."""
        _put(self.state, "state", state)

    def show_known(self, known: dict[str, Any]) -> None:
        """Hand the map further steps, which it shows while the slider passes them."""
        _put(self.known, "known", known)


def _put(place: DeltaGenerator, name: str, value: dict[str, Any]) -> None:
    text = escape(json.dumps(value, separators=(",", ":")))
    place.html(f'<div class="sn-map-{name}" data-{name}="{text}"></div>')


def show_map(subject: Subject, on_drawn: Callable[[Any], None]) -> Stage:
    """Draw the map of a subject, still empty; returns the place of its state.

    Args:
        subject: The image.
        on_drawn: Called, before the script runs again, with what has been drawn: corners [latitude, longitude] in
            degrees, without a CRS [y, x] in metres; None when the drawing was removed. The browser may send anything.
    """

    def pass_on() -> None:
        sent = st.session_state.get(MAP_KEY)
        if isinstance(sent, dict) and "drawing" in sent:
            on_drawn(sent["drawing"])

    _, whole = pictures.image(subject, subject.raster)  # the same at each step: the map stays
    with st.container(key="map_frame"):
        st_folium(
            _empty_map(subject.key, "Simple" if subject.raster.crs is None else "EPSG3857", whole),
            key=MAP_KEY,
            height=HEIGHT_PX,
            use_container_width=True,
            returned_objects=[],
            on_change=pass_on,
        )
    with st.container(key="map_state"):
        return Stage(st.empty(), st.empty())


def _empty_map(subject: str, crs: str, bounds: drawing.Bounds) -> folium.Map:
    simple = crs == "Simple"
    empty = folium.Map(
        location=[0, 0],
        crs=crs,
        tiles=None,
        zoom_control=False,
        attributionControl=False,
        min_zoom=-6 if simple else 2,
        max_zoom=9 if simple else 27,
        zoomSnap=0.05,
        zoomDelta=0.75,
        wheelPxPerZoomLevel=90,
        maxBoundsViscosity=0.8,
    )
    use_local_files(empty, "swipe", "grid", "stage", "draw", "present", "map")
    Frame(subject, bounds).add_to(empty)
    return empty
