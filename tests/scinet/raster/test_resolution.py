import math

import numpy as np
import pyproj
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.errors import RasterError, ResolutionError
from scinet.raster.resolution import (
    STEPS_CM_PER_PX,
    ground_m2_per_px,
    ground_metres_per_px,
    has_place_on_earth,
    parse_cm_per_px,
)

MONROVIA = (-10.8, 6.3)
SIZE = 400, 300


def transform_at(crs: str, lonlat: tuple[float, float], unit_per_px: float) -> Affine:
    """North-up, with the image's centre at the given longitude and latitude."""
    to_crs = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_crs.transform(*lonlat)
    width, height = SIZE
    return Affine(unit_per_px, 0, x - unit_per_px * width / 2, 0, -unit_per_px, y + unit_per_px * height / 2)


def ground(crs: str, lonlat: tuple[float, float], unit_per_px: float) -> tuple[float, float]:
    return ground_metres_per_px(transform_at(crs, lonlat, unit_per_px), CRS.from_user_input(crs), *SIZE)


def test_utm_is_true_to_its_scale_factor_at_the_central_meridian() -> None:
    # The scale factor of UTM is 0.9996 there: 10 cm on the grid are a little more on the ground.
    x, y = ground("EPSG:32629", (-9.0, 6.3), 0.1)
    assert x == pytest.approx(0.1 / 0.9996, rel=1e-6)
    assert y == pytest.approx(0.1 / 0.9996, rel=1e-6)


def test_wrong_utm_zone_gives_the_same_ground_as_the_right_one() -> None:
    right, wrong = (CRS.from_epsg(code) for code in (32629, 32636))
    # Where one pixel's corners of the right zone lie in the wrong one.
    to_wrong = pyproj.Transformer.from_crs("EPSG:32629", "EPSG:32636", always_xy=True)
    t = transform_at("EPSG:32629", MONROVIA, 0.1)
    width, height = SIZE
    centre = t @ (width / 2, height / 2)
    origin, right_px, down_px = (
        np.array(to_wrong.transform(centre[0] + dx, centre[1] + dy)) for dx, dy in ((0, 0), (0.1, 0), (0, -0.1))
    )
    (a, d), (b, e) = right_px - origin, down_px - origin
    c, f = origin - (a * width / 2 + b * height / 2, d * width / 2 + e * height / 2)
    stored = Affine(a, b, c, d, e, f)
    assert math.hypot(a, d) / 0.1 == pytest.approx(1.38, abs=0.01)  # what the CRS's own metres would say
    expected = ground_metres_per_px(t, right, width, height)
    assert ground_metres_per_px(stored, wrong, width, height) == pytest.approx(expected, rel=1e-5)
    assert ground_m2_per_px(stored, wrong, width, height) == pytest.approx(math.prod(expected), rel=1e-4)


def test_web_mercator_doubles_lengths_at_60_degrees_north() -> None:
    x, y = ground("EPSG:3857", (25.0, 60.0), 0.1)
    assert x == pytest.approx(0.05, rel=3e-3)  # a sphere's Mercator on the ellipsoid: not exactly half
    assert y == pytest.approx(0.05, rel=3e-3)


def test_degrees_shrink_with_the_latitude() -> None:
    x, y = ground("EPSG:4326", (25.0, 60.0), 1e-6)
    assert x == pytest.approx(0.0558, rel=1e-3)
    assert y == pytest.approx(0.1114, rel=1e-3)
    at_equator = ground("EPSG:4326", (25.0, 0.0), 1e-6)
    assert at_equator == pytest.approx((0.11132, 0.11057), rel=1e-4)


@pytest.mark.parametrize(
    ("crs", "lonlat", "metres"),
    [("EPSG:2263", (-74.0, 40.7), 1200 / 3937), ("EPSG:27700", (-2.0, 52.0), 1.0)],  # US survey feet, metres
)
def test_feet_are_not_taken_for_metres(crs: str, lonlat: tuple[float, float], metres: float) -> None:
    assert ground(crs, lonlat, 1.0) == pytest.approx((metres, metres), rel=5e-4)


def test_grads_from_paris_are_not_taken_for_degrees_from_greenwich() -> None:
    # 100 grads are 90 degrees, and a degree along the meridian is 111.15 km there.
    _, y = ground("EPSG:4807", (2.3, 46.0), 1e-6)
    assert y == pytest.approx(0.9e-6 * 111_150, rel=1e-3)


@pytest.mark.parametrize("degrees", [0, 17, 90, 133, 270])
@pytest.mark.parametrize("crs", ["EPSG:32629", "EPSG:3857"])
def test_rotation_changes_nothing_in_a_conformal_crs(crs: str, degrees: float) -> None:
    t = transform_at(crs, MONROVIA, 0.2)
    width, height = SIZE
    to_centre = Affine.translation(width / 2, height / 2)
    rotated = t @ to_centre @ Affine.rotation(degrees) @ ~to_centre
    expected = ground_metres_per_px(t, CRS.from_user_input(crs), width, height)
    found = ground_metres_per_px(rotated, CRS.from_user_input(crs), width, height)
    assert found == pytest.approx(expected, rel=0.01 if crs == "EPSG:3857" else 1e-6)


def test_the_area_of_skewed_pixels_is_that_of_the_parallelogram() -> None:
    skewed = Affine(0.1, 0.1, 0, 0, -0.1, 0)
    assert ground_metres_per_px(skewed, None, *SIZE) == pytest.approx((0.1, 0.1 * math.sqrt(2)))
    assert ground_m2_per_px(skewed, None, *SIZE) == pytest.approx(0.01)
    placed = transform_at("EPSG:32629", (-9.0, 6.3), 0.1) @ Affine(1, 1, 0, 0, 1, 0)
    assert ground_m2_per_px(placed, CRS.from_epsg(32629), *SIZE) == pytest.approx(0.01 / 0.9996**2, rel=1e-4)


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (Affine(0.1, 0, 1e12, 0, -0.1, 1e12), "EPSG:32630"),
        (Affine(0.1, 0, 810_000, 0, -0.1, 620_000), "EPSG:4326"),  # UTM coordinates called degrees
        (Affine(0.1, 0, math.nan, 0, -0.1, 0), "EPSG:32630"),
        (Affine(0.1, 0, 0, 0, 0, 0), "EPSG:32630"),
        (Affine(0.1, 0, 5e5, 0, -0.1, 6e5), "EPSG:4978"),  # geocentric
        (Affine(0.1, 0, 5e5, 0, -0.1, 6e5), 'LOCAL_CS["a building site",UNIT["metre",1]]'),
    ],
)
def test_a_georeference_that_is_not_on_the_earth(transform: Affine, crs: str) -> None:
    with pytest.raises(RasterError, match=r"georeference|CRS"):
        ground_metres_per_px(transform, CRS.from_user_input(crs), *SIZE)


def test_has_place_on_earth() -> None:
    assert has_place_on_earth(CRS.from_epsg(32630))
    assert has_place_on_earth(CRS.from_epsg(4326))
    assert not has_place_on_earth(None)
    assert not has_place_on_earth(CRS())
    assert not has_place_on_earth(CRS.from_wkt('LOCAL_CS["a building site",UNIT["metre",1]]'))


@pytest.mark.parametrize("value", [10, 10.0, "10", " 10.0 ", np.float32(10), np.int64(10), "1e1"])
def test_parse_takes_numbers_and_their_texts(value: object) -> None:
    assert parse_cm_per_px(value) == 10.0


@pytest.mark.parametrize(
    "value",
    [
        0,
        "0",
        -5,
        0.49,
        2000.1,
        1e300,
        10**400,
        math.nan,
        math.inf,
        -math.inf,
        "nan",
        "inf",
        "",
        "ten",
        "5,2",
        "10 cm",
        None,
        True,
        b"10",
        [10],
        {},
        1j,
        np.array([1.0, 2.0]),
        "9" * 500,
    ],
)
def test_parse_refuses_the_rest_in_one_sentence(value: object) -> None:
    with pytest.raises(ResolutionError) as caught:
        parse_cm_per_px(value)
    assert "from 0.5 to 2000 cm/px" in str(caught.value)
    assert len(str(caught.value)) < 130


def test_steps_are_geometric_from_2_to_200() -> None:
    assert (STEPS_CM_PER_PX[0], STEPS_CM_PER_PX[-1]) == (2.0, 200.0)
    ratios = np.diff(np.log10(STEPS_CM_PER_PX))
    assert ratios == pytest.approx(np.full(20, 0.1), abs=0.008)
