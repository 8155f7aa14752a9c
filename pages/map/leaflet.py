"""Leaflet from the app's own server: folium and streamlit-folium would load it from a content delivery network."""

import base64
from pathlib import Path

import folium
import streamlit.components.v1 as components
from branca.element import MacroElement
from folium.template import Template
from streamlit import runtime

FOLDER = Path(__file__).parent / "static"

# Declared only so that the app's server serves the folder's files; "../" leads there from the frame of st_folium.
_assets = components.declare_component("leaflet", path=str(FOLDER))


class Fit(MacroElement):
    """Keeps `bounds` in view, `padding_px` (left, top, right, bottom) from the edges, as far as `min_zoom` allows.

    The map needs the script "pick".
    """

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "scinetPick.fit({{ this._parent.get_name() }}, {{ this.bounds|tojson }}, {{ this.padding_px|tojson }}, "
        "{{ this.min_zoom }});"
        "{% endmacro %}"
    )

    def __init__(self, bounds: list[list[float]], padding_px: tuple[int, int, int, int], min_zoom: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._name = "Fit"
        self.bounds, self.padding_px, self.min_zoom = bounds, padding_px, min_zoom


class Ruler(MacroElement):
    """A tool that draws a line and hands its ends to Python; it begins at once. The map needs the script "draw"."""

    _template = Template(
        "{% macro script(this, kwargs) %}scinetDraw.measure({{ this._parent.get_name() }});{% endmacro %}"
    )

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self._name = "Ruler"


def use_local_files(folium_map: folium.Map, *scripts: str) -> None:
    """Make a folium map load Leaflet, and further scripts, from `pages/map/static`."""
    folium_map.default_js = [(name, f"../{_assets.name}/{name}.js") for name in ("leaflet", "frame", *scripts)]
    folium_map.default_css = [(name, f"../{_assets.name}/{name}.css") for name in ("leaflet", "map")]


def serve(data: bytes, mimetype: str, place: str) -> str:
    """A URL for the map's frame: of a file on the app's server, of which a step resends 7 kB, else a data URI.

    Streamlit's media files are not a public API and may change: they are used only here.
    """
    try:
        url = runtime.get_instance().media_file_mgr.add(data, mimetype, f"map-{place}")
    except (RuntimeError, AttributeError):
        return f"data:{mimetype};base64,{base64.b64encode(data).decode()}"
    return "../.." + url  # the frame is at component/<name>/index.html
