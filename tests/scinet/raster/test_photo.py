"""Photos that are stored turned, and images that are placed by control points or RPCs."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC
from rasterio.transform import Affine

from scinet.errors import GsdMissingError
from scinet.raster.scene import open_scene, read_raster

UTM = CRS.from_epsg(32630)
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
PICTURE = np.random.default_rng(0).integers(0, 250, (40, 56, 3), np.uint8)


def photo(orientation: int, form: str, gps: bool = False) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if gps:
        exif.get_ifd(0x8825).update({1: "N", 2: (5.0, 30.0, 0.0), 3: "W", 4: (0.0, 12.0, 0.0)})
    file = BytesIO()
    Image.fromarray(PICTURE).save(file, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    return file.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_read_upright(form: str, orientation: int) -> None:
    content = photo(orientation, form)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(content))))
    raster = read_raster(content, cm_per_px=5)
    assert raster.shape == upright.shape[:2]
    assert np.abs(raster.pixels.astype(int) - upright).mean() < 20  # JPEG blurs the colours
    assert any(f"orientation {orientation}" in note for note in raster.notes) == (orientation > 1)
    window = open_scene(content, cm_per_px=5).window(8, 4, 16, 12)
    assert (window.pixels == raster.pixels[4:16, 8:24]).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_position_of_a_camera_is_not_a_georeference(form: str, orientation: int) -> None:
    content = photo(orientation, form, gps=True)
    raster = read_raster(content, cm_per_px=5)
    assert raster.crs is None
    if form == "JPEG" or orientation > 1:
        assert "GPS position is the camera's" in raster.notes[-1]
        with pytest.raises(GsdMissingError, match="GPS position is the camera's alone"):
            read_raster(content)


def tif(path: Path, bands: NDArray[Any], gcps: list[GroundControlPoint] | None = None, rpcs: RPC | None = None) -> Path:
    count, height, width = bands.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype="uint8", photometric="RGB"
    ) as file:
        file.write(bands)
        if gcps:
            file.gcps = (gcps, UTM)
        if rpcs:
            file.rpcs = rpcs
    return path


def points(bend_m: float) -> list[GroundControlPoint]:
    corners = [(0, 0), (0, 56), (40, 0), (40, 56), (20, 28)]
    bent = {(40, 56): bend_m}
    placed = [(row, column, *(PLACE @ (column, row))) for row, column in corners]
    return [GroundControlPoint(row, column, x + bent.get((row, column), 0), y) for row, column, x, y in placed]


def test_control_points_that_agree_with_a_transform_place_the_image(tmp_path: Path) -> None:
    raster = read_raster(tif(tmp_path / "a.tif", np.moveaxis(PICTURE, -1, 0), points(0)))
    assert raster.crs == UTM and raster.transform.almost_equals(PLACE, 1e-6)
    assert (raster.pixels == PICTURE).all()
    assert raster.notes == ("a.tif is placed by its 5 ground control points.",)


def test_an_image_is_warped_to_other_control_points(tmp_path: Path) -> None:
    scene = open_scene(tif(tmp_path / "a.tif", np.moveaxis(PICTURE, -1, 0), points(0.6)))
    raster = scene.read()
    assert raster.crs == UTM and 10 < raster.cm_per_px < 11
    assert raster.valid.mean() > 0.8
    assert raster.notes == ("a.tif is warped to its ground control points.",)
    window = scene.window(10, 10, 16, 16)
    assert (window.pixels == raster.pixels[10:26, 10:26]).all()


def test_rpcs_need_a_rectification(tmp_path: Path) -> None:
    one, line, sample = [1.0] + [0.0] * 19, [0.0, 0.0, -1.0] + [0.0] * 17, [0.0, 1.0] + [0.0] * 18
    rpc = RPC(
        height_off=0,
        height_scale=100,
        lat_off=5.6,
        lat_scale=0.001,
        line_den_coeff=one,
        line_num_coeff=line,
        line_off=20,
        line_scale=20,
        long_off=-0.2,
        long_scale=0.001,
        samp_den_coeff=one,
        samp_num_coeff=sample,
        samp_off=28,
        samp_scale=28,
        err_bias=None,
        err_rand=None,
    )
    path = tif(tmp_path / "a.tif", np.moveaxis(PICTURE, -1, 0), rpcs=rpc)
    with pytest.raises(GsdMissingError, match=r"placed by RPCs alone.* gdalwarp -rpc"):
        read_raster(path)
