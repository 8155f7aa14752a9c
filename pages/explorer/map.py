"""The swiped map: what lies on its two sides, sent to the Leaflet page in pages/leaflet."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
import streamlit.components.v1 as components
from streamlit import runtime

from pages.explorer.runs import Verdict, truth_on
from pages.explorer.sources import Subject
from scinet import draw
from scinet.footprints import Footprints, polygonize
from scinet.raster import Raster

CHROME_PX = 400  # height of all but the map, so that the page fits a window
FILL, OUTLINES = "Fill", "Outlines"
STYLES = (FILL, OUTLINES)

_leaflet = components.declare_component("scinet_map", path=str(Path(__file__).parents[1] / "leaflet"))


def show_map(
    subject: Subject, raster: Raster, left: Verdict | None, right: Verdict | None, style: str, threshold: float
) -> None:
    """The map of a subject at a working resolution; a side without a verdict shows the image alone."""
    base, bounds = _image(subject.key, raster.shape, raster)
    sides: dict[str, Any] = {}
    for side, verdict in (("left", left), ("right", right)):
        image = {"url": _serve(base, "image/webp", f"{side}-base"), "bounds": bounds, "alt": "image"}
        features = _features(_key(subject, verdict, threshold), style, subject, verdict, raster)
        sides[side] = {
            "title": verdict.card.title if verdict else "Image",
            "base": image,
            "overlay": None,
            "outlines": _serve(features, "application/json", f"{side}-outlines") if features else None,
        }
        if verdict is not None and style == FILL:
            overlay, place = _overlay(_key(subject, verdict, threshold), verdict)
            url = _serve(overlay, "image/png", f"{side}-overlay")
            sides[side]["overlay"] = {"url": url, "bounds": place, "alt": f"mask of {verdict.card.title}"}
    with st.container(key="map_frame"):
        _leaflet(
            frame={"id": subject.key, "crs": "Simple" if raster.crs is None else "EPSG3857", "bounds": bounds},
            legend=_legend(subject, left, right),
            chrome_px=CHROME_PX,
            key="map",
            **sides,
        )


def _key(subject: Subject, verdict: Verdict | None, threshold: float) -> tuple[object, ...]:
    if verdict is None:
        return (subject.key,)
    return (verdict.run_key, threshold)


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


def _truth_outlines(
    subject: Subject, verdict: Verdict | None, raster: Raster, *, thin: bool
) -> list[dict[str, Any]]:
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


def _serve(data: bytes, mimetype: str, place: str) -> str:
    """A URL for the map's frame: a file of the app's server, which a step resends in 7 kB, else a data URI.

    Streamlit's media files are its own affair and may change: this is the one place that uses them.
    """
    try:
        url = runtime.get_instance().media_file_mgr.add(data, mimetype, f"map-{place}")
    except (RuntimeError, AttributeError):
        return f"data:{mimetype};base64,{base64.b64encode(data).decode()}"
    return "../.." + url  # the frame lives at component/<name>/index.html
