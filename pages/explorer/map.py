"""The swiped map: a folium map of two sides, whose contents pages/leaflet/map.js changes in place.

A step of the slider sends addresses of images and outlines
alone, as one small layer: whatever changes folium's map itself would load it anew and lose the view.
"""

import json
from typing import Any

import folium
import numpy as np
import streamlit as st
from branca.element import MacroElement
from folium.template import Template
from streamlit_folium import st_folium

from pages.explorer.leaflet import serve, use_own_files
from pages.explorer.runs import Verdict, truth_on
from pages.explorer.sources import Subject
from scinet import draw
from scinet.footprints import Footprints, polygonize
from scinet.raster import Raster

HEIGHT_PX = 480
SIDES = {"left": 400, "right": 401}  # a pane for each, and its place in the stack
FILL, OUTLINES = "Fill", "Outlines"
STYLES = (FILL, OUTLINES)


class Frame(MacroElement):
    """Controls, panes and the divider on a folium map; `bounds` is what it shows at first."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "scinetMap.open({{ this._parent.get_name() }}, {{ this.frame|tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, subject: str, bounds: draw.Bounds):
        super().__init__()
        self._name = "Frame"
        self.frame = {"id": subject, "bounds": bounds}


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


def show_map(subject: Subject, raster: Raster, left: Verdict | None, right: Verdict | None, style: str) -> None:
    """The map of a subject at a working resolution; a side without a verdict shows the image alone."""
    base, bounds = _image(subject.key, raster.shape, raster)
    _, whole = _image(subject.key, subject.raster.shape, subject.raster)  # the same at each step: the map stays
    state: dict[str, Any] = {"legend": _legend(subject, left, right)}
    for side, verdict in (("left", left), ("right", right)):
        key = verdict.key if verdict else (subject.key, raster.shape)
        features = _features(key, style, subject, verdict, raster)
        overlay = None
        if verdict is not None and style == FILL:
            picture, place = _overlay(key, verdict)
            url = serve(picture, "image/png", f"{side}-overlay")
            overlay = {"url": url, "bounds": place, "alt": f"mask of {verdict.card.title}"}
        state[side] = {
            "title": verdict.card.title if verdict else "Image",
            "base": {"url": serve(base, "image/webp", f"{side}-base"), "bounds": bounds, "alt": "image"},
            "overlay": overlay,
            "outlines": serve(features, "application/json", f"{side}-outlines") if features else None,
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


def _empty_map(subject: str, crs: str, bounds: draw.Bounds) -> folium.Map:
    simple = crs == "Simple"
    own = folium.Map(
        location=[0, 0], crs=crs, tiles=None, zoom_control=False, attributionControl=False,
        min_zoom=-6 if simple else 2, max_zoom=9 if simple else 27, zoomSnap=0.25, zoomDelta=0.75,
        wheelPxPerZoomLevel=90, maxBoundsViscosity=0.8,
    )  # fmt: skip
    use_own_files(own, "swipe", "map")
    for side, z_index in SIDES.items():
        folium.map.CustomPane(side, z_index=z_index).add_to(own)
    Frame(subject, bounds).add_to(own)
    return own


def _legend(subject: Subject, left: Verdict | None, right: Verdict | None) -> list[dict[str, str]]:
    if left is None and right is None:
        return [{"title": "True footprint", "colour": draw.TRUTH_COLOUR}] if subject.truth is not None else []
    if subject.truth is None:
        return [{"title": "Mask", "colour": draw.MASK_COLOUR}]
    return [{"title": draw.KIND_TITLES[kind], "colour": draw.KIND_COLOURS[kind]} for kind in draw.KINDS]


@st.cache_resource(max_entries=16, show_spinner=False)
def _image(key: str, shape: tuple[int, int], _raster: Raster) -> tuple[bytes, draw.Bounds]:
    return draw.image_for_map(_raster)


@st.cache_resource(max_entries=48, show_spinner=False)
def _overlay(key: tuple[object, ...], _verdict: Verdict) -> tuple[bytes, draw.Bounds]:
    if _verdict.diagnosis is None:
        classes, colours = _verdict.prediction.astype(np.uint8), [draw.MASK_COLOUR]
    else:
        classes = draw.error_classes(_verdict.diagnosis, _verdict.prediction)
        colours = list(draw.KIND_COLOURS.values())
    return draw.classes_for_map(classes, _verdict.raster, colours)


@st.cache_resource(max_entries=48, show_spinner=False)
def _features(
    key: tuple[object, ...], style: str, _subject: Subject, _verdict: Verdict | None, _raster: Raster
) -> bytes:
    """The outlines of one side as GeoJSON: true footprints by kind, and in outline style the mask's too."""
    features: list[dict[str, Any]] = []
    if _verdict is not None and style == OUTLINES:
        features += _mask_outlines(_verdict)
    if _subject.truth is not None:
        features += _truth_outlines(_subject, _verdict, _raster, thin=style == FILL)
    return json.dumps({"type": "FeatureCollection", "features": features}).encode() if features else b""


def _truth_outlines(subject: Subject, verdict: Verdict | None, raster: Raster, *, thin: bool) -> list[dict[str, Any]]:
    labels = truth_on(subject, raster)
    ids = np.unique(labels[raster.valid & (labels > 0)])  # in the order of the diagnosis, which numbers them anew
    if isinstance(subject.truth, Footprints):
        polygons, crs = subject.truth.polygons, subject.truth.crs
    else:
        polygons, crs = tuple(polygonize(labels, raster)), raster.crs
    shapes = [polygons[i - 1] for i in ids]
    weight = 1.5 if thin else 2.5
    if verdict is None or verdict.diagnosis is None:
        plain = {"colour": draw.TRUTH_COLOUR, "weight": weight, "title": "True building", "rows": []}
        return draw.outlines(shapes, crs, [plain] * len(shapes))
    buildings = verdict.diagnosis.buildings
    rows = zip(buildings.kind, buildings.area_m2, buildings.completeness, buildings.pieces, strict=True)
    properties = [
        {
            "colour": draw.KIND_COLOURS[kind],
            "weight": weight,
            "title": draw.KIND_TITLES[kind],
            "rows": [["Area", _area(area_m2)], ["Completeness", f"{completeness:.0%}"], ["Pieces", f"{pieces}"]],
        }
        for kind, area_m2, completeness, pieces in rows
    ]
    return draw.outlines(shapes, crs, properties)


def _area(area_m2: float) -> str:
    return f"{area_m2:,.0f} m²" if area_m2 >= 10 else f"{area_m2:.1f} m²"


def _mask_outlines(verdict: Verdict) -> list[dict[str, Any]]:
    shapes = polygonize(verdict.predicted_labels, verdict.raster)
    plain = {"colour": draw.MASK_COLOUR, "weight": 2, "title": "", "rows": []}
    if verdict.diagnosis is None:
        return draw.outlines(shapes, verdict.raster.crs, [plain] * len(shapes))
    components_ = verdict.diagnosis.components
    properties = [
        {"colour": draw.KIND_COLOURS["false"], "weight": 2, "title": "False area", "rows": [["Area", _area(area)]]}
        if kind == "false"
        else {"colour": draw.TRUTH_COLOUR, "weight": 1, "dash": "4 3", "title": "", "rows": []}
        for kind, area in zip(components_.kind, components_.area_m2, strict=True)
    ]  # fmt: skip
    return draw.outlines(shapes, verdict.raster.crs, properties)
