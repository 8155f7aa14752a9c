"""Leaflet from the app's own server: folium and streamlit-folium would load it from a content network."""

import base64
from pathlib import Path

import folium
import streamlit.components.v1 as components
from branca.element import MacroElement
from folium.template import Template
from streamlit import runtime

FOLDER = Path(__file__).parent / "static"

# Declared only so that the app's server hands out the folder's files; "../" leads there from st_folium's frame.
_assets = components.declare_component("leaflet", path=str(FOLDER))


class Fit(MacroElement):
    """Keeps `bounds` in view, `padding` px (left, top, right, bottom) from the edges, as far as `least_zoom` allows.

    It needs the script "pick".
    """

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "scinetPick.fit({{ this._parent.get_name() }}, {{ this.bounds|tojson }}, {{ this.padding|tojson }}, "
        "{{ this.least_zoom }});"
        "{% endmacro %}"
    )

    def __init__(self, bounds: list[list[float]], padding: tuple[int, int, int, int], least_zoom: float):
        super().__init__()
        self._name = "Fit"
        self.bounds, self.padding, self.least_zoom = bounds, padding, least_zoom


def use_own_files(own: folium.Map, *scripts: str) -> None:
    """Make a folium map load Leaflet, and further scripts, from `pages/leaflet`."""
    own.default_js = [(name, f"../{_assets.name}/{name}.js") for name in ("leaflet", *scripts)]
    own.default_css = [(name, f"../{_assets.name}/{name}.css") for name in ("leaflet", "map")]


def serve(data: bytes, mimetype: str, place: str) -> str:
    """A URL for the map's frame: a file of the app's server, which a step resends in 7 kB, else a data URI.

    Streamlit's media files are its own affair and may change: this is the one place that uses them.
    """
    try:
        url = runtime.get_instance().media_file_mgr.add(data, mimetype, f"map-{place}")
    except (RuntimeError, AttributeError):
        return f"data:{mimetype};base64,{base64.b64encode(data).decode()}"
    return "../.." + url  # the frame lives at component/<name>/index.html
