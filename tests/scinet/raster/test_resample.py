import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform as transform_points

from scinet.errors import ResolutionError
from scinet.raster.choice import ImageChoice
from scinet.raster.raster import Raster
from scinet.raster.resample import Upsampling, resample, resample_mask, resample_probability
from scinet.raster.resolution import STEPS_CM_PER_PX
from scinet.raster.scene import read_raster
from scinet.raster.web_mercator import to_web_mercator

UTM = CRS.from_epsg(32629)


def local(pixels: NDArray[Any], x_m: float = 0.1, y_m: float = 0.1, valid: NDArray[np.bool_] | None = None) -> Raster:
    """Grey (H, W) or RGB values as a raster in a local plane."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., np.newaxis], 3, axis=2)
    valid = np.ones(pixels.shape[:2], bool) if valid is None else valid
    return Raster(pixels.astype(np.uint8), valid, Affine(x_m, 0, 0, 0, -y_m, 0), None)


def noise(shape: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def centroid(raster: Raster) -> tuple[float, float]:
    """The centroid of what is brighter than 100, in CRS units."""
    grey = raster.pixels[..., 0].astype(float) - 100
    rows, columns = np.indices(grey.shape) + 0.5
    return raster.transform @ ((columns * grey).sum() / grey.sum(), (rows * grey).sum() / grey.sum())


# --- area means, against the definition


def area_mean(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Means over fractional boxes by way of the integral image, interpolated linearly (which is exact)."""
    integral = np.pad(values.astype(float).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    for axis, target in enumerate(shape):
        source = values.shape[axis]
        at = np.linspace(0, source, target + 1)
        low = np.minimum(at.astype(int), source - 1)
        part = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        integral = integral.take(low, axis) * (1 - part) + integral.take(low + 1, axis) * part
    boxes = np.diff(np.diff(integral, axis=0), axis=1)
    return boxes * (shape[0] * shape[1] / values.size)


@pytest.mark.parametrize("shape", [(40, 40), (37, 53), (128, 20)])
@pytest.mark.parametrize("cm_per_px", [11, 13.7, 20, 31.5, 99, 800])
def test_going_down_is_the_mean_over_the_area(shape: tuple[int, int], cm_per_px: float) -> None:
    values = noise(shape)
    small = resample(local(values), cm_per_px)
    assert np.abs(small.pixels[..., 0] - area_mean(values, small.shape)).max() <= 0.51


def test_one_number_for_the_whole_image() -> None:
    raster = resample(local(noise((10, 10))), 2000)
    assert raster.shape == (1, 1)
    assert abs(int(raster.pixels[0, 0, 0]) - noise((10, 10)).mean()) <= 0.5
    assert raster.cm_per_px == pytest.approx(100)


def test_a_checkerboard_turns_grey_without_aliasing() -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)
    for factor in (2, 4, 16):
        small = resample(local(board), 10 * factor)
        assert small.shape == (64 // factor, 64 // factor)
        assert (small.pixels == 100).all()
    uneven = resample(local(board), 33).pixels  # no multiple: still no coarse pattern
    assert np.abs(uneven.astype(int) - 100).max() < 25


@pytest.mark.parametrize("cm_per_px", STEPS_CM_PER_PX)
@pytest.mark.parametrize("upsampling", ["bilinear", "cubic"])
def test_flat_stays_flat_and_means_stay(cm_per_px: float, upsampling: Upsampling) -> None:
    flat = resample(local(np.full((70, 90), 137, np.uint8)), cm_per_px, upsampling=upsampling)
    assert (flat.pixels == 137).all()
    values = noise((70, 90)) // 2 + 64
    assert resample(local(values), cm_per_px, upsampling=upsampling).pixels.mean() == pytest.approx(
        values.mean(), abs=1
    )


# --- place


@pytest.mark.parametrize("cm_per_px", [2, 3.3, 9.9, 10.1, 14, 27, 50])
@pytest.mark.parametrize("rotation", [0, 30])
def test_a_dot_stays_where_it_is(cm_per_px: float, rotation: float) -> None:
    rows, columns = np.indices((120, 150))
    dot = np.rint(100 + 150 * np.exp(-((rows - 43.3) ** 2 + (columns - 88.8) ** 2) / 200)).astype(np.uint8)
    place = Affine.translation(300_000, 700_000) @ Affine.rotation(rotation) @ Affine(0.1, 0, 0, 0, -0.1, 0)
    raster = Raster(np.dstack([dot] * 3), np.ones(dot.shape, bool), place, UTM)
    for upsampling in ("bilinear", "cubic"):
        other = resample(raster, cm_per_px, upsampling=upsampling)
        shift_m = math.dist(centroid(raster), centroid(other))
        assert shift_m < 0.1 * min(0.1, cm_per_px / 100)


@pytest.mark.parametrize("shape", [(100, 100), (33, 71), (257, 64)])
@pytest.mark.parametrize("cm_per_px", [2.5, 7, 10, 12.5, 63, 200])
def test_the_extent_is_exact_and_the_pixel_the_nearest_that_divides_it(
    shape: tuple[int, int], cm_per_px: float
) -> None:
    raster = local(noise(shape))
    other = resample(raster, cm_per_px)
    for corner in ((0, 0), (0, 1), (1, 1)):
        ends = [r.transform @ (corner[0] * r.width, corner[1] * r.height) for r in (raster, other)]
        assert ends[0] == pytest.approx(ends[1], abs=1e-9)
    assert other.shape == tuple(max(1, round(side * 10 / cm_per_px)) for side in shape)
    assert other.notes == raster.notes


def test_the_same_resolution_changes_nothing() -> None:
    raster = local(noise((50, 50)))
    assert resample(raster, 10) is raster


def test_a_tile_at_two_metres() -> None:
    tile = local(noise((1024, 1024)), 0.0518, 0.0518)
    assert resample(tile, 200).shape == (27, 27)
    assert resample(tile, 204).shape == (26, 26)


def test_sides_with_their_own_resolution() -> None:
    # x goes down from 5 cm, y goes up from 20 cm.
    raster = local(noise((40, 160)), 0.05, 0.2)
    square = resample(raster, 10)
    assert square.shape == (80, 80)
    assert square.metres_per_px == pytest.approx((0.1, 0.1))
    columns = area_mean(raster.pixels[..., 0], (40, 80))
    assert np.abs(area_mean(square.pixels[..., 0], (1, 80)) - columns.mean(axis=0)).max() < 1.5


def test_ground_resolution_counts_rather_than_the_crs() -> None:
    # Web Mercator at 60 degrees north: 20 cm in the CRS are 10 cm on the ground.
    place = Affine(0.2, 0, 2_782_987, 0, -0.2, 8_399_738)
    raster = Raster(np.dstack([noise((100, 100))] * 3), np.ones((100, 100), bool), place, CRS.from_epsg(3857))
    assert resample(raster, 20).shape == (50, 50)


# --- interpolation


def test_bilinear_draws_straight_lines_and_cubic_parabolas() -> None:
    x = np.arange(40)
    ramp = local(np.tile(5 * x, (20, 1)))
    position = (np.arange(160) + 0.5) / 4 - 0.5
    for upsampling in ("bilinear", "cubic"):
        fine = resample(ramp, 2.5, upsampling=upsampling).pixels[40, 8:-8, 0]
        assert np.abs(fine - 5 * position[8:-8]).max() <= 0.51
    bowl = resample(local(np.tile((x - 20) ** 2 // 2, (20, 1))), 2.5, upsampling="cubic").pixels[40, :, 0]
    assert np.abs(bowl - (position - 20) ** 2 / 2)[12:-12].max() < 1.1  # its 8-bit samples are off by up to 0.5


def test_cubic_overshoot_is_clipped() -> None:
    step = local(np.tile(np.repeat([0, 255], 10), (20, 1)))
    fine = resample(step, 2.5, upsampling="cubic").pixels[40, :, 0].astype(int)
    assert fine.min() == 0
    assert fine.max() == 255
    assert (np.diff(fine) >= 0).all()  # a wrapped overshoot would fall


# --- nodata


@pytest.mark.parametrize("cm_per_px", [2.5, 6.3, 9.5, 11, 16, 25, 40, 63])
@pytest.mark.parametrize("upsampling", ["bilinear", "cubic"])
def test_nodata_does_not_bleed(cm_per_px: float, upsampling: Upsampling) -> None:
    rows, columns = np.indices((90, 110))
    valid = (columns > 37) & (rows + columns < 150)
    valid[40:43, 60:63] = False
    raster = local(np.where(valid, 255, 0), valid=valid)
    other = resample(raster, cm_per_px, upsampling=upsampling)
    assert 0 < other.valid.mean() < 1
    assert (other.pixels[other.valid] == 255).all()
    assert (other.pixels[~other.valid] == 0).all()
    assert other.valid.mean() == pytest.approx(valid.mean(), abs=0.03)


def test_valid_means_half_of_the_area() -> None:
    valid = np.zeros((8, 16), bool)
    valid[:4, :4] = valid[:, 4:8] = valid[:3, 8:12] = valid[:5, 12:] = True
    small = resample(local(np.full((8, 16), 90), valid=valid), 80)  # one row of two pixels
    assert small.valid.tolist() == [[True, True]]
    quarter = resample(local(np.full((8, 16), 90), x_m=0.2, valid=valid), 80)  # four pixels in x
    assert quarter.valid.tolist() == [[True, True, False, True]]


def test_stripes_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    valid = np.ones((130, 90), bool)
    valid[50:60, :40] = False
    raster = local(np.where(valid, noise((130, 90)), 0), valid=valid)
    for cm_per_px in (4, 13, 37):
        whole = resample(raster, cm_per_px)
        with monkeypatch.context() as patch:
            patch.setattr("scinet.raster.resample._STRIPE_VALUES", 2000)
            striped = resample(raster, cm_per_px)
        assert (whole.pixels == striped.pixels).all()
        assert (whole.valid == striped.valid).all()


# --- bad input


@pytest.mark.parametrize("cm_per_px", [0, -3, "ten", float("nan"), 1e9])
def test_resolutions_that_are_none(cm_per_px: Any) -> None:
    with pytest.raises(ResolutionError):
        resample(local(noise((20, 20))), cm_per_px)


def test_too_fine_for_the_memory_says_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scinet.raster.resample.MAX_PIXELS", 50_000)
    raster = local(noise((100, 103)))
    with pytest.raises(ResolutionError, match=r"Choose ([\d.]+) cm/px or more") as caught:
        resample(raster, 2)
    smallest = float(str(caught.value).split("Choose ")[1].split(" cm/px")[0])
    assert smallest == pytest.approx(10 * math.sqrt(100 * 103 / 50_000), rel=0.01)
    assert resample(raster, smallest).pixels[..., 0].size <= 50_000


# --- masks and probabilities


@pytest.mark.parametrize("shape", [(30, 60), (45, 20), (1, 1), (200, 301), (90, 120)])
def test_masks_take_the_pixel_that_holds_the_centre(shape: tuple[int, int]) -> None:
    labels = np.arange(90 * 120, dtype=np.int32).reshape(90, 120)
    found = resample_mask(labels, shape)
    assert found.dtype == np.int32
    rows = np.floor((np.arange(shape[0]) + 0.5) * 90 / shape[0]).astype(int)
    columns = np.floor((np.arange(shape[1]) + 0.5) * 120 / shape[1]).astype(int)
    assert (found == labels[rows][:, columns]).all()
    assert resample_mask(labels > 50, shape).dtype == np.bool_


def test_masks_go_up_and_come_back() -> None:
    mask = noise((50, 60)) > 128
    assert (resample_mask(resample_mask(mask, (150, 300)), (50, 60)) == mask).all()


@pytest.mark.parametrize("shape", [(30, 60), (45, 20), (1, 1), (200, 301), (90, 120), (45, 240)])
def test_probabilities_stay_between_0_and_1_and_keep_their_mean(shape: tuple[int, int]) -> None:
    probability = np.random.default_rng(0).random((90, 120), np.float32)
    other = resample_probability(probability, shape)
    assert other.dtype == np.float32
    assert other.shape == shape
    assert 0 <= other.min() <= other.max() <= 1
    assert other.mean() == pytest.approx(probability.mean(), abs=0.01)
    if shape[0] <= 90 and shape[1] <= 120:
        assert np.abs(other - area_mean(probability, shape)).max() < 1e-5


# --- the map


@pytest.mark.parametrize(
    ("crs", "place"),
    [
        (UTM, Affine(0.1, 0, 300_000, 0, -0.1, 700_000)),
        (UTM, Affine.translation(300_000, 700_000) @ Affine.rotation(40) @ Affine(0.1, 0, 0, 0, -0.1, 0)),
        (CRS.from_epsg(32636), Affine(0.14, 0, -4_886_507, 0, -0.14, 964_194)),  # the wrong zone
        (CRS.from_epsg(4326), Affine(1e-6, 0, 25, 0, -1e-6, 60)),
        (CRS.from_epsg(3857), Affine(0.2, 0, 2_782_987, 0, -0.2, 8_399_738)),
    ],
    ids=["utm", "rotated", "wrong-zone", "degrees", "web-mercator"],
)
@pytest.mark.parametrize("nearest", [True, False])
def test_a_dot_lies_at_its_longitude_and_latitude(crs: CRS, place: Affine, nearest: bool) -> None:
    dot = np.zeros((200, 300), np.uint8)
    dot[60:70, 210:220] = 255
    raster = Raster(np.dstack([dot] * 3), np.ones(dot.shape, bool), place, crs)
    warped, ((south, west), (north, east)) = to_web_mercator(dot, raster, nearest=nearest)
    assert warped.dtype == np.uint8
    x, y = place @ (215, 65)
    (longitude,), (latitude,) = transform_points(crs, CRS.from_epsg(4326), [x], [y])
    rows, columns = np.nonzero(warped > 127)
    found_lon = west + (columns.mean() + 0.5) / warped.shape[1] * (east - west)
    found_lat = north - (rows.mean() + 0.5) / warped.shape[0] * (north - south)
    pixel = (east - west) / warped.shape[1]
    assert abs(found_lon - longitude) < 0.6 * pixel
    assert abs(found_lat - latitude) < 0.6 * pixel


def test_map_images_keep_dtype_and_channels_and_have_a_largest_side() -> None:
    raster = Raster(
        np.dstack([noise((100, 300))] * 3), np.ones((100, 300), bool), Affine(0.1, 0, 3e5, 0, -0.1, 7e5), UTM
    )
    rgba = np.dstack([raster.pixels, np.full((100, 300), 255, np.uint8)])
    small, bounds = to_web_mercator(rgba, raster, max_px=90, nearest=False)
    assert small.shape[1:] == (90, 4)
    assert abs(small.shape[0] - 30) <= 2
    assert small[15, 45, 3] == 255
    mask, same = to_web_mercator(raster.valid, raster, nearest=True)
    assert mask.dtype == np.bool_
    assert same == bounds
    labels = np.arange(30_000, dtype=np.int32).reshape(100, 300)
    assert to_web_mercator(labels, raster, nearest=True)[0].max() > 29_000


def test_a_local_plane_lies_at_null_island() -> None:
    values = noise((50, 80))
    warped, bounds = to_web_mercator(values, local(values), nearest=True)
    assert (warped == values).all()
    metres_a_degree = 6_378_137 * math.pi / 180
    assert np.array(bounds) * metres_a_degree == pytest.approx(np.array([[-5, 0], [0, 8]]), abs=1e-6)


# --- real tiles


def test_a_real_tile_keeps_its_colours_at_every_step(data_dir: Path) -> None:
    path = min((data_dir / "images" / "accra").iterdir())
    tile = read_raster(path, cm_per_px=5.18, choice=ImageChoice(nodata=math.nan))  # its corner is a black collar
    for cm_per_px in (4.0, 6.3, 20.0, 100.0):
        other = resample(tile, cm_per_px)
        assert other.pixels.mean(axis=(0, 1)) == pytest.approx(tile.pixels.mean(axis=(0, 1)), abs=0.3)
        assert other.valid.all()


def test_at_its_own_resolution_an_image_stays_as_it_is() -> None:
    """Even in a projection whose pixels are not square on the ground: Web Mercator, 52.9 cm at Banepa."""
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    raster = Raster(
        pixels, np.ones((512, 512), bool), Affine(0.597, 0, 9_520_000, 0, -0.597, 3_199_000), CRS.from_epsg(3857)
    )
    x, y = raster.metres_per_px
    assert abs(x / y - 1) > 0.003
    assert resample(raster, raster.cm_per_px) is raster
