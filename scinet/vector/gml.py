"""Polygons of GML and CityGML files, without GDAL: its drivers for XML could be led to other files and addresses."""

import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from rasterio.crs import CRS
from rasterio.errors import CRSError

from scinet.errors import TruthError
from scinet.raster.crs_text import crs_from_text
from scinet.vector.kml import parse_xml

_MEMBERS = ("featureMember", "featureMembers", "member", "cityObjectMember")
_PATCHES = ("Polygon", "PolygonPatch", "Triangle", "Rectangle")
_ARCS = ("Arc", "ArcString", "Circle", "CircleByCenterPoint", "ArcByCenterPoint", "Bezier", "CubicSpline")
_LONLAT = CRS.from_epsg(4326)
# As the standard says of these; "EPSG:4326" is written for either order.
_AXES_OF_THE_CRS = re.compile(r"urn:|https?://www\.opengis\.net/def/crs/", re.IGNORECASE)


def gml_to_geojson(content: bytes, name: str) -> tuple[str, CRS | None]:
    """The polygons of a GML file as GeoJSON text, one feature per member, and their CRS (None: none is named).

    Coordinates are x before y (longitude first).

    Raises:
        TruthError: It is damaged, has curves, or names an unknown CRS or several.
    """
    root = parse_xml(content, name)
    if any(True for tag in _ARCS for _ in _all(root, tag)):
        raise TruthError(f"{name} has curves. Save it as a GeoPackage: ogr2ogr -nlt CONVERT_TO_LINEAR OUT.gpkg IN.")
    names = {element.attrib["srsName"] for element in root.iter() if "srsName" in element.attrib}
    try:
        crs_of = {text: _crs_of(text) for text in names}
    except CRSError:
        raise TruthError(f"{name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None
    if len({crs.to_wkt() for crs, _ in crs_of.values()}) > 1:
        raise TruthError(
            f"{name} has coordinates in several CRSs. Save it in one: ogr2ogr -t_srs EPSG:4326 OUT.gpkg IN."
        )
    is_swapped = any(swapped for _, swapped in crs_of.values())
    dimension = next((int(e.attrib["srsDimension"]) for e in root.iter() if "srsDimension" in e.attrib), 2)
    try:
        features = [
            {
                "type": "Feature",
                "properties": _attributes(member),
                "geometry": {"type": "MultiPolygon", "coordinates": polygons},
            }
            for member in _members(root)
            if (
                polygons := [
                    _rings(polygon, dimension, is_swapped) for tag in _PATCHES for polygon in _all(member, tag)
                ]
            )
        ]
    except (ValueError, IndexError):
        raise TruthError(f"{name} is damaged: its polygons cannot be read. Save it as GeoJSON.") from None
    crs = next(iter(crs_of.values()))[0] if crs_of else None
    return json.dumps({"type": "FeatureCollection", "features": features}), crs


def _crs_of(text: str) -> tuple[CRS, bool]:
    """A CRS and whether its coordinates are y before x."""
    if (old := re.fullmatch(r"https?://www\.opengis\.net/gml/srs/epsg\.xml#(\d+)", text)) is not None:
        return crs_from_text(f"EPSG:{old[1]}"), False
    if (compound := re.match(r"urn:ogc:def:crs,(crs:[^,]+),", text)) is not None:  # a horizontal and a vertical one
        text = f"urn:ogc:def:{compound[1]}"
    crs = crs_from_text(text)
    if not _AXES_OF_THE_CRS.match(text) or "CRS84" in text:
        return crs, False
    import pyproj

    first = pyproj.CRS.from_user_input(f"EPSG:{crs.to_epsg()}").axis_info[0] if crs.to_epsg() else None
    return crs, first is not None and first.direction == "north"


def _members(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The features: the children of members."""
    return [feature for tag in _MEMBERS for member in _all(root, tag) for feature in member] or list(root)


def _attributes(feature: ElementTree.Element) -> dict[str, str]:
    return {
        _tag(child): (child.text or "").strip()
        for child in feature
        if len(child) == 0 and (child.text or "").strip() and len(child.text or "") <= 500
    }


def _rings(polygon: ElementTree.Element, dimension: int, is_swapped: bool) -> list[list[list[float]]]:
    """The outer ring and the holes of a polygon."""
    found = []
    for side in ("exterior", "outerBoundaryIs", "interior", "innerBoundaryIs"):
        for boundary in _all(polygon, side):
            ring = _places(boundary, dimension)
            found.append([[place[1], place[0]] for place in ring] if is_swapped else [place[:2] for place in ring])
    return found


def _places(boundary: ElementTree.Element, dimension: int) -> list[list[float]]:
    for element in _all(boundary, "posList"):
        numbers = [float(number) for number in (element.text or "").split()]
        size = int(element.attrib.get("srsDimension", dimension))
        if size not in (2, 3) or len(numbers) % size:
            raise ValueError
        return [numbers[start : start + size] for start in range(0, len(numbers), size)]
    positions = [[float(number) for number in (element.text or "").split()] for element in _all(boundary, "pos")]
    if positions:
        return positions
    (text,) = [element.text or "" for element in _all(boundary, "coordinates")]
    return [[float(number) for number in place.split(",")] for place in text.split()]


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    """Descendants by tag, in any namespace."""
    return (found for found in element.iter() if _tag(found) == tag)
