"""Collars of 8-bit images, the stretch of others, and pages: found, said, and changed by the reader."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.datasets.tiles import common_stretch, tiles_in
from scinet.errors import RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.scene import open_scene, read_raster

PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
SHAPE = 80, 120
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(60, 200, (*SHAPE, 3), np.uint8)


def tif(path: Path, pixels: NDArray[Any], **profile: Any) -> Path:
    bands = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[np.newaxis]
    form = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    place = {"transform": PLACE, "crs": CRS.from_epsg(32630)}
    with rasterio.open(path, "w", driver="GTiff", **form, **place, **profile) as file:
        file.write(bands)
    return path


def with_collar(value: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A photo in a turned frame."""
    row, column = np.indices(SHAPE)
    collar = (row + column < 60) | (row - column > 50)
    pixels = PHOTO.copy()
    pixels[collar] = value
    return pixels, collar


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, subsampling=0)
    return file.getvalue()


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("form", ["JPEG", "GeoTIFF", "GeoTIFF with JPEG", "PNG"])
def test_a_black_or_white_collar_is_left_out_and_said(tmp_path: Path, form: str, value: int) -> None:
    pixels, collar = with_collar(value)
    source: Path | bytes = jpeg(pixels)
    if form.startswith("GeoTIFF"):
        packed = {"compress": "JPEG", "photometric": "YCbCr", "JPEG_QUALITY": 95} if "JPEG" in form else {}
        source = tif(tmp_path / "a.tif", pixels, **({"photometric": "RGB"} | packed))
    if form == "PNG":
        Image.fromarray(pixels).save(tmp_path / "a.png")
        source = tmp_path / "a.png"
    raster = read_raster(source, cm_per_px=10)
    assert (raster.valid == ~collar).mean() > (0.97 if "JPEG" in form else 0.9999)
    assert f"The value {value} counts as nodata" in raster.notes[0] and "--nodata none" in raster.notes[0]
    part = open_scene(source, cm_per_px=10).window(0, 0, 60, 40)
    assert (part.valid == raster.valid[:40, :60]).all()
    assert read_raster(source, cm_per_px=10, choice=ImageChoice(nodata=float("nan"))).valid.all()


def test_shadows_and_white_roofs_are_no_collar(tmp_path: Path) -> None:
    roofs = PHOTO.copy()
    roofs[:20, :30] = roofs[40:60, 50:90] = 255  # one of them in the corner
    shadow = PHOTO.copy()
    shadow[:30, :40] = RNG.integers(0, 9, (30, 40, 3), np.uint8)
    bright = np.full((*SHAPE, 3), 255, np.uint8)
    for pixels in (roofs, shadow, bright):
        raster = read_raster(tif(tmp_path / "a.tif", pixels, photometric="RGB"))
        assert raster.valid.all() and raster.notes == ()


def test_the_edges_of_a_large_image_without_overviews_tell_whether_it_can_have_a_collar(tmp_path: Path) -> None:
    pixels = RNG.integers(60, 200, (1100, 1100, 3), np.uint8)
    assert read_raster(tif(tmp_path / "a.tif", pixels, photometric="RGB")).valid.all()
    pixels[:100] = 255
    raster = read_raster(tif(tmp_path / "b.tif", pixels, photometric="RGB", tiled=True, blockxsize=256, blockysize=256))
    assert not raster.valid[:100].any() and raster.valid[100:].all()


def test_the_reader_chooses_the_stretch(tmp_path: Path) -> None:
    values = PHOTO.astype(np.uint16) * 10
    path = tif(tmp_path / "a.tif", values)
    raster = read_raster(path, choice=ImageChoice(stretch=(0, 2550)))
    assert (raster.pixels == PHOTO).all() and raster.notes == ()
    assert "Choose others with --stretch LOW HIGH" in read_raster(path).notes[-1]
    for bad in ((5.0, 5.0), (9.0, 1.0), (0.0, float("inf"))):
        with pytest.raises(RasterError, match="a lower and a higher number"):
            ImageChoice(stretch=bad)


def test_all_images_of_a_folder_share_a_stretch(tmp_path: Path) -> None:
    dark, bright = PHOTO.astype(np.uint16) * 10, PHOTO.astype(np.uint16) * 10 + 2000
    tif(tmp_path / "a.tif", dark)
    tif(tmp_path / "b.tif", bright)
    tif(tmp_path / "c.tif", PHOTO, photometric="RGB")
    scenes = [tile.open() for tile in tiles_in(tmp_path)]
    stretch = common_stretch(scenes)
    assert stretch is not None and stretch[0] < 700 and stretch[1] > 3800
    a, b, c = (scene.stretched_by(stretch).read() for scene in scenes)
    assert a.pixels.mean() + 100 < b.pixels.mean()
    assert (c.pixels == PHOTO).all()
    assert common_stretch([scenes[2]]) is None


def test_images_of_equal_names_do_not_share_a_result(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        Image.fromarray(PHOTO).save(tmp_path / name)
    assert [tile.name for tile in tiles_in(tmp_path)] == ["a_jpg", "a_png", "b"]
    Image.fromarray(PHOTO).save(tmp_path / "B.PNG")
    with pytest.raises(RasterError, match="the same name but for case"):
        tiles_in(tmp_path)


def test_links_that_lead_out_of_a_folder_are_refused(tmp_path: Path) -> None:
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(RasterError, match="is a link that leads out of"):
        tiles_in(tmp_path / "folder")


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_page_of_a_tiff_is_chosen(tmp_path: Path, as_bytes: bool) -> None:
    pages = [Image.fromarray(PHOTO), Image.fromarray(PHOTO[::-1].copy())]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    source = (tmp_path / "a.tif").read_bytes() if as_bytes else tmp_path / "a.tif"
    first = read_raster(source, cm_per_px=10)
    assert (first.pixels == PHOTO).all()
    assert "has 2 pages; the first is read. Choose another with --page N" in first.notes[-1]
    second = open_scene(source, cm_per_px=10, choice=ImageChoice(page=2))
    assert (second.read().pixels == PHOTO[::-1]).all() and second.read().notes == ()
    with pytest.raises(RasterError, match="has 2 pages, so page 3 cannot be read"):
        read_raster(source, cm_per_px=10, choice=ImageChoice(page=3))
