"""Images on the map: warped to Web Mercator (EPSG:3857)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import reproject
from rasterio.warp import transform as transform_points

from scinet.errors import RasterError
from scinet.raster.raster import Raster

_WEB_MERCATOR = CRS.from_epsg(3857)

_LONLAT = CRS.from_epsg(4326)


def map_crs(raster: Raster) -> CRS:
    """The CRS in which a raster is drawn on a map.

    A raster without one is laid out at longitude and latitude 0, where web Mercator's metres are metres on
    the ground (to 0.7 %).
    """
    return raster.crs or _WEB_MERCATOR


def to_web_mercator(
    array: NDArray[Any], raster: Raster, *, max_px: int = 4096, nearest: bool
) -> tuple[NDArray[Any], list[list[float]]]:
    """Warp an array (H, W) or (H, W, C) on `raster`'s grid to EPSG:3857, for the map.

    Returns (array, [[south, west], [north, east]] in degrees). The array keeps its dtype (bool too) and about
    its resolution, with no side longer than `max_px`; outside the raster it is 0, so give RGBA where that
    must be transparent. `nearest` for masks and labels, else bilinear, averaged where it gets coarser.

    Raises:
        RasterError: The raster cannot be projected (at the poles).
    """
    crs = map_crs(raster)
    west, south, east, north = _extent_in_web_mercator(raster, crs)
    metres = math.hypot(east - west, north - south) / math.hypot(raster.width, raster.height)
    metres = max(metres, (east - west) / max_px, (north - south) / max_px)
    width, height = (max(1, min(max_px, round(side / metres))) for side in (east - west, north - south))
    planes = array[np.newaxis] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    source = np.ascontiguousarray(planes.astype(np.uint8) if array.dtype == np.bool_ else planes)
    warped = np.zeros((len(source), height, width), source.dtype)
    reproject(
        source,
        warped,
        src_transform=raster.transform,
        src_crs=crs,
        dst_transform=from_bounds(west, south, east, north, width, height),
        dst_crs=_WEB_MERCATOR,
        resampling=Resampling.nearest if nearest else Resampling.bilinear,
    )
    (left, right), (bottom, top) = transform_points(_WEB_MERCATOR, _LONLAT, [west, east], [south, north])
    result = warped[0] if array.ndim == 2 else np.moveaxis(warped, 0, -1)
    return result.astype(array.dtype), [[bottom, left], [top, right]]


def _extent_in_web_mercator(raster: Raster, crs: CRS) -> tuple[float, float, float, float]:
    """West, south, east, north in EPSG:3857, from points along the raster's edges (they may bend)."""
    along = np.linspace(0.0, 1.0, 33)
    x = np.concatenate([along, along, np.zeros(33), np.ones(33)]) * raster.width
    y = np.concatenate([np.zeros(33), np.ones(33), along, along]) * raster.height
    t = raster.transform
    xs, ys = transform_points(crs, _WEB_MERCATOR, t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f)
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        raise RasterError("The image lies too close to a pole for the map.")
    return min(xs), min(ys), max(xs), max(ys)
