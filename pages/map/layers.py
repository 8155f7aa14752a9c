"""Outlines for the map: reference buildings, the outcome for each, and the components of a mask, with tooltips.

Reference buildings have the same outlines at every resolution and in every mask: one file serves both sides and all
steps. Their outcomes are another, small file, which changes with the mask.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pages.app import drawing
from pages.app.measures import KIND_TITLES
from pages.app.runs import Result, truth_on, working_raster
from pages.app.state import cache
from pages.app.subject import Subject
from scinet.raster.raster import Raster
from scinet.vector.area import Area
from scinet.vector.footprints import Footprints, reproject
from scinet.vector.trace import polygonize

ERRORS, BUILDINGS, OUTLINES, PROBABILITY, DOUBT = "Errors", "Buildings", "Outlines", "Probability", "Doubt"
STYLES = (ERRORS, BUILDINGS, OUTLINES, PROBABILITY, DOUBT)
HEAT_MAPS = (PROBABILITY, DOUBT)  # they need the probability itself, not the mask alone
WITHOUT_OUTCOME = {"colour": drawing.TRUTH_COLOUR, "title": "Reference building", "rows": []}
OUTSIDE_AREA = {**WITHOUT_OUTCOME, "rows": [["Area of interest", "outside"]]}
TOO_SMALL = {**WITHOUT_OUTCOME, "rows": [["Area", "less than a pixel here"]]}

Feature = dict[str, Any]


def truth_ids(subject: Subject, raster: Raster) -> NDArray[np.int32]:
    """The reference labels that a grid shows, in the order of the diagnosis, which has numbers of its own."""
    labels = truth_on(subject, raster)
    return np.unique(labels[raster.valid & (labels > 0)])


def reference_buildings(subject: Subject) -> bytes:
    """The outlines of all reference buildings on the image, each with its `id`, as GeoJSON."""
    return cache("map").get_or_make(("reference", subject.key), lambda: _reference_buildings(subject), len)


def _reference_buildings(subject: Subject) -> bytes:
    """Footprints within the image, masks along the pixel edges of the native grid."""
    raster = subject.raster
    ids = truth_ids(subject, raster)
    buildings = subject.truth.buildings if subject.truth is not None else None
    if isinstance(buildings, Footprints):
        polygons, crs = _within(buildings, raster), buildings.crs
    else:
        polygons, crs = tuple(polygonize(truth_on(subject, raster), raster.transform)), raster.crs
    return collection(drawing.outlines([polygons[i - 1] for i in ids], crs, [{"id": int(i)} for i in ids], raster))


def _within(buildings: Footprints, raster: Raster) -> Sequence[BaseGeometry]:
    """Footprints, cut off where the image ends."""
    width, height = raster.width, raster.height
    corners = [raster.transform @ corner for corner in ((0, 0), (width, 0), (width, height), (0, height))]
    extent = shapely.Polygon(corners)
    extent = shapely.segmentize(extent, extent.length / 100)  # its edges are curves in another CRS
    if raster.crs is not None and buildings.crs is not None:
        extent = reproject(np.array([extent], dtype=object), raster.crs, buildings.crs)[0]
    polygons = np.array(buildings.polygons, dtype=object)
    return list(np.where(shapely.covers(extent, polygons), polygons, shapely.intersection(polygons, extent)))


def area_outline(subject: Subject, area: Area) -> bytes:
    """The outline of the area of interest, as GeoJSON."""

    def make() -> bytes:
        polygons = area.polygons
        return collection(
            drawing.outlines(polygons.polygons, polygons.crs, [{}] * len(polygons.polygons), subject.raster)
        )

    return cache("map").get_or_make(("area", subject.key, area.key), make, len)


def reference_building(subject: Subject, building: int) -> Feature:
    """The outline of one of them."""
    features: list[Feature] = json.loads(reference_buildings(subject))["features"]
    return next(feature for feature in features if feature["properties"]["id"] == building)


def outcomes(subject: Subject, result: Result) -> bytes:
    """The outcome of each reference building in a mask, by its `id`: colour, title and rows of the tooltip, as JSON."""
    return cache("map").get_or_make(("outcomes", *result.key), lambda: _outcomes(subject, result), len)


def _outcomes(subject: Subject, result: Result) -> bytes:
    assert result.evaluation.diagnosis is not None
    buildings = result.evaluation.diagnosis.buildings
    everywhere = truth_ids(subject, working_raster(subject, result.run.task.cm_per_px))
    by_id = {int(building): OUTSIDE_AREA for building in everywhere} if subject.area is not None else {}
    for i, building in enumerate(truth_ids(subject, result.evaluation.raster)):
        kind = buildings.kind[i]
        rows = [
            ["Area", _area(buildings.area_m2[i])],
            ["Completeness", f"{buildings.completeness[i]:.0%}"],
            ["Pieces", f"{buildings.pieces[i]}"],
        ]
        if kind == "merged":
            rows.append(["Merged with", f"{buildings.partners[i]}"])
        if buildings.holes_m2[i] > 0:
            rows.append(["Holes", _area(buildings.holes_m2[i])])
        by_id[int(building)] = {"colour": drawing.KIND_COLOURS[kind], "title": KIND_TITLES[kind], "rows": rows}
    return json.dumps(by_id, separators=(",", ":")).encode()


def components(style: str, result: Result) -> bytes:
    """The outlines of a mask's components, as GeoJSON; empty if there are none.

    In the style "Outlines" all components; else only the wrong ones, invisible until the pointer is over them.
    """
    return cache("map").get_or_make(
        ("components", style == OUTLINES, *result.key), lambda: _components(style, result), len
    )


def _components(style: str, result: Result) -> bytes:
    raster = result.evaluation.raster
    if result.evaluation.diagnosis is None:
        if style != OUTLINES:
            return b""
        shapes = polygonize(result.evaluation.predicted_labels, raster.transform)
        plain = {"colour": drawing.MASK_COLOUR, "weight": 2, "title": "", "rows": []}
        return collection(drawing.outlines(shapes, raster.crs, [plain] * len(shapes), raster))
    kinds = result.evaluation.diagnosis.components.kind
    shown = np.arange(len(kinds)) if style == OUTLINES else np.flatnonzero(kinds != "good")
    if not len(shown):
        return b""
    properties = [_component(result, int(i), style) for i in shown]
    return collection(drawing.outlines(component_shapes(result, shown), raster.crs, properties, raster))


def _component(result: Result, i: int, style: str) -> dict[str, Any]:
    """The properties of a component's outline: its line, and title and rows of its tooltip."""
    assert result.evaluation.diagnosis is not None
    found = result.evaluation.diagnosis.components
    area = ["Component", _area(found.area_m2[i])]
    if found.kind[i] == "false":
        colour = drawing.KIND_COLOURS["false"]
        rows = [area, ["Outside buildings", _area(found.area_m2[i] * (1 - found.correctness[i]))]]
        properties = {"colour": colour, "weight": 2, "title": KIND_TITLES["false"], "rows": rows}
    else:
        properties = {"colour": drawing.TRUTH_COLOUR, "weight": 1, "dash": "4 3", "title": "", "rows": []}
        if found.kind[i] == "merger":
            rows = [["Buildings", f"{found.buildings[i]}"], area]
            properties |= {"dot": drawing.KIND_COLOURS["merged"], "title": "Merged component", "rows": rows}
    return properties if style == OUTLINES else properties | {"weight": 0}


def component_shapes(result: Result, indices: Sequence[int] | NDArray[np.intp]) -> list[BaseGeometry]:
    """The outlines of components of the diagnosis along pixel edges, in the CRS of the evaluation's raster."""
    assert result.evaluation.diagnosis is not None
    kept = np.zeros(len(result.evaluation.diagnosis.components.kind) + 1, bool)
    kept[np.asarray(indices, int) + 1] = True
    polygons = polygonize(result.evaluation.diagnosis.predicted.keep(kept).pixels(), result.evaluation.raster.transform)
    places = np.cumsum(kept[1:]) - 1  # those that are kept have new numbers
    return [polygons[places[i]] for i in indices]


def collection(features: Sequence[Feature]) -> bytes:
    """Features as a GeoJSON file."""
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")).encode()


def _area(area_m2: float) -> str:
    return f"{area_m2:,.0f} m²" if area_m2 >= 10 else f"{area_m2:.1f} m²"
