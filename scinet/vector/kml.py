"""Polygons of KML files, without GDAL: its drivers for XML could be led to other files and addresses."""

import json
from collections.abc import Iterator
from xml.etree import ElementTree

from scinet import safe_xml
from scinet.errors import TruthError


def kml_to_geojson(content: bytes, name: str) -> str:
    """The polygons of a KML file as GeoJSON text: one feature per placemark.

    Raises:
        TruthError: It is damaged.
    """
    root = parse_xml(content, name)
    try:
        features = [
            {
                "type": "Feature",
                "properties": {},
                "geometry": {"type": "MultiPolygon", "coordinates": polygons},
            }
            for placemark in _all(root, "Placemark")
            if (polygons := [_rings(polygon) for polygon in _all(placemark, "Polygon")])
        ]
    except ValueError:
        raise TruthError(f"{name} is damaged: its polygons cannot be read. Save it as GeoJSON.") from None
    return json.dumps({"type": "FeatureCollection", "features": features})


def parse_xml(content: bytes, name: str) -> ElementTree.Element:
    """The root of an XML file. Raises TruthError where it is damaged or declares entities, which can grow for ever."""
    try:
        return safe_xml.parse_xml(content)
    except ValueError as error:
        if "entities" in str(error):
            raise TruthError(f"{name} declares entities, which are not read. Save it as GeoJSON.") from None
        raise TruthError(f"{name} is damaged: its polygons cannot be read. Save it as GeoJSON.") from None


def _rings(polygon: ElementTree.Element) -> list[list[list[float]]]:
    """The outer ring and the holes of a polygon, closed."""
    sides = [*_all(polygon, "outerBoundaryIs"), *_all(polygon, "innerBoundaryIs")]
    return [_coordinates(element.text or "") for side in sides for element in _all(side, "coordinates")]


def _coordinates(text: str) -> list[list[float]]:
    """Longitudes and latitudes of "lon,lat,height lon,lat,height ..."."""
    return [[float(value) for value in place.split(",")[:2]] for place in text.split()]


def _all(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    """Descendants by tag, in any namespace."""
    return (found for found in element.iter() if found.tag.rpartition("}")[2] == tag)
