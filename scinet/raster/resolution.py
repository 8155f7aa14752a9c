"""Ground resolution: metres on the ground per pixel, whatever the CRS.

CRS units are not lengths on the ground: a degree of longitude shrinks towards the poles, web Mercator doubles
lengths at 60 degrees north, a wrong UTM zone stretches them by tens of per cent, feet are not metres. So
the pixel at the image's centre is measured along the ellipsoid instead.
"""

import math
from functools import lru_cache
from typing import SupportsFloat

import pyproj
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.errors import RasterError, ResolutionError

MIN_CM_PER_PX = 0.5
MAX_CM_PER_PX = 2000.0

# Ten geometric steps per decade, rounded to the preferred numbers of ISO 3 (series R10).
STEPS_CM_PER_PX: tuple[float, ...] = (
    2.0,
    2.5,
    3.15,
    4.0,
    5.0,
    6.3,
    8.0,
    10.0,
    12.5,
    16.0,
    20.0,
    25.0,
    31.5,
    40.0,
    50.0,
    63.0,
    80.0,
    100.0,
    125.0,
    160.0,
    200.0,
)

# Half the length that is measured, in pixels: long enough that the rounding of coordinates (1e-9 m) does not
# show on pixels of a centimetre, short enough that the scale at its ends is that of the centre.
_HALF_BASE_PX = 8.0

_NOT_ON_EARTH = (
    "The image's georeference does not lie on the earth, so its ground resolution is unknown. "
    "Correct its CRS or its coordinates."
)


def ground_metres_per_px(transform: Affine, crs: CRS | None, width: int, height: int) -> tuple[float, float]:
    """Ground size in metres of the pixel at the centre of an image of width x height px.

    Where `crs` is None the transform is taken to lead to metres in a plane.

    Returns:
        (x, y): the lengths of a step of one column and of one row, measured as geodesics on the ellipsoid of the CRS
        (Karney 2013, through PROJ), rotated and skewed transforms included.

    Raises:
        RasterError: The centre does not lie on the earth, or the transform is degenerate.
    """
    (x_east, x_north), (y_east, y_north) = _ground_steps(transform, crs, width, height)
    return math.hypot(x_east, x_north), math.hypot(y_east, y_north)


def ground_m2_per_px(transform: Affine, crs: CRS | None, width: int, height: int) -> float:
    """Ground area in m2 of the pixel at the centre of an image of width x height px.

    That is the product of `ground_metres_per_px` unless the pixel is skewed on the ground.

    Raises:
        RasterError: As in `ground_metres_per_px`.
    """
    (x_east, x_north), (y_east, y_north) = _ground_steps(transform, crs, width, height)
    return abs(x_east * y_north - x_north * y_east)


def has_place_on_earth(crs: CRS | None) -> bool:
    """Whether coordinates in this CRS have a longitude and latitude (an engineering CRS has none)."""
    if not crs:
        return False
    try:
        parsed = pyproj.CRS.from_wkt(crs.to_wkt())
    except ProjError:
        return False
    return parsed.geodetic_crs is not None and not parsed.is_geocentric


def local_metres(crs: CRS | None) -> float | None:
    """Metres per unit of a local (engineering) CRS, such as that of a building site; None for any other."""
    if not crs:
        return None
    try:
        parsed = pyproj.CRS.from_wkt(crs.to_wkt())
    except ProjError:
        return None
    if parsed.type_name != "Engineering CRS" or not parsed.axis_info or "unknown" in parsed.name.lower():
        return None
    return float(parsed.axis_info[0].unit_conversion_factor) or None


def parse_cm_per_px(value: object) -> float:
    """A resolution in ground centimetres per pixel from a number or a text such as "12.5".

    Raises:
        ResolutionError: It is not a number from 0.5 to 2000.
    """
    asked = f"Give the resolution as a number from {MIN_CM_PER_PX:g} to {MAX_CM_PER_PX:g} cm/px"
    if isinstance(value, bool) or not isinstance(value, str | SupportsFloat):
        raise ResolutionError(f"{asked}, not {_quoted(value)}.")
    try:
        cm_per_px = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ResolutionError(f"{asked}, not {_quoted(value)}.") from None
    if not MIN_CM_PER_PX <= cm_per_px <= MAX_CM_PER_PX:  # also false for nan
        raise ResolutionError(f"{asked}, not {cm_per_px:g}.")
    return cm_per_px


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


_Vector = tuple[float, float]


@lru_cache(maxsize=256)  # building PROJ's pipeline takes milliseconds, and pages ask on every redraw
def _ground_steps(transform: Affine, crs: CRS | None, width: int, height: int) -> tuple[_Vector, _Vector]:
    """What a step of one column and of one row is on the ground, each as (east, north) in metres."""
    if not all(map(math.isfinite, transform)) or transform.determinant == 0:
        raise RasterError("The image's georeference gives its pixels no area. Correct its transform.")
    if crs is None:
        return (transform.a, transform.d), (transform.b, transform.e)
    if not has_place_on_earth(crs):
        raise RasterError(
            "The image's CRS is a local one without a place on the earth. Give the image a geographic or projected CRS."
        )
    # To the longitudes and latitudes of the same datum: without a datum shift, so without grid files and jumps.
    source = pyproj.CRS.from_wkt(crs.to_wkt()).to_2d()
    lonlat = source.geodetic_crs
    assert lonlat is not None
    to_degrees = math.degrees(lonlat.axis_info[0].unit_conversion_factor)
    try:
        transformer = pyproj.Transformer.from_crs(source, lonlat, always_xy=True)
    except ProjError:
        raise RasterError(_NOT_ON_EARTH) from None
    geod = lonlat.get_geod()
    assert geod is not None

    def place(column: float, row: float) -> tuple[float, float]:
        longitude, latitude = (to_degrees * v for v in transformer.transform(*(transform @ (column, row))))
        # PROJ gives inf for what its projection cannot reach, and passes degrees on unchecked.
        if not (abs(longitude) <= 360.0 and abs(latitude) <= 90.0):
            raise RasterError(_NOT_ON_EARTH)
        return longitude, latitude

    def step(columns: float, rows: float) -> _Vector:
        start = place(width / 2 - _HALF_BASE_PX * columns, height / 2 - _HALF_BASE_PX * rows)
        end = place(width / 2 + _HALF_BASE_PX * columns, height / 2 + _HALF_BASE_PX * rows)
        azimuth, _, metres = geod.inv(*start, *end)
        metres_per_px, bearing = metres / (2 * _HALF_BASE_PX), math.radians(azimuth)
        return metres_per_px * math.sin(bearing), metres_per_px * math.cos(bearing)

    place(width / 2, height / 2)
    x, y = step(1, 0), step(0, 1)
    if not (math.hypot(*x) > 0 and math.hypot(*y) > 0):
        raise RasterError(_NOT_ON_EARTH)
    return x, y
