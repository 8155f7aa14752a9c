import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp, Resampling
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import Affine

from scinet import web
from scinet.errors import GsdMissingError, NodataError, RasterError
from scinet.raster import scene
from scinet.raster.open import open_raster
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene, read_raster
from scinet.raster.scene_window import central_window, window_around
from tests.range_server import FOREVER, RangeServer, serve_files

PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
SHAPE = 600, 900


def pixels() -> NDArray[np.uint8]:
    """RGBA (4, 600, 900): noise, and nodata left of column 300."""
    values = np.random.default_rng(0).integers(60, 220, (4, *SHAPE), np.uint8)
    values[3] = 255 * (np.arange(900) >= 300)
    return values


def geotiff(values: NDArray[Any], **profile: Any) -> bytes:
    profile = {"driver": "GTiff", "crs": "EPSG:32630", "transform": PLACE} | profile
    count, height, width = values.shape
    with MemoryFile() as memory:
        with memory.open(count=count, height=height, width=width, dtype=values.dtype.name, **profile) as dataset:
            if count == 4:
                dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
            dataset.write(values)
        return bytes(memory.read())


def damage_block(path: Path) -> None:
    """Overwrite the beginning of one compressed block, the fourth of the fourth row."""
    with rasterio.open(path) as dataset:
        place = int(dataset.get_tag_item("BLOCK_OFFSET_3_3", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[place : place + 20] = bytes(20)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def cog() -> bytes:
    with MemoryFile(geotiff(pixels())) as source, MemoryFile() as target:
        copy(source.name, target.name, driver="COG", blocksize=128, compress="deflate", overview_count=2)
        return bytes(target.read())


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file"])
def test_a_header_an_overview_and_windows(kind: str, cog: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(cog)
    source: Any = {"path": path, "text": str(path), "bytes": cog, "file": io.BytesIO(cog)}[kind]
    found = open_scene(source)
    whole = read_raster(cog)
    assert (found.height, found.width, found.block, found.overviews) == (*SHAPE, (128, 128), (2, 4))
    assert found.cm_per_px == pytest.approx(whole.cm_per_px)
    window = found.window(310, 37, 200, 150)
    assert (window.pixels == whole.pixels[37:187, 310:510]).all()
    assert window.transform == PLACE @ Affine.translation(310, 37)
    overview = found.overview(300)
    assert overview.shape == (200, 300)
    assert overview.cm_per_px == pytest.approx(3 * found.cm_per_px, rel=1e-3)
    assert overview.transform @ (300, 200) == pytest.approx(PLACE @ (900, 600))
    assert not overview.valid[:, :98].any() and overview.valid[:, 102:].all()
    assert (found.overview(5000).pixels == whole.pixels).all()


@pytest.mark.parametrize("kind", ["nodata", "mask", "none"])
def test_an_overview_reads_no_more_than_it_needs(kind: str, tmp_path: Path) -> None:
    """Masks and nodata too: the full resolution is damaged here, and only the file's own overview is whole."""
    path = tmp_path / "scene.tif"
    values = np.full((3, 1024, 1024), 90, np.uint8)
    values[:, :, :512] = 0
    profile = {"width": 1024, "height": 1024, "count": 3, "dtype": "uint8", "crs": "EPSG:32630", "transform": PLACE}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(path, "w", driver="GTiff", nodata=0 if kind == "nodata" else None, **profile) as dataset:
            dataset.write(values)
            if kind == "mask":
                dataset.write_mask(values[0] > 0)
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews([4], Resampling.nearest)
    damage_block(path)
    found = open_scene(path)
    with pytest.raises(RasterError, match="damaged"):
        found.window(768, 768, 256, 256)
    overview = found.overview(128)
    assert overview.valid[:, 64:].all() and overview.valid[:, :64].any() == (kind == "none")


def test_a_window_across_stripes_has_no_seam(cog: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scinet.raster.bands._PIECE_VALUES", 1)
    assert (open_scene(cog).window(310, 37, 500, 400).pixels == read_raster(cog).pixels[37:437, 310:810]).all()


def test_all_windows_of_other_types_are_stretched_alike() -> None:
    values = (np.arange(600 * 900) % 60_000).reshape(1, *SHAPE).astype(np.uint16)
    content = geotiff(values, tiled=True, blockxsize=128, blockysize=128)
    found, whole = open_scene(content), read_raster(content)
    window = found.window(128, 256, 300, 200)
    assert (window.pixels == whole.pixels[256:456, 128:428]).all()
    assert window.notes == whole.notes and "stretched" in window.notes[0]


def test_windows_with_the_file_opened_once(tmp_path: Path) -> None:
    """What cannot be had comes as an error in its place, and the others are still read."""
    path = tmp_path / "scene.tif"
    path.write_bytes(geotiff(pixels(), tiled=True, blockxsize=128, blockysize=128, compress="deflate"))
    damage_block(path)
    found = open_scene(path)
    places = [(384, 0, 128, 128), (0, 0, 128, 128), (384, 384, 128, 128), (512, 384, 128, 128), (-1, 0, 128, 128)]
    whole, nodata, damaged, after, beyond = found.windows(places)
    for window, (column, row, width, height) in ((whole, places[0]), (after, places[3])):
        assert isinstance(window, Raster)
        assert (window.pixels == found.window(column, row, width, height).pixels).all()
    assert isinstance(nodata, NodataError) and "Move it" in str(nodata)
    assert isinstance(damaged, RasterError) and "damaged" in str(damaged)
    assert isinstance(beyond, RasterError) and "reaches beyond" in str(beyond)


def test_windows_that_cannot_be(cog: bytes) -> None:
    found = open_scene(cog)
    for place, reason in (
        ((0, 0, 200, 200), "nodata. Move it"),
        ((800, 0, 200, 200), "reaches beyond"),
        ((-1, 0, 200, 200), "reaches beyond"),
        ((400, 0, 4, 200), "cannot be read"),
        ((0, 0, 90_000, 90_000), "million pixels"),
    ):
        with pytest.raises(RasterError, match=reason):
            found.window(*place)


def test_without_georeference_a_resolution_is_needed() -> None:
    content = geotiff(pixels(), crs=None, transform=None)
    with pytest.raises(GsdMissingError):
        open_scene(content)
    found = open_scene(content, cm_per_px=20)
    assert found.cm_per_px == pytest.approx(20)
    assert found.window(400, 100, 64, 64).transform == Affine(0.2, 0, 80, 0, -0.2, -20)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_grey_overview_has_three_equal_bands(dtype: str, count: int) -> None:
    values = np.random.default_rng(0).integers(60, 220, (count, *SHAPE)).astype(dtype)
    values[1:] = 255
    content = geotiff(values, **({"ALPHA": "YES"} if count == 2 else {}))
    found = open_scene(content).overview(100)
    assert found.shape == (67, 100) and found.pixels.any()
    assert (found.pixels == found.pixels[..., :1]).all()


def test_a_gigapixel_opens_at_once_but_shows_no_overview(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    size = {"width": 150_000, "height": 90_000, "count": 3, "dtype": "uint8", "crs": "EPSG:32630", "transform": PLACE}
    with rasterio.open(
        path, "w", driver="GTiff", sparse_ok=True, tiled=True, BIGTIFF="YES", compress="deflate", **size
    ) as f:
        f.write(np.full((3, 256, 256), 99, np.uint8), window=((51_200, 51_456), (102_400, 102_656)))
    found = open_scene(path)
    assert found.pixels == 13_500_000_000
    assert (found.window(102_400, 51_200, 256, 256).pixels == 99).all()
    with pytest.raises(RasterError, match=r"150000 x 90000 px and no overviews.*gdaladdo"):
        found.overview(1000)
    assert central_window(found, None, 1024) == (74_488, 44_488)


def test_blocks_too_large_to_decode_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "one-tile.tif"
    size = {"width": 40_960, "height": 40_960, "count": 1, "dtype": "uint8", "crs": "EPSG:32630", "transform": PLACE}
    tiles = {"tiled": True, "blockxsize": 20_480, "blockysize": 20_480}
    with rasterio.open(path, "w", driver="GTiff", sparse_ok=True, **size, **tiles):
        pass
    with pytest.raises(RasterError, match="stored in pieces of 20480 x 20480 px"):
        open_scene(path)


def test_the_window_in_the_middle_is_full_of_image(cog: bytes) -> None:
    found = open_scene(cog)
    overview = found.overview(300)
    column, row = central_window(found, overview, 256)
    assert found.window(column, row, 256, 256).valid.all()
    assert abs(column + 128 - 600) < 10 and abs(row + 128 - 300) < 10
    assert central_window(found, overview, 5000) == (0, 0)
    assert window_around(found, 895, -20, 256) == (644, 0)


# --- addresses


@pytest.fixture(scope="module")
def server(cog: bytes) -> Iterator[RangeServer]:
    page = b"<!doctype html><title>Sign in</title>" * 40
    striped = geotiff(np.zeros((1, 600, 900), np.uint8) + np.uint8(80))
    files = {"/scene.tif": cog, "/whole.tif": cog, "/page.tif": page, "/striped.tif": striped, "/cut.tif": cog[:300]}
    with serve_files(files | {"/secret.tif": cog}) as server:
        server.fail("/whole.tif", "whole", FOREVER)
        server.fail("/secret.tif", "403", FOREVER)
        yield server


def test_a_cog_on_the_web(server: RangeServer, cog: bytes) -> None:
    found = open_scene(f"{server.address}/scene.tif?signed=1")
    assert found.is_remote and found.name == "scene.tif"
    whole = read_raster(cog)
    assert (found.window(310, 37, 200, 150).pixels == whole.pixels[37:187, 310:510]).all()
    assert found.overview(300).shape == (200, 300)
    assert server.agents == {web.USER_AGENT}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("nowhere.tif", "no such file. Check"),
        ("secret.tif", "refuses it"),
        ("page.tif", "not a GeoTIFF"),
        ("whole.tif", "does not hand out parts"),
        ("striped.tif", "not a Cloud Optimized GeoTIFF"),
        ("cut.tif", "damaged, or the connection failed"),
    ],
)
def test_addresses_without_a_cog(server: RangeServer, file: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "MAX_DECIMATED_WEB_PIXELS", 100_000)
    with pytest.raises(RasterError, match=reason) as caught:
        open_scene(f"{server.address}/{file}")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/scene.tif", "http://", "https://[x/y.tif", "http://a b/c.tif"])
def test_addresses_that_lead_nowhere(url: str) -> None:
    with pytest.raises(RasterError):
        open_scene(url)


@pytest.mark.parametrize("source", ["ftp://127.0.0.1/scene.tif", "/vsicurl/http://127.0.0.1/scene.tif"])
def test_other_schemes_are_no_addresses(source: str) -> None:
    with pytest.raises(RasterError, match="No such file"):
        open_scene(source)


def test_a_published_scene(data_dir: Path) -> None:
    found = open_scene(data_dir / "ocaic" / "train_tier_1" / "acc" / "d41d81" / "d41d81.tif")
    assert (found.width, found.height, found.block) == (9216, 4096, (512, 512))
    column, row = central_window(found, found.overview(2048), 1024)
    assert found.window(column, row, 1024, 1024).valid.mean() > 0.99


@pytest.mark.parametrize("kind", ["cog", "path", "open file", "png", "uint16", "unequal sides"])
def test_the_whole_scene_is_what_read_raster_reads(kind: str, cog: bytes, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    cm_per_px = 7.5 if kind == "png" else None
    source: Any = cog
    if kind == "path":
        source = tmp_path / "image.tif"
        source.write_bytes(cog)
    elif kind == "open file":
        source = io.BytesIO(cog)
    elif kind == "png":
        source = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).save(source, "PNG")
    elif kind == "uint16":
        source = geotiff(random.integers(0, 5000, (4, 30, 40), np.uint16))
    elif kind == "unequal sides":
        source = geotiff(random.integers(0, 256, (3, 30, 40), np.uint8), transform=Affine(0.1, 0, 8e5, 0, -0.2, 6e5))
    raster, whole = read_raster(source, cm_per_px=cm_per_px), open_scene(source, cm_per_px=cm_per_px).read()
    assert (raster.pixels == whole.pixels).all() and (raster.valid == whole.valid).all()
    assert (raster.grid, raster.notes) == (whole.grid, whole.notes)
    assert bool(raster.notes) == (kind in ("uint16", "unequal sides"))


@pytest.mark.parametrize(
    "content", [b"", b"a text", geotiff(np.zeros((3, 4, 4), np.uint8)), "blank", "damaged", "no place"]
)
def test_what_cannot_be_read_is_told_in_the_same_words(content: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 400, 400), np.uint8)
    source = {
        "blank": geotiff(np.zeros((3, 16, 16), np.uint8), nodata=0),
        "damaged": geotiff(noise)[:-30_000],
        "no place": geotiff(noise, crs=None),
    }.get(content, content)
    with pytest.raises(RasterError) as one:
        read_raster(source)
    with pytest.raises(RasterError) as other:
        open_scene(source).read()
    assert str(one.value) == str(other.value) and type(one.value) is type(other.value)


def test_read_raster_opens_a_file_once(cog: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr("scinet.raster.scene.open_raster", lambda *a, **k: opened.append(a) or open_raster(*a, **k))
    read_raster(cog)
    assert len(opened) == 1
    open_scene(cog).read()
    assert len(opened) == 3  # the header, then the pixels


def test_tiles_far_larger_than_the_image_are_refused() -> None:
    with MemoryFile() as memory:
        profile = {"driver": "JP2OpenJPEG", "count": 3, "height": 96, "width": 128, "dtype": "uint8"}
        with memory.open(**profile, QUALITY=100, REVERSIBLE="YES") as dataset:
            dataset.write(np.random.default_rng(0).integers(0, 256, (3, 96, 128), np.uint8))
        content = bytearray(memory.read())
    siz = content.index(b"\xff\x51")  # the marker, then length, capabilities, size, offset: 20 bytes; then the tile
    content[siz + 22 : siz + 30] = (128).to_bytes(4, "big") + (1 << 26).to_bytes(4, "big")
    for read in (open_scene, read_raster):
        with pytest.raises(RasterError, match="too large"):
            read(bytes(content), cm_per_px=10)
