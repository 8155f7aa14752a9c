"""Addresses of tiles with places for zoom, column and row, as web maps have them, and TileJSON, which lists them."""

import json
import math
import re
from dataclasses import replace

from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from scinet import web
from scinet.errors import RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid.decode import tile_size
from scinet.raster.pyramid.fetch import WebTiles
from scinet.raster.pyramid.matrix import (
    MAX_ZOOM,
    WEB_MERCATOR,
    Bounds,
    Matrix,
    Pyramid,
    intersection,
    web_mercator_matrix,
)

_LONLAT = CRS.from_epsg(4326)
_USUAL_PX = 256
_COARSER = 8  # zooms for the overview
_SOUTHERNMOST, _NORTHERNMOST = -85.05, 85.05
_PLACES = re.compile(r"\$?\{(z|x|y|-y|q|s|switch:[^}]*)\}")


def is_template(url: str) -> bool:
    """Whether an address has places for zoom, column and row, or for a quadkey."""
    found = {match[1] for match in _PLACES.finditer(url)}
    return ({"z", "x"} <= found and bool(found & {"y", "-y"})) or "q" in found


def open_template(url: str, name: str, choice: ImageChoice) -> Pyramid:
    """The tiles at an address such as https://host/{z}/{x}/{y}.png, where `choice` has the zoom and the bounds.

    Raises:
        RasterError: The zoom or the bounds are missing, or there is no tile.
    """
    if choice.zoom is None or not 0 <= choice.zoom <= MAX_ZOOM:
        raise RasterError(
            f"The address of {name} does not tell its finest zoom. Give one: --zoom 19 is about 30 cm/px at the "
            "equator, and each further zoom halves that."
        )
    if choice.bounds is None:
        raise RasterError(f"{name} shows the whole earth. Give the place: --bounds WEST SOUTH EAST NORTH, in degrees.")
    bounds = mercator_bounds(choice.bounds)
    if bounds is None:
        raise RasterError("The bounds lie too close to a pole for a web map. Give others.")
    return template_pyramid(url, name, bounds, max(0, choice.zoom - _COARSER), choice)


def open_tilejson(content: bytes, name: str, choice: ImageChoice) -> Pyramid | None:
    """The tiles that a TileJSON file lists; None for any other JSON. Raises RasterError where it is damaged."""
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or "tiles" not in facts:
        return None
    try:
        url, scheme = str(facts["tiles"][0]), str(facts.get("scheme", "xyz"))
        zooms = int(facts.get("minzoom", 0)), int(facts.get("maxzoom", MAX_ZOOM))
        lonlat = tuple(float(value) for value in facts.get("bounds", (-180, -85, 180, 85)))
    except (LookupError, TypeError, ValueError, OverflowError):
        raise RasterError(f"{name} is not a TileJSON file that can be read. Give the address of its tiles.") from None
    bounds = mercator_bounds(lonlat)
    if not is_template(url) or not web.is_url(url) or bounds is None or not 0 <= zooms[0] <= zooms[1] <= MAX_ZOOM:
        raise RasterError(f"{name} names no tiles, zooms or bounds that are possible. Give the address of its tiles.")
    if scheme == "tms":
        url = url.replace("{y}", "{-y}")
    if choice.zoom is None and "maxzoom" not in facts:
        return open_template(url, name, choice)
    return template_pyramid(
        url, name, bounds, zooms[0], replace(choice, zoom=zooms[1] if choice.zoom is None else choice.zoom)
    )


def mercator_bounds(lonlat: tuple[float, ...]) -> Bounds | None:
    """West, south, east and north in degrees as web Mercator; None where they bound nothing."""
    if len(lonlat) != 4 or not all(map(math.isfinite, lonlat)):
        return None
    west, south, east, north = lonlat[0], max(lonlat[1], _SOUTHERNMOST), lonlat[2], min(lonlat[3], _NORTHERNMOST)
    if not (-180 <= west < east <= 180 and south < north):
        return None
    try:
        found = transform_bounds(_LONLAT, WEB_MERCATOR, west, south, east, north)
    except RasterioError:
        return None
    return found[0], found[1], found[2], found[3]


def template_pyramid(url: str, name: str, bounds: Bounds, coarsest: int, choice: ImageChoice) -> Pyramid:
    """The tiles of an address within bounds, from the chosen zoom to the coarsest; one is fetched to learn its size."""
    finest = choice.zoom or 0
    url = url.replace("{y}", "{-y}") if choice.tms else url
    source = WebTiles(name, lambda matrix, column, row: _filled(url, matrix, column, row))
    asked = (
        bounds if choice.bounds is None else intersection(bounds, mercator_bounds(choice.bounds) or bounds) or bounds
    )
    matrix = web_mercator_matrix(finest, _USUAL_PX)
    left, top, right, bottom = matrix.box(asked)
    column, row = (min(int(px // _USUAL_PX), 2**finest - 1) for px in ((left + right) / 2, (top + bottom) / 2))
    found = next(source.tiles(matrix, range(column, column + 1), range(row, row + 1)), None)
    if found is None:
        raise RasterError(f"{name} has no tile in the middle of the place at zoom {finest}. Choose another: --zoom N.")
    width, height = tile_size(found[2], name)
    if width != height:
        raise RasterError(f"{name} has tiles of {width} x {height} px, which are not square, so they are not read.")
    zooms = range(finest, min(coarsest, finest) - 1, -1)
    return Pyramid(tuple(web_mercator_matrix(zoom, width) for zoom in zooms), bounds, WEB_MERCATOR, source)


def _filled(url: str, matrix: Matrix, column: int, row: int) -> str:
    """The address of a tile."""

    def value(match: re.Match[str]) -> str:
        what = match[1]
        if what == "s":
            return "a"
        if what.startswith("switch:"):
            return what.removeprefix("switch:").partition(",")[0]
        if what == "q":
            return quadkey(matrix.zoom, column, row)
        return str({"z": matrix.zoom, "x": column, "y": row, "-y": matrix.rows - 1 - row}[what])

    return _PLACES.sub(value, url)


def quadkey(zoom: int, column: int, row: int) -> str:
    """The name of a tile with one digit per zoom.

    Example:
        >>> quadkey(3, 3, 5)
        '213'
    """
    return "".join(str((column >> at & 1) + 2 * (row >> at & 1)) for at in range(zoom - 1, -1, -1))
