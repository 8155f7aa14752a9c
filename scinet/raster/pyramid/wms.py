"""Web Map Services (OGC WMS 1.1.1 and 1.3): pictures of any place, asked for as tiles of one resolution."""

import math
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from rasterio.transform import Affine

from scinet.errors import GsdMissingError, RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid.fetch import WebTiles
from scinet.raster.pyramid.matrix import HALF_WORLD_M, WEB_MERCATOR, Bounds, Matrix, Pyramid, intersection
from scinet.raster.pyramid.templates import mercator_bounds
from scinet.raster.pyramid.wmts import FORMATS, OWN_KEYS, children, descendants, text
from scinet.raster.resolution import ground_metres_per_px

_TILE_PX = 512
_COARSER = 8
_MERCATOR_NAMES = ("EPSG:3857", "EPSG:900913")


def open_wms(
    root: Element, address: str, asked: dict[str, str], name: str, cm_per_px: float | None, choice: ImageChoice
) -> Pyramid:
    """A layer of a service, in web Mercator.

    Args:
        root: The service's capabilities.
        address: Of the service, without a query.
        asked: The address's query, by lower-case keys: layers and styles choose among several.
        name: What to call it in a message.
        cm_per_px: The resolution to ask for, on the ground.
        choice: Its bounds; by default those of the layer.

    Raises:
        GsdMissingError: `cm_per_px` is None: a service has no resolution of its own.
        RasterError: The layer is missing, not chosen, or not given in web Mercator.
    """
    chain = _chosen_layer(root, asked.get("layers"), name)
    names = {
        (each.text or "").strip().upper() for layer in chain for tag in ("CRS", "SRS") for each in children(layer, tag)
    }
    crs_name = next((each for each in _MERCATOR_NAMES if each in " ".join(names).split()), None)
    if crs_name is None:
        raise RasterError(f"{name} does not give this layer in web Mercator (EPSG:3857). Choose another layer.")
    bounds = next((found for layer in reversed(chain) if (found := _stated(layer)) is not None), None)
    wanted = None if choice.bounds is None else mercator_bounds(choice.bounds)
    bounds = intersection(bounds, wanted) if bounds and wanted else wanted or bounds
    if bounds is None:
        raise RasterError(
            f"{name} has no image in these bounds. Give others: --bounds WEST SOUTH EAST NORTH, in degrees."
        )
    if cm_per_px is None:
        raise GsdMissingError(f"{name} gives pictures of any resolution. Give the one that its image has in cm/px.")
    matrices = _matrices(bounds, cm_per_px)
    is_13 = root.get("version", "1.3.0").startswith("1.3")
    query = {
        **{
            key: value
            for key, value in asked.items()
            if key not in (*OWN_KEYS, "transparent", "width", "height", "bbox")
        },
        "SERVICE": "WMS",
        "REQUEST": "GetMap",
        "VERSION": "1.3.0" if is_13 else "1.1.1",
        "LAYERS": text(chain[-1], "Name"),
        "STYLES": asked.get("styles", ""),
        "CRS" if is_13 else "SRS": crs_name,
        "FORMAT": _format(root, name),
        "TRANSPARENT": "TRUE",
        "WIDTH": str(_TILE_PX),
        "HEIGHT": str(_TILE_PX),
    }

    def tile(matrix: Matrix, column: int, row: int) -> str:
        place = matrix.bounds_of(range(column, column + 1), range(row, row + 1))
        return f"{address}?{urlencode(query)}&BBOX={','.join(map(repr, place))}"

    return Pyramid(matrices, bounds, WEB_MERCATOR, WebTiles(name, tile))


def _chosen_layer(root: Element, asked: str | None, name: str) -> list[Element]:
    """A layer after those that it is part of."""
    chains: dict[str, list[Element]] = {}

    def collect(layer: Element, above: list[Element]) -> None:
        chain = [*above, layer]
        if (layer_name := text(layer, "Name")) and len(chain) < 20:
            chains[layer_name] = chain
        for each in children(layer, "Layer") if len(chain) < 20 else ():
            collect(each, chain)

    for top in children(root, "Capability/Layer"):
        collect(top, [])
    leaves = [each for each, chain in chains.items() if not children(chain[-1], "Layer")]
    if asked is None and len(leaves) == 1:
        return chains[leaves[0]]
    if asked in chains:
        return chains[asked]
    shown = ", ".join(leaves[:10]) or "none"
    raise RasterError(f"{name} has these layers: {shown}. Choose one by adding layers=NAME to the address.")


def _stated(layer: Element) -> Bounds | None:
    """The bounds of a layer; None where it states none that are possible."""
    try:
        for box in children(layer, "EX_GeographicBoundingBox"):
            sides = ("westBoundLongitude", "southBoundLatitude", "eastBoundLongitude", "northBoundLatitude")
            return mercator_bounds(tuple(float(text(box, side)) for side in sides))
        for box in children(layer, "LatLonBoundingBox"):
            return mercator_bounds(tuple(float(box.get(side, "nan")) for side in ("minx", "miny", "maxx", "maxy")))
    except ValueError:
        pass
    return None


def _matrices(bounds: Bounds, cm_per_px: float) -> tuple[Matrix, ...]:
    """Matrices whose finest has so many ground centimetres per pixel in the middle of bounds."""
    west, south, east, north = bounds
    middle = Affine.translation((west + east) / 2, (south + north) / 2) @ Affine.scale(1, -1)
    ground_x, ground_y = ground_metres_per_px(middle, WEB_MERCATOR, 0, 0)
    finest = cm_per_px / 100 / math.sqrt(ground_x * ground_y)
    found = []
    for level in range(_COARSER + 1):
        per_px = finest * 2**level
        count = math.ceil(2 * HALF_WORLD_M / (per_px * _TILE_PX))
        found.append(
            Matrix(_COARSER - level, -HALF_WORLD_M, HALF_WORLD_M, per_px, per_px, _TILE_PX, _TILE_PX, count, count)
        )
    return tuple(found)


def _format(root: Element, name: str) -> str:
    offered = {(each.text or "").strip() for ask in descendants(root, "GetMap") for each in children(ask, "Format")}
    form = next((each for each in FORMATS if each in offered), None)
    if form is None:
        raise RasterError(f"{name} gives its pictures neither as PNG, JPEG nor WebP. Give another service.")
    return form
