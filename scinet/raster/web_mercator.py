"""Images on the map: warped to Web Mercator (EPSG:3857)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine, from_bounds
from rasterio.warp import reproject
from rasterio.warp import transform as transform_points

from scinet.errors import RasterError
from scinet.raster.raster import Raster

_WEB_MERCATOR = CRS.from_epsg(3857)

_LONLAT = CRS.from_epsg(4326)
_RADIUS_M = 6_378_137.0
_MERCATOR = "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0={} +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +no_defs"
_HALF_TURN = 180.0
_POLAR = 88.0


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
    place, crs, target, longitude_0 = _frame(raster)
    west, south, east, north = _extent(raster, place, crs, target)
    metres = math.hypot(east - west, north - south) / math.hypot(raster.width, raster.height)
    metres = max(metres, (east - west) / max_px, (north - south) / max_px)
    width, height = (max(1, min(max_px, round(side / metres))) for side in (east - west, north - south))
    planes = array[np.newaxis] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    source = np.ascontiguousarray(planes.astype(np.uint8) if array.dtype == np.bool_ else planes)
    warped = np.zeros((len(source), height, width), source.dtype)
    reproject(
        source,
        warped,
        src_transform=place,
        src_crs=crs,
        dst_transform=from_bounds(west, south, east, north, width, height),
        dst_crs=target,
        resampling=Resampling.nearest if nearest else Resampling.bilinear,
    )
    (left, right), (bottom, top) = _degrees([west, east], longitude_0), _latitudes([south, north])
    result = warped[0] if array.ndim == 2 else np.moveaxis(warped, 0, -1)
    return result.astype(array.dtype), [[bottom, left], [top, right]]


def near_map(longitudes: NDArray[np.float64], raster: Raster) -> NDArray[np.float64]:
    """Longitudes on the map of a raster: beyond 180 degrees where the raster lies across it."""
    _, _, _, longitude_0 = _frame(raster)
    return longitudes if longitude_0 is None else longitudes + 360 * np.round((longitude_0 - longitudes) / 360)


def _frame(raster: Raster) -> tuple[Affine, CRS, CRS, float | None]:
    """The transform and CRS of a raster, the CRS of its map, and the longitude that is the map's middle.

    The last is None but where the raster lies across 180 degrees.
    """
    crs = map_crs(raster)
    xs, ys = _edges(raster, raster.transform)
    longitudes, _ = (np.array(values) for values in transform_points(crs, _LONLAT, xs, ys))
    is_across = crs.is_geographic and np.abs(xs).max() > _HALF_TURN
    if np.isfinite(longitudes).all() and not is_across and np.ptp(longitudes) <= _HALF_TURN:
        return raster.transform, crs, _WEB_MERCATOR, None
    if abs(_latitude_of_centre(raster, crs)) > _POLAR:  # all meridians meet
        return raster.transform, crs, _WEB_MERCATOR, None
    if crs.is_geographic:  # where it is, without a jump: longitudes count from its own centre
        longitude_0 = float(xs.mean())
        return Affine.translation(-longitude_0, 0) @ raster.transform, crs, _WEB_MERCATOR, longitude_0
    if crs == _WEB_MERCATOR:
        x_0 = float(xs.mean())
        return Affine.translation(-x_0, 0) @ raster.transform, crs, crs, math.degrees(x_0 / _RADIUS_M)
    longitude_0 = float((longitudes % 360).mean())
    return raster.transform, crs, CRS.from_user_input(_MERCATOR.format(longitude_0)), longitude_0


def _latitude_of_centre(raster: Raster, crs: CRS) -> float:
    x, y = raster.transform @ (raster.width / 2, raster.height / 2)
    _, (latitude,) = transform_points(crs, _LONLAT, [x], [y])
    return float(latitude)


def _degrees(xs: list[float], longitude_0: float | None) -> tuple[float, ...]:
    if longitude_0 is None:
        return tuple(transform_points(_WEB_MERCATOR, _LONLAT, xs, [0.0] * len(xs))[0])
    return tuple(longitude_0 + math.degrees(x / _RADIUS_M) for x in xs)


def _latitudes(ys: list[float]) -> tuple[float, ...]:
    return tuple(transform_points(_WEB_MERCATOR, _LONLAT, [0.0] * len(ys), ys)[1])


def _edges(raster: Raster, place: Affine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of points along a raster's edges, which may bend."""
    along = np.linspace(0.0, 1.0, 33)
    x = np.concatenate([along, along, np.zeros(33), np.ones(33)]) * raster.width
    y = np.concatenate([np.zeros(33), np.ones(33), along, along]) * raster.height
    return place.a * x + place.b * y + place.c, place.d * x + place.e * y + place.f


def _extent(raster: Raster, place: Affine, crs: CRS, target: CRS) -> tuple[float, float, float, float]:
    """West, south, east, north in the CRS of the map."""
    xs, ys = transform_points(crs, target, *_edges(raster, place))
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        raise RasterError("The image lies too close to a pole for the map.")
    return min(xs), min(ys), max(xs), max(ys)
