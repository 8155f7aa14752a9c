"""Web Map Tile Services (OGC WMTS 1.0): their capabilities, and the addresses of their tiles."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from xml.etree.ElementTree import Element

import pyproj
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_bounds

from scinet.errors import RasterError
from scinet.raster.crs_text import crs_from_text
from scinet.raster.pyramid.decode import MAX_TILE_PX
from scinet.raster.pyramid.fetch import WebTiles
from scinet.raster.pyramid.matrix import MAX_ZOOM, Bounds, Matrix, Pyramid, intersection

FORMATS = ("image/png", "image/jpeg", "image/jpg", "image/webp")

_METRES_PER_PX = 0.00028  # of the screen that scale denominators mean
_METRES_PER_DEGREE = math.pi * 6_378_137 / 180
_LONLAT = CRS.from_epsg(4326)
_MOST_MATRICES = 60


@dataclass(frozen=True)
class _MatrixSet:
    """The matrices of a set, the finest first, with the names that the service has for them."""

    crs: CRS
    matrices: tuple[Matrix, ...]
    names: dict[int, str]


def open_wmts(root: Element, address: str, asked: dict[str, str], name: str) -> Pyramid:
    """The tiles of a layer.

    Args:
        root: The service's capabilities.
        address: Of the service, without a query.
        asked: The address's query, by lower-case keys: layer, tilematrixset and style choose among several.
        name: What to call it in a message.

    Raises:
        RasterError: The layer is missing or not chosen, or the capabilities are damaged.
    """
    layer = _chosen_layer(root, asked.get("layer"), name)
    try:
        found = _chosen_set(root, layer, asked.get("tilematrixset"), name)
        set_name, matrix_set = found
        bounds = _bounds(layer, matrix_set)
    except (ValueError, TypeError, OverflowError, AttributeError):
        raise RasterError(
            f"{name} describes its tiles in a way that cannot be read. Give the address of its tiles."
        ) from None
    template = _template(layer, address, set_name, asked, name)

    def tile(matrix: Matrix, column: int, row: int) -> str:
        values = {"TileMatrix": matrix_set.names[matrix.zoom], "TileRow": str(row), "TileCol": str(column)}
        url = template
        for key, value in values.items():
            url = url.replace("{" + key + "}", quote(value, safe=":"))
        return url

    return Pyramid(matrix_set.matrices, bounds, matrix_set.crs, WebTiles(name, tile))


def _chosen_layer(root: Element, asked: str | None, name: str) -> Element:
    layers = {identifier(layer): layer for layer in children(root, "Contents/Layer") if identifier(layer)}
    if asked is None and len(layers) == 1:
        return next(iter(layers.values()))
    if asked in layers:
        return layers[asked]
    shown = ", ".join(list(layers)[:10]) or "none"
    raise RasterError(f"{name} has these layers: {shown}. Choose one by adding layer=NAME to the address.")


def _chosen_set(root: Element, layer: Element, asked: str | None, name: str) -> tuple[str, _MatrixSet]:
    sets = {identifier(each): each for each in children(root, "Contents/TileMatrixSet")}
    links = [text(link, "TileMatrixSet") for link in children(layer, "TileMatrixSetLink")]
    names = [link for link in links if link in sets and asked in (None, link)]
    for each in names:
        try:
            return each, _matrix_set(sets[each])
        except CRSError:
            continue
    raise RasterError(f"{name} has no tile matrix set in a known CRS, or not the one that the address names.")


def _matrix_set(element: Element) -> _MatrixSet:
    crs_name = text(element, "SupportedCRS")
    crs = crs_from_text(crs_name)
    per_unit = _METRES_PER_DEGREE if crs.is_geographic else float(crs.linear_units_factor[1])
    first_axis = pyproj.CRS.from_wkt(crs.to_wkt()).axis_info[0].direction
    found = []
    for place, each in enumerate(children(element, "TileMatrix")[:_MOST_MATRICES]):
        units_per_px = float(text(each, "ScaleDenominator")) * _METRES_PER_PX / per_unit
        x, y = (float(value) for value in text(each, "TopLeftCorner").split())
        if first_axis == "north" and "CRS84" not in crs_name:
            x, y = y, x
        width, height, columns, rows = (
            int(text(each, tag)) for tag in ("TileWidth", "TileHeight", "MatrixWidth", "MatrixHeight")
        )
        sizes = all(1 <= side <= MAX_TILE_PX for side in (width, height))
        counts = all(1 <= count <= 2**MAX_ZOOM for count in (columns, rows))
        if not (sizes and counts and 0 < units_per_px < math.inf and math.isfinite(x) and math.isfinite(y)):
            raise ValueError
        matrix_name = identifier(each)
        digits = matrix_name.rpartition(":")[2]
        zoom = int(digits) if digits.isdecimal() and len(digits) < 3 else place
        found.append((Matrix(zoom, x, y, units_per_px, units_per_px, width, height, columns, rows), matrix_name))
    if not found:
        raise ValueError
    found.sort(key=lambda each: each[0].x_per_px)
    return _MatrixSet(crs, tuple(matrix for matrix, _ in found), {matrix.zoom: each for matrix, each in found})


def _bounds(layer: Element, matrix_set: _MatrixSet) -> Bounds:
    whole = matrix_set.matrices[0].bounds
    box = next(iter(children(layer, "WGS84BoundingBox")), None)
    if box is None:
        return whole
    west, south = (float(value) for value in text(box, "LowerCorner").split())
    east, north = (float(value) for value in text(box, "UpperCorner").split())
    try:
        found = transform_bounds(_LONLAT, matrix_set.crs, west, max(south, -85.05), east, min(north, 85.05))
    except RasterioError:
        return whole
    stated = found[0], found[1], found[2], found[3]
    return (intersection(stated, whole) if all(map(math.isfinite, stated)) else None) or whole


def _template(layer: Element, address: str, set_name: str, asked: dict[str, str], name: str) -> str:
    """The address of a tile, with places for its matrix, row and column."""
    styles = {identifier(style): style.get("isDefault") == "true" for style in children(layer, "Style")}
    style = asked.get("style") or next(
        (each for each, is_default in styles.items() if is_default), next(iter(styles), "")
    )
    formats = [(each.text or "").strip() for each in children(layer, "Format")]
    form = next((each for each in FORMATS if each in formats), None)
    if form is None:
        raise RasterError(f"{name} gives its tiles neither as PNG, JPEG nor WebP. Give another service.")
    values = {"Style": style, "TileMatrixSet": set_name, "Layer": identifier(layer)}
    values |= {identifier(each): text(each, "Default") for each in children(layer, "Dimension")}
    for resource in children(layer, "ResourceURL"):
        if resource.get("resourceType") == "tile" and resource.get("format") in (form, None):
            url = resource.get("template", "")
            for key, value in values.items():
                url = url.replace("{" + key + "}", quote(value, safe=":"))
            return url
    query = {"SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "FORMAT": form}
    query |= {key.upper(): value for key, value in values.items()}
    kept = {key: value for key, value in asked.items() if key not in OWN_KEYS}
    return f"{address}?{urlencode(kept | query)}&TILEMATRIX={{TileMatrix}}&TILEROW={{TileRow}}&TILECOL={{TileCol}}"


OWN_KEYS = (
    "service",
    "request",
    "version",
    "layer",
    "layers",
    "style",
    "styles",
    "tilematrixset",
    "format",
    "crs",
    "srs",
)


def children(element: Element, path: str) -> list[Element]:
    """The elements that a path of tags leads to, in any namespace."""
    first, _, rest = path.partition("/")
    found = [child for child in element if child.tag.rpartition("}")[2] == first]
    return [each for child in found for each in children(child, rest)] if rest else found


def text(element: Element, path: str) -> str:
    """The text of the first element that a path leads to; "" where there is none."""
    return next(((each.text or "").strip() for each in children(element, path)), "")


def identifier(element: Element) -> str:
    """Its ows:Identifier."""
    return text(element, "Identifier")


def descendants(element: Element, tag: str) -> Iterator[Element]:
    """Those with a tag, in any namespace."""
    return (found for found in element.iter() if found.tag.rpartition("}")[2] == tag)
