"""Tile Map Services (OSGeo TMS 1.0): a resource that describes its tiles, whose rows count from the south."""

import math
import re
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from rasterio.errors import CRSError

from scinet.errors import RasterError
from scinet.raster.crs_text import crs_from_text
from scinet.raster.pyramid.decode import MAX_TILE_PX
from scinet.raster.pyramid.fetch import WebTiles
from scinet.raster.pyramid.matrix import WEB_MERCATOR, Matrix, Pyramid
from scinet.raster.pyramid.wmts import children

_MERCATOR_NAMES = ("OSGEO:41001", "EPSG:900913")
_MOST_SETS = 60


def open_tms(root: Element, url: str, name: str) -> Pyramid:
    """The tiles that a tile map resource describes.

    Args:
        root: The resource.
        url: Its address.
        name: What to call it in a message.

    Raises:
        RasterError: It is damaged, or in an unknown CRS.
    """
    try:
        crs_name = (children(root, "SRS")[0].text or "").strip()
        crs = WEB_MERCATOR if crs_name in _MERCATOR_NAMES else crs_from_text(crs_name)
        box, origin, form = (children(root, tag)[0] for tag in ("BoundingBox", "Origin", "TileFormat"))
        west, south, east, north = (float(box.attrib[side]) for side in ("minx", "miny", "maxx", "maxy"))
        x, y = float(origin.attrib["x"]), float(origin.attrib["y"])
        width, height = int(form.attrib["width"]), int(form.attrib["height"])
        extension = form.attrib["extension"]
        sets = [
            (int(each.attrib["order"]), float(each.attrib["units-per-pixel"]), urljoin(url, each.attrib["href"]))
            for each in children(root, "TileSets/TileSet")[:_MOST_SETS]
        ]
        matrices = tuple(
            _matrix(order, per_px, (x, y), (east, north), (width, height))
            for order, per_px, _ in sorted(sets, key=lambda each: each[1])
        )
    except (CRSError, LookupError, ValueError, OverflowError):
        raise RasterError(
            f"{name} describes its tiles in a way that cannot be read. Give the address of its tiles."
        ) from None
    if not matrices or not (math.isfinite(west + south) and west < east and south < north):
        raise RasterError(f"{name} names no tiles. Give the address of its tiles: https://host/{{z}}/{{x}}/{{-y}}.png.")
    if not re.fullmatch(r"[A-Za-z]{3,4}", extension):
        raise RasterError(f"{name} gives its tiles neither as PNG, JPEG nor WebP. Give another service.")
    addresses = {order: href.rstrip("/") for order, _, href in sets}

    def tile(matrix: Matrix, column: int, row: int) -> str:
        return f"{addresses[matrix.zoom]}/{column}/{matrix.rows - 1 - row}.{extension}"

    return Pyramid(matrices, (west, south, east, north), crs, WebTiles(name, tile))


def _matrix(
    order: int, per_px: float, origin: tuple[float, float], far: tuple[float, float], size: tuple[int, int]
) -> Matrix:
    """The tiles from the origin, in the south-west, to the far corner. Raises ValueError for impossible numbers."""
    if not (0 < per_px < math.inf and all(1 <= side <= MAX_TILE_PX for side in size)):
        raise ValueError
    columns, rows = (
        max(1, math.ceil((end - begin) / (per_px * side) - 1e-9))
        for begin, end, side in zip(origin, far, size, strict=True)
    )
    return Matrix(order, origin[0], origin[1] + rows * size[1] * per_px, per_px, per_px, *size, columns, rows)
