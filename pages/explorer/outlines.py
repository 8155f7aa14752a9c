"""Outlines for the map as GeoJSON features, each with what its tooltip says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from shapely.geometry.base import BaseGeometry

from pages.explorer.runs import Verdict, truth_on
from pages.explorer.sources import Subject
from scinet import draw
from scinet.footprints import Footprints, polygonize
from scinet.raster import Raster

FILL, OUTLINES, PROBABILITY = "Fill", "Outlines", "Probability"
STYLES = (FILL, OUTLINES, PROBABILITY)

Feature = dict[str, Any]


def of_side(subject: Subject, raster: Raster, verdict: Verdict | None, style: str) -> list[Feature]:
    """What one side shows as lines: the mask's components below, the true buildings above them."""
    features = _components(verdict, style) if verdict is not None else []
    return features + (_buildings(subject, raster, verdict, style) if subject.truth is not None else [])


def truth_ids(subject: Subject, raster: Raster) -> NDArray[np.int32]:
    """The truth's labels that a working grid shows, in the order of the diagnosis, which numbers them anew."""
    labels = truth_on(subject, raster)
    return np.unique(labels[raster.valid & (labels > 0)])


def truth_shapes(subject: Subject, raster: Raster, ids: NDArray[np.int32]) -> tuple[list[BaseGeometry], CRS | None]:
    """The outlines of the truth's labels `ids` and their CRS: footprints as they are, masks along pixel edges."""
    if isinstance(subject.truth, Footprints):
        return [subject.truth.polygons[i - 1] for i in ids], subject.truth.crs
    labels = truth_on(subject, raster)
    polygons = polygonize(np.where(np.isin(labels, ids), labels, 0), raster)
    return [polygons[i - 1] for i in ids], raster.crs


def component_shapes(verdict: Verdict, indices: Sequence[int] | NDArray[np.intp]) -> list[BaseGeometry]:
    """The outlines of predicted components along pixel edges, in the CRS of the verdict's raster."""
    labels = verdict.predicted_labels
    kept = np.zeros(int(labels.max(initial=0)) + 1, bool)
    kept[np.asarray(indices, int) + 1] = True
    polygons = polygonize(np.where(kept[labels], labels, 0), verdict.raster)
    return [polygons[i] for i in indices]


def _buildings(subject: Subject, raster: Raster, verdict: Verdict | None, style: str) -> list[Feature]:
    shapes, crs = truth_shapes(subject, raster, truth_ids(subject, raster))
    weight = 2.5 if style == OUTLINES else 1.5
    if verdict is None or verdict.diagnosis is None:
        plain = {"colour": draw.TRUTH_COLOUR, "weight": weight, "title": "True building", "rows": []}
        return draw.outlines(shapes, crs, [plain] * len(shapes))
    buildings = verdict.diagnosis.buildings
    properties = []
    for i, kind in enumerate(buildings.kind):
        colour = draw.KIND_COLOURS[kind]
        rows = [
            ["Area", _area(buildings.area_m2[i])],
            ["Completeness", f"{buildings.completeness[i]:.0%}"],
            ["Pieces", f"{buildings.pieces[i]}"],
        ]
        if kind == "merged":
            rows.append(["Partners", f"{buildings.partners[i]}"])
        if buildings.holes_m2[i] > 0:
            rows.append(["Holes", _area(buildings.holes_m2[i])])
        line = draw.TRUTH_COLOUR if style == PROBABILITY else colour
        title = draw.KIND_TITLES[kind]
        properties.append({"colour": line, "dot": colour, "weight": weight, "title": title, "rows": rows})
    return draw.outlines(shapes, crs, properties)


def _components(verdict: Verdict, style: str) -> list[Feature]:
    """In outline style every component; else the wrong ones alone, unseen until the pointer is over them."""
    if verdict.diagnosis is None:
        if style != OUTLINES:
            return []
        shapes = polygonize(verdict.predicted_labels, verdict.raster)
        plain = {"colour": draw.MASK_COLOUR, "weight": 2, "title": "", "rows": []}
        return draw.outlines(shapes, verdict.raster.crs, [plain] * len(shapes))
    own = verdict.diagnosis.components
    shown = np.arange(len(own.kind)) if style == OUTLINES else np.flatnonzero(own.kind != "good")
    properties = []
    for i in shown:
        if own.kind[i] == "false":
            colour, line = draw.KIND_COLOURS["false"], {"colour": draw.KIND_COLOURS["false"], "weight": 2}
            title, rows = draw.KIND_TITLES["false"], [["Component", _area(own.area_m2[i])]]
            rows.append(["On no building", _area(own.area_m2[i] * (1 - own.correctness[i]))])
        else:
            colour, line = draw.KIND_COLOURS["merged"], {"colour": draw.TRUTH_COLOUR, "weight": 1, "dash": "4 3"}
            title, rows = "Merger", [["Buildings", f"{own.buildings[i]}"], ["Component", _area(own.area_m2[i])]]
            if own.kind[i] == "good":
                title, rows = "", []
        if style != OUTLINES:
            line["weight"] = 0
        properties.append({**line, "dot": colour, "title": title, "rows": rows})
    return draw.outlines(component_shapes(verdict, shown), verdict.raster.crs, properties)


def _area(area_m2: float) -> str:
    return f"{area_m2:,.0f} m²" if area_m2 >= 10 else f"{area_m2:.1f} m²"
