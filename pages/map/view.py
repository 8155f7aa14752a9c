"""The map: two sides, swiped or side by side, on a folium map whose contents pages/leaflet/map.js changes in place.

A step of the slider sends addresses of images and outlines
alone, as one small layer: whatever changes folium's map itself would load it anew and lose the view.
"""

from dataclasses import dataclass
from typing import Any

import folium
import numpy as np
import streamlit as st
from branca.element import MacroElement
from folium.template import Template
from streamlit_folium import st_folium

from pages.app import drawing
from pages.app.runs import Verdict
from pages.map import layers
from pages.map.layers import FILL, OUTLINES, PROBABILITY
from pages.map.leaflet import serve, use_own_files
from pages.sources import Subject
from pages.views.explore.worst_buildings import Target
from scinet.raster.raster import Raster

HEIGHT_PX = 480
SWIPE, SIDE_BY_SIDE = "Swipe", "Side by side"
COMPARISONS = (SWIPE, SIDE_BY_SIDE)
NOTHING = {"overlay": None, "components": None, "fates": None}  # a side that shows the image alone
SIDES = {"left": 400, "right": 401}  # a pane for each, and its place in the stack


class Frame(MacroElement):
    """Controls, panes and the divider on a folium map; `bounds` is what it shows at first."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "scinetMap.open({{ this._parent.get_name() }}, {{ this.frame|tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, subject: str, bounds: drawing.Bounds):
        super().__init__()
        self._name = "Frame"
        self.frame = {
            "id": subject,
            "bounds": bounds,
            "unjudged": layers.UNJUDGED,  # a true building on a side without a mask
            "tooSmall": layers.TOO_SMALL,  # one that the mask's grid does not show
        }


class Contents(folium.map.Layer):
    """What lies on the two sides: titles, addresses of images and outlines, the legend."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "var {{ this.get_name() }} = scinetMap.show({{ this.state|tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, state: dict[str, Any]):
        super().__init__()
        self._name = "Contents"
        self.state = state


@dataclass(frozen=True)
class MapView:
    """How the map shows its sides: one of STYLES and one of COMPARISONS."""

    style: str
    compare: str


def show_map(
    subject: Subject,
    raster: Raster,
    left: Verdict | None,
    right: Verdict | None,
    look: MapView,
    target: Target | None = None,
) -> None:
    """The map of a subject at a working resolution; a side without a result shows the image alone.

    A target is flown to when it is new, and marked as long as it is given.
    """
    base, bounds = _image(subject.key, raster.shape, raster)
    _, whole = _image(subject.key, subject.raster.shape, subject.raster)  # the same at each step: the map stays
    address = serve(base, drawing.mime_type(base), "base")
    truth = None if subject.truth is None else layers.true_buildings(subject)
    state: dict[str, Any] = {
        "legend": _legend(subject, left or right, look.style),
        "paired": look.compare == SIDE_BY_SIDE,
        "target": None,
        "truth": _served(truth, "truth"),
        "line": {
            "weight": 2.5 if look.style == OUTLINES else 1.5,
            "plain": drawing.TRUTH_COLOUR if look.style == PROBABILITY else None,
        },
    }
    if target is not None:
        state["target"] = {"id": target.id, "url": serve(target.geojson, "application/json", "target")}
    for name, verdict in (("left", left), ("right", right)):
        state[name] = {
            "title": verdict.card.title if verdict else "Image",
            "base": {"url": address, "bounds": bounds, "alt": "image"},
            **(_side(name, subject, verdict, look.style) if verdict else NOTHING),
        }
    with st.container(key="map_frame"):
        st_folium(
            _empty_map(subject.key, "Simple" if raster.crs is None else "EPSG3857", whole),
            key="map",
            height=HEIGHT_PX,
            use_container_width=True,
            feature_group_to_add=folium.FeatureGroup().add_child(Contents(state)),
            returned_objects=[],
        )


def _side(name: str, subject: Subject, verdict: Verdict, style: str) -> dict[str, Any]:
    """What a verdict lays over the image."""
    overlay = None
    if style != OUTLINES:
        picture, place = _mask(verdict.key, verdict) if style == FILL else _heat(verdict.run.task.key, verdict)
        url = serve(picture, "image/png", f"{name}-overlay")
        overlay = {"url": url, "bounds": place, "alt": f"{style} of {verdict.card.title}"}
    fates = None if verdict.diagnosis is None else layers.fates(verdict.key, subject, verdict)
    return {
        "overlay": overlay,
        "components": _served(layers.components(verdict.key, style, verdict), f"{name}-components"),
        "fates": _served(fates, f"{name}-fates"),
    }


def _served(data: bytes | None, place: str) -> str | None:
    return serve(data, "application/json", place) if data else None


def _empty_map(subject: str, crs: str, bounds: drawing.Bounds) -> folium.Map:
    simple = crs == "Simple"
    own = folium.Map(
        location=[0, 0],
        crs=crs,
        tiles=None,
        zoom_control=False,
        attributionControl=False,
        min_zoom=-6 if simple else 2,
        max_zoom=9 if simple else 27,
        zoomSnap=0.25,
        zoomDelta=0.75,
        wheelPxPerZoomLevel=90,
        maxBoundsViscosity=0.8,
    )
    use_own_files(own, "swipe", "twin", "map")
    for side, z_index in SIDES.items():
        folium.map.CustomPane(side, z_index=z_index).add_to(own)
    Frame(subject, bounds).add_to(own)
    return own


def _legend(subject: Subject, side: Verdict | None, style: str) -> list[dict[str, Any]]:
    truth = [{"title": "True footprint", "colour": drawing.TRUTH_COLOUR}] if subject.truth is not None else []
    if side is None:
        return truth
    if style == PROBABILITY:
        ramp = {"title": "Probability", "ramp": drawing.PROBABILITY_COLOURS, "threshold": side.settings.threshold}
        return [ramp, *truth]
    if not truth:
        return [{"title": "Mask", "colour": drawing.MASK_COLOUR}]
    return [{"title": drawing.KIND_TITLES[kind], "colour": drawing.KIND_COLOURS[kind]} for kind in drawing.KINDS]


@st.cache_resource(max_entries=16, show_spinner=False)
def _image(key: str, shape: tuple[int, int], _raster: Raster) -> tuple[bytes, drawing.Bounds]:
    return drawing.image_for_map(_raster)


@st.cache_resource(max_entries=48, show_spinner=False)
def _mask(key: tuple[object, ...], _verdict: Verdict) -> tuple[bytes, drawing.Bounds]:
    if _verdict.diagnosis is None:
        classes, colours = _verdict.prediction.astype(np.uint8), [drawing.MASK_COLOUR]
    else:
        classes = drawing.error_classes(_verdict.diagnosis, _verdict.prediction)
        colours = list(drawing.KIND_COLOURS.values())
    return drawing.classes_for_map(classes, _verdict.raster, colours)


@st.cache_resource(max_entries=48, show_spinner=False)
def _heat(key: tuple[object, ...], _verdict: Verdict) -> tuple[bytes, drawing.Bounds]:
    return drawing.probability_for_map(_verdict.run.probability, _verdict.raster)
