"""Outlines for the map: true buildings, what became of each, and the components of a mask, with their tooltips.

True buildings have the same outlines at every resolution and in every mask: one file for both sides and all steps.
What became of them is another, small one, which changes with the mask.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pages.app import drawing
from pages.app.runs import Key, Verdict, truth_on
from pages.sources import Subject
from scinet.raster.raster import Raster
from scinet.vector.footprints import Footprints, polygonize

FILL, OUTLINES, PROBABILITY = "Fill", "Outlines", "Probability"
STYLES = (FILL, OUTLINES, PROBABILITY)
UNJUDGED = {"colour": drawing.TRUTH_COLOUR, "title": "True building", "rows": []}
TOO_SMALL = {**UNJUDGED, "rows": [["Area", "under a pixel here"]]}

Feature = dict[str, Any]


def truth_ids(subject: Subject, raster: Raster) -> NDArray[np.int32]:
    """The truth's labels that a grid shows, in the order of the diagnosis, which numbers them anew."""
    labels = truth_on(subject, raster)
    return np.unique(labels[raster.valid & (labels > 0)])


def true_buildings(subject: Subject) -> bytes:
    """The outlines of all true buildings on the image, each with its `id` in the truth, as GeoJSON."""
    return _true_file(subject.key, subject)


def true_building(subject: Subject, building: int) -> Feature:
    """The outline of one of them."""
    return next(f for f in _true_features(subject.key, subject) if f["properties"]["id"] == building)


@st.cache_resource(max_entries=8, show_spinner=False)
def _true_file(key: str, _subject: Subject) -> bytes:
    return collection(_true_features(key, _subject))


@st.cache_resource(max_entries=8, show_spinner=False)
def _true_features(key: str, _subject: Subject) -> list[Feature]:
    """Footprints as they are, masks along pixel edges of the native grid."""
    raster = _subject.raster
    ids = truth_ids(_subject, raster)
    if isinstance(_subject.truth, Footprints):
        polygons, crs = _subject.truth.polygons, _subject.truth.crs
    else:
        polygons, crs = tuple(polygonize(truth_on(_subject, raster), raster)), raster.crs
    return drawing.outlines([polygons[i - 1] for i in ids], crs, [{"id": int(i)} for i in ids])


@st.cache_resource(max_entries=48, show_spinner=False)
def fates(key: Key, _subject: Subject, _verdict: Verdict) -> bytes:
    """What became of each true building in a mask, by its `id`: colour, title and rows of the tooltip, as JSON."""
    assert _verdict.diagnosis is not None
    own = _verdict.diagnosis.buildings
    told = {}
    for i, building in enumerate(truth_ids(_subject, _verdict.raster)):
        kind = own.kind[i]
        rows = [
            ["Area", _area(own.area_m2[i])],
            ["Completeness", f"{own.completeness[i]:.0%}"],
            ["ResumableCog", f"{own.pieces[i]}"],
        ]
        if kind == "merged":
            rows.append(["Partners", f"{own.partners[i]}"])
        if own.holes_m2[i] > 0:
            rows.append(["Holes", _area(own.holes_m2[i])])
        told[int(building)] = {"colour": drawing.KIND_COLOURS[kind], "title": drawing.KIND_TITLES[kind], "rows": rows}
    return json.dumps(told, separators=(",", ":")).encode()


@st.cache_resource(max_entries=48, show_spinner=False)
def components(key: Key, style: str, _verdict: Verdict) -> bytes:
    """The outlines of a mask's components, as GeoJSON; empty where there are none.

    In outline style every component; else the wrong ones alone, unseen until the pointer is over them.
    """
    if _verdict.diagnosis is None:
        if style != OUTLINES:
            return b""
        shapes = polygonize(_verdict.predicted_labels, _verdict.raster)
        plain = {"colour": drawing.MASK_COLOUR, "weight": 2, "title": "", "rows": []}
        return collection(drawing.outlines(shapes, _verdict.raster.crs, [plain] * len(shapes)))
    own = _verdict.diagnosis.components
    shown = np.arange(len(own.kind)) if style == OUTLINES else np.flatnonzero(own.kind != "good")
    if not len(shown):
        return b""
    properties = [_component(_verdict, int(i), style) for i in shown]
    return collection(drawing.outlines(component_shapes(_verdict, shown), _verdict.raster.crs, properties))


def _component(verdict: Verdict, i: int, style: str) -> dict[str, Any]:
    assert verdict.diagnosis is not None
    own = verdict.diagnosis.components
    area = ["Component", _area(own.area_m2[i])]
    if own.kind[i] == "false":
        colour = drawing.KIND_COLOURS["false"]
        rows = [area, ["On no building", _area(own.area_m2[i] * (1 - own.correctness[i]))]]
        told = {"colour": colour, "weight": 2, "title": drawing.KIND_TITLES["false"], "rows": rows}
    else:
        told = {"colour": drawing.TRUTH_COLOUR, "weight": 1, "dash": "4 3", "title": "", "rows": []}
        if own.kind[i] == "merger":
            rows = [["Buildings", f"{own.buildings[i]}"], area]
            told |= {"dot": drawing.KIND_COLOURS["merged"], "title": "Merger", "rows": rows}
    return told if style == OUTLINES else told | {"weight": 0}


def component_shapes(verdict: Verdict, indices: Sequence[int] | NDArray[np.intp]) -> list[BaseGeometry]:
    """The outlines of components of the diagnosis along pixel edges, in the CRS of the verdict's raster."""
    assert verdict.diagnosis is not None
    kept = np.zeros(len(verdict.diagnosis.components.kind) + 1, bool)
    kept[np.asarray(indices, int) + 1] = True
    polygons = polygonize(verdict.diagnosis.predicted.keep(kept).pixels(), verdict.raster)
    places = np.cumsum(kept[1:]) - 1  # those that are kept are numbered anew
    return [polygons[places[i]] for i in indices]


def collection(features: Sequence[Feature]) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")).encode()


def _area(area_m2: float) -> str:
    return f"{area_m2:,.0f} m²" if area_m2 >= 10 else f"{area_m2:.1f} m²"
