"""Pictures of masks and errors: classes, palettes, where they lie on the map, outlines."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from rasterio.transform import Affine
from shapely import box
from shapely.geometry import shape

from pages.app import drawing
from scinet.evaluation.diagnose import diagnose
from scinet.raster.raster import Raster


def plain(height: int, width: int, metres_per_px: float = 0.5) -> Raster:
    """A grey image without a CRS."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    return Raster(pixels, np.ones((height, width), bool), Affine(metres_per_px, 0, 0, 0, -metres_per_px, 0), None)


def test_every_pixel_gets_the_class_of_its_building_or_error() -> None:
    truth = np.zeros((12, 30), bool)
    truth[2:8, 2:8] = truth[2:8, 10:16] = truth[2:8, 20:26] = True
    prediction = np.zeros_like(truth)
    prediction[2:8, 2:16] = True  # fuses the first two, the third is missed
    prediction[10:12, 28:30] = True  # no building
    classes = drawing.error_classes(diagnose(truth, prediction, pixel_area_m2=1.0), prediction)
    names = np.array(["none", *drawing.KINDS])[classes]
    assert set(names[2:8, 2:8].flat) == {"merged"}
    assert set(names[2:8, 8:10].flat) == {"false"}  # what fuses them
    assert set(names[2:8, 20:26].flat) == {"missed"}
    assert set(names[10:12, 28:30].flat) == {"false"}
    assert names[0, 0] == "none"


def test_pixels_are_right_missed_or_invented_whatever_their_building() -> None:
    truth = np.zeros((12, 30), bool)
    truth[2:8, 2:8] = truth[2:8, 10:16] = truth[2:8, 20:26] = True
    prediction = np.zeros_like(truth)
    prediction[2:8, 2:16] = True  # fuses the first two, the third is missed
    classes = drawing.pixel_classes(diagnose(truth, prediction, pixel_area_m2=1.0), prediction)
    names = np.array(["none", *drawing.PIXEL_COLOURS])[classes]
    assert (names[truth & prediction] == "right").all() and (names[truth & ~prediction] == "missed").all()
    assert (names[prediction & ~truth] == "invented").all() and (names[~prediction & ~truth] == "none").all()


def test_a_missed_part_of_a_found_building_is_missed() -> None:
    truth = np.zeros((10, 10), bool)
    truth[2:8, 2:8] = True
    prediction = truth.copy()
    prediction[2:8, 7] = False
    classes = drawing.error_classes(diagnose(truth, prediction, pixel_area_m2=1.0), prediction)
    assert drawing.KINDS[classes[3, 3] - 1] == "found" and drawing.KINDS[classes[3, 7] - 1] == "missed"


def test_the_colours_of_kinds_and_shares_agree_and_differ_from_one_another() -> None:
    assert len(set(drawing.KIND_COLOURS.values())) == len(drawing.KINDS)
    assert drawing.SHARE_COLOURS["merging"] == drawing.KIND_COLOURS["merged"]
    assert drawing.SHARE_COLOURS["fragmentation"] == drawing.KIND_COLOURS["fragmented"]
    assert drawing.SHARE_COLOURS["omission"] == drawing.KIND_COLOURS["missed"]
    assert drawing.SHARE_COLOURS["false_area"] == drawing.KIND_COLOURS["false"]


def test_a_class_image_is_a_small_png_with_its_colours() -> None:
    classes = np.zeros((64, 64), np.uint8)
    classes[10:20, 10:20] = 2
    data = drawing.encode_classes(classes, ["#102030", "#405060"], opacity=0.5)
    rgba = np.asarray(Image.open(BytesIO(data)).convert("RGBA"))
    assert tuple(rgba[15, 15]) == (0x40, 0x50, 0x60, 128) and rgba[0, 0, 3] == 0
    assert len(data) < 400


def test_an_image_without_a_crs_lies_in_metres() -> None:
    data, bounds = drawing.image_for_map(plain(20, 40))
    assert bounds == [[-10.0, 0.0], [0.0, 20.0]]
    assert Image.open(BytesIO(data)).size == (40, 20)


def test_a_large_image_is_drawn_smaller() -> None:
    data, bounds = drawing.image_for_map(plain(300, 500), max_px=200)
    assert max(Image.open(BytesIO(data)).size) <= 200
    assert bounds == [[-150.0, 0.0], [0.0, 250.0]]


def test_only_an_image_with_nodata_needs_a_file_with_transparency() -> None:
    raster = plain(20, 40)
    assert drawing.mime_type(drawing.image_for_map(raster)[0]) == "image/jpeg"
    raster.valid[:5] = False
    assert drawing.mime_type(drawing.image_for_map(raster)[0]) == "image/webp"


def test_nodata_is_transparent_and_image_and_mask_share_their_place(noise_raster: Raster) -> None:
    noise_raster.valid[:48] = False
    data, bounds = drawing.image_for_map(noise_raster)
    alpha = np.asarray(Image.open(BytesIO(data)))[..., 3]
    height, width = alpha.shape
    assert alpha[height // 4, width // 2] == 0 and alpha[3 * height // 4, width // 2] == 255
    classes = np.ones(noise_raster.shape, np.uint8)
    mask, place = drawing.classes_for_map(classes, noise_raster, ["#ffffff"])
    assert np.allclose(bounds, place) and Image.open(BytesIO(mask)).size == (width, height)


def test_outlines_of_an_image_with_crs_are_in_degrees(noise_raster: Raster) -> None:
    left, top = noise_raster.transform @ (0, 0)
    (feature,) = drawing.outlines([box(left, top - 5, left + 5, top)], noise_raster.crs, [{"title": "a"}])
    _, bounds = drawing.image_for_map(noise_raster)
    west, _, _, north = shape(feature["geometry"]).bounds
    assert (north, west) == pytest.approx((bounds[1][0], bounds[0][1]), abs=2e-6)
    assert feature["properties"] == {"title": "a"}


def test_outlines_without_crs_stay_and_none_are_none() -> None:
    (feature,) = drawing.outlines([box(1, -3, 2, -1)], None, [{}])
    assert shape(feature["geometry"]).equals(box(1, -3, 2, -1))
    assert drawing.outlines([], None, []) == []


def test_pixels_of_a_small_mask_stay_square() -> None:
    mask = np.zeros((16, 16), bool)
    mask[4:8, 4:8] = True
    large = np.asarray(Image.open(BytesIO(drawing.mask_picture(mask, min_px=64))))
    assert large.shape == (64, 64) and large.sum() == 16 * 16


def test_a_heat_map_is_clear_near_0_and_brightens_towards_1() -> None:
    probability = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    data, bounds = drawing.probability_for_map(probability, plain(64, 64))
    assert bounds == [[-32.0, 0.0], [0.0, 32.0]]
    image = Image.open(BytesIO(data))
    assert image.mode == "P" and len(data) < 2000
    rgba = np.asarray(image.convert("RGBA"))[0].astype(int)
    alpha = rgba[:, 3]
    assert alpha[0] == 0 and (np.diff(alpha) >= 0).all() and alpha[-1] > 128
    luminance = rgba[:, :3] @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance) >= 0).all() and luminance[-1] - luminance[0] > 150


def test_a_heat_map_lies_where_the_mask_does(noise_raster: Raster) -> None:
    _, place = drawing.classes_for_map(np.ones(noise_raster.shape, np.uint8), noise_raster, ["#ffffff"])
    _, bounds = drawing.probability_for_map(np.ones(noise_raster.shape, np.float32), noise_raster)
    assert np.allclose(bounds, place)
