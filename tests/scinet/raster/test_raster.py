import io
import logging
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import Affine
from rasterio.warp import calculate_default_transform, reproject

from scinet.errors import GsdMissingError, RasterError, ResolutionError, SciNetError, TruthError, WriteError
from scinet.evaluation.mask import read_mask
from scinet.raster.geotiff import write_mask, write_probability
from scinet.raster.raster import Raster
from scinet.raster.scene import read_raster

UTM = CRS.from_epsg(32630)
PLACE = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
SHAPE = 40, 56


def photo(shape: tuple[int, int] = SHAPE, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth colours well above black, so that lossy formats keep them."""
    coarse = np.random.default_rng(seed).integers(60, 220, (4, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC))


def geotiff(
    bands: NDArray[Any],
    *,
    interp: tuple[ColorInterp, ...] | None = None,
    mask: NDArray[np.uint8] | None = None,
    crs: CRS | None = UTM,
    transform: Affine | None = PLACE,
    driver: str = "GTiff",
    **profile: Any,
) -> bytes:
    """A file of bands (C, H, W)."""
    count, height, width = bands.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype.name}
    with MemoryFile() as memory:
        with memory.open(driver=driver, crs=crs, transform=transform, **shape, **profile) as dataset:
            if interp:
                dataset.colorinterp = interp
            dataset.write(bands)
            if mask is not None:
                dataset.write_mask(mask)
        return bytes(memory.read())


def pillow(pixels: NDArray[np.uint8], kind: str, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def planes(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(pixels, -1, 0)


# --- formats


def test_geotiff_keeps_pixels_place_and_resolution(tmp_path: Path) -> None:
    path = tmp_path / "tile.tif"
    path.write_bytes(geotiff(planes(photo())))
    raster = read_raster(path)
    assert (raster.pixels == photo()).all()
    assert raster.valid.all()
    assert raster.transform == PLACE
    assert raster.crs == UTM
    assert raster.shape == SHAPE
    assert raster.cm_per_px == pytest.approx(10, rel=2e-3)
    assert raster.pixel_area_m2 == pytest.approx((raster.cm_per_px / 100) ** 2)
    assert raster.notes == ()


@pytest.mark.parametrize(
    ("content", "tolerance"),
    [
        (pillow(photo(), "PNG"), 0),
        (pillow(photo(), "WEBP", lossless=True), 0),
        (pillow(photo(), "JPEG", quality=95), 4),
        (pillow(photo(), "JPEG", quality=95, progressive=True), 4),
        (pillow(photo(), "WEBP", quality=95), 6),
        (pillow(photo(), "JPEG2000"), 1),
        (pillow(photo(), "TIFF"), 0),
        (geotiff(planes(photo()), compress="jpeg", photometric="ycbcr", interleave="pixel", crs=None), 6),
    ],
    ids=["png", "webp-lossless", "jpeg", "jpeg-progressive", "webp", "jp2", "tiff", "tiff-jpeg"],
)
@pytest.mark.parametrize("as_file", [False, True], ids=["bytes", "file"])
def test_images_without_georeference_take_the_given_resolution(content: bytes, tolerance: float, as_file: bool) -> None:
    with pytest.raises(GsdMissingError, match=r"no georeference|names no CRS"):
        read_raster(content)
    source: Any = content
    if as_file:
        source = io.BytesIO(content)
        source.read(10)  # someone looked at it before
    raster = read_raster(source, cm_per_px=7.5)
    assert np.abs(raster.pixels.astype(float) - photo()).mean() <= tolerance
    assert raster.crs is None
    assert raster.transform == Affine(0.075, 0, 0, 0, -0.075, 0)
    assert raster.cm_per_px == pytest.approx(7.5)


def test_cog_and_jpeg2000_with_georeference() -> None:
    cog = geotiff(planes(photo()), driver="COG", compress="deflate")
    assert (read_raster(cog).pixels == photo()).all()
    with MemoryFile(cog) as source, MemoryFile(ext=".jp2") as target:
        copy(source.name, target.name, driver="JP2OpenJPEG", quality=100, reversible="yes")
        jp2 = read_raster(bytes(target.read()))
    assert (jp2.pixels == photo()).all()
    assert jp2.crs == UTM
    assert jp2.transform.almost_equals(PLACE)


def test_the_suffix_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "really-a-jpeg.tif"
    path.write_bytes(pillow(photo(), "JPEG"))
    assert read_raster(path, cm_per_px=5).shape == SHAPE


def test_files_next_to_it_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(pillow(photo(), "PNG"))
    (tmp_path / "photo.pgw").write_text("0.1\n0\n0\n-0.1\n810000\n620000\n")
    (tmp_path / "photo.png.aux.xml").write_text(f"<PAMDataset><SRS>{UTM.to_wkt()}</SRS></PAMDataset>")
    (tmp_path / "photo.png.msk").write_bytes(geotiff(np.zeros((1, *SHAPE), np.uint8)))
    with pytest.raises(GsdMissingError):
        read_raster(path)
    assert read_raster(path, cm_per_px=5).valid.all()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "photo.pgw",
        "photo.png",
        "photo.png.aux.xml",
        "photo.png.msk",
    ]


# --- bands and values


def test_grey_becomes_rgb() -> None:
    grey = photo()[..., 0]
    raster = read_raster(geotiff(grey[np.newaxis]))
    assert (raster.pixels == grey[..., np.newaxis]).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_palettes_are_expanded_with_their_alpha(kind: str) -> None:
    indices = np.tile(np.array([0, 1, 2, 1], np.uint8), (16, 4))
    colours = [(200, 10, 30), (40, 50, 60), (70, 80, 90)]
    image = Image.fromarray(indices).convert("P")
    image.putpalette([v for colour in colours for v in colour])
    file = io.BytesIO()
    if kind == "PNG":
        image.save(file, "PNG", transparency=bytes([255, 255, 0]))
    else:
        image.save(file, "TIFF")
    raster = read_raster(file.getvalue(), cm_per_px=5)
    seen = raster.valid
    assert seen.all() == (kind != "PNG")
    assert (seen == ((indices != 2) | (kind != "PNG"))).all()
    assert (raster.pixels[seen] == np.array(colours, np.uint8)[indices][seen]).all()


def test_alpha_hides_and_lossy_alpha_is_cut_in_the_middle() -> None:
    alpha = np.full(SHAPE, 250, np.uint8)
    alpha[:, :10] = 7
    alpha[:, 10:20] = 120
    raster = read_raster(geotiff(planes(np.dstack([photo(), alpha])), interp=RGBA))
    assert (raster.valid == (np.arange(56) >= 20)).all()
    assert (raster.pixels[:, :20] == 0).all()
    assert (raster.pixels[:, 20:] == photo()[:, 20:]).all()


RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
RGB = RGBA[:3]


def test_opaque_black_is_nodata_next_to_an_alpha_band_only() -> None:
    pixels = photo().copy()
    pixels[:, :10] = 10
    pixels[:, 10:12] = (0, 0, 11)
    opaque = np.full(SHAPE, 255, np.uint8)
    with_alpha = read_raster(geotiff(planes(np.dstack([pixels, opaque])), interp=RGBA))
    assert (with_alpha.valid == (np.arange(56) >= 10)).all()
    assert read_raster(geotiff(planes(pixels), interp=RGB)).valid.all()


def test_unmarked_fourth_band_is_alpha_only_if_it_looks_like_it() -> None:
    alpha = np.where(np.arange(56) < 20, 3, 252).astype(np.uint8) * np.ones((40, 1), np.uint8)
    undefined = (*RGB, ColorInterp.undefined)
    masked = read_raster(geotiff(planes(np.dstack([photo(), alpha])), interp=undefined))
    assert (masked.valid == (np.arange(56) >= 20)).all()
    assert "fourth band" in masked.notes[0]
    infrared = read_raster(geotiff(planes(np.dstack([photo(), photo(seed=1)[..., 0]])), interp=undefined))
    assert infrared.valid.all()
    assert (infrared.pixels == photo()).all()
    assert "Of 4 bands" in infrared.notes[0]


def test_two_bands_are_grey_and_alpha_or_grey_alone() -> None:
    grey = photo()[..., 0]
    alpha = np.where(np.arange(56) < 20, 0, 255).astype(np.uint8) * np.ones((40, 1), np.uint8)
    both = np.stack([grey, alpha])
    shown = read_raster(geotiff(both, interp=(ColorInterp.gray, ColorInterp.alpha)))
    assert (shown.valid == (np.arange(56) >= 20)).all()
    assert (shown.pixels[:, 20:, 1] == grey[:, 20:]).all()
    first = read_raster(geotiff(both, interp=(ColorInterp.gray, ColorInterp.undefined)))
    assert first.valid.all()
    assert "1 as grey" in first.notes[0]


def test_more_bands_follow_their_marks_else_their_order() -> None:
    extra = photo(seed=1)
    blue_green_red = np.concatenate([planes(photo())[::-1], planes(extra)[:2]])
    interp = (*RGB[::-1], ColorInterp.undefined, ColorInterp.alpha)
    blue_green_red[4] = 255
    marked = read_raster(geotiff(blue_green_red, interp=interp))
    assert (marked.pixels == photo()).all()
    assert "3 as red, 2 as green, 1 as blue" in marked.notes[0]
    plain = (ColorInterp.gray, *[ColorInterp.undefined] * 4)
    ordered = read_raster(geotiff(blue_green_red, interp=plain))
    assert (ordered.pixels == photo()[..., ::-1]).all()
    assert "1 as red, 2 as green, 3 as blue" in ordered.notes[0]


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "float32", "float64", "int8"])
def test_other_types_are_stretched_jointly_and_that_is_said(dtype: str) -> None:
    # Blue has half of red's values: a stretch of its own would turn yellow into grey.
    ramp = np.linspace(0, 120, 64 * 64).reshape(64, 64)
    bands = np.stack([ramp, ramp, ramp / 2]).astype(dtype)
    raster = read_raster(geotiff(bands))
    low, high = np.percentile(bands, (2, 98))
    expected = np.clip((np.moveaxis(bands, 0, -1) - low) / (high - low), 0, 1) * 255
    assert np.abs(raster.pixels - expected).max() <= 1
    assert "stretched to 8 bits" in raster.notes[0]
    assert dtype in raster.notes[0]
    assert raster.valid.all()


def test_constant_values_do_not_divide_by_zero() -> None:
    raster = read_raster(geotiff(np.full((3, *SHAPE), 1000, np.uint16)))
    assert np.unique(raster.pixels).tolist() == [128]


def test_a_stretch_ignores_what_is_not_valid() -> None:
    bands = np.linspace(0, 1, 40 * 56, dtype=np.float32).reshape(1, *SHAPE).repeat(3, axis=0)
    clean = read_raster(geotiff(bands)).pixels
    dirty = bands.copy()
    dirty[:, :, :3] = -9999
    dirty[:, 0, 5] = np.nan
    dirty[1, 0, 6] = np.inf
    raster = read_raster(geotiff(dirty, nodata=-9999))
    hidden = np.zeros(SHAPE, bool)
    hidden[:, :3] = hidden[0, 5:7] = True
    assert (raster.valid == ~hidden).all()
    assert (raster.pixels[hidden] == 0).all()
    assert np.abs(raster.pixels[~hidden].astype(int) - clean[~hidden]).max() <= 2


def test_nodata_counts_where_all_bands_hold_it() -> None:
    pixels = photo().copy()
    pixels[:5] = 0
    pixels[5:10, :, 2] = 0
    raster = read_raster(geotiff(planes(pixels), nodata=0))
    assert (raster.valid == (np.arange(40) >= 5)[:, np.newaxis]).all()


def test_internal_masks_count() -> None:
    mask = np.where(np.arange(56) < 20, 0, 255).astype(np.uint8) * np.ones((40, 1), np.uint8)
    raster = read_raster(geotiff(planes(photo()), mask=mask))
    assert (raster.valid == (mask > 0)).all()


def test_tall_images_are_read_in_stripes_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photo((700, 300))
    content = geotiff(planes(pixels), tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    monkeypatch.setattr("scinet.raster.bands._PIECE_VALUES", 100_000)
    assert (read_raster(content).pixels == pixels).all()


# --- georeference


def test_no_georeference_without_both_a_crs_and_a_transform() -> None:
    for content in (
        geotiff(planes(photo()), crs=None),
        geotiff(planes(photo()), transform=Affine.identity()),
        geotiff(planes(photo()), crs=CRS.from_wkt('LOCAL_CS["Unknown engineering CRS",UNIT["metre",1]]')),
    ):
        with pytest.raises(GsdMissingError):
            read_raster(content)
        assert read_raster(content, cm_per_px=5).cm_per_px == pytest.approx(5)


@pytest.mark.parametrize(("unit", "metres"), [("metre", 1), ("US survey foot", 0.304800609601219)])
def test_a_local_crs_gives_size_and_origin_in_metres(unit: str, metres: float) -> None:
    crs = CRS.from_wkt(f'LOCAL_CS["site",UNIT["{unit}",{metres}]]')
    raster = read_raster(geotiff(planes(photo()), crs=crs, transform=Affine(0.1, 0, 500, 0, -0.1, 900)))
    assert raster.crs is None and raster.cm_per_px == pytest.approx(10 * metres)
    assert raster.transform @ (0, 0) == pytest.approx((500 * metres, 900 * metres))
    assert "has a local CRS: its size and origin are taken" in raster.notes[0]


def test_a_given_resolution_does_not_overrule_the_georeference() -> None:
    assert read_raster(geotiff(planes(photo())), cm_per_px=50).cm_per_px == pytest.approx(10, rel=2e-3)


def test_rotated_transforms_stay() -> None:
    rotated = PLACE @ Affine.rotation(30)
    raster = read_raster(geotiff(planes(photo()), transform=rotated))
    assert raster.transform.almost_equals(rotated)
    assert raster.cm_per_px == pytest.approx(10, rel=2e-3)


def test_unequal_sides_are_said() -> None:
    raster = read_raster(geotiff(planes(photo()), transform=Affine(0.1, 0, 810_000, 0, -0.2, 620_000)))
    assert raster.cm_per_px == pytest.approx(10 * 2**0.5, rel=2e-3)
    assert "9.99 x 20 cm" in raster.notes[0]


def test_off_the_earth() -> None:
    with pytest.raises(RasterError, match="not lie on the earth"):
        read_raster(geotiff(planes(photo()), crs=CRS.from_epsg(4326)))


def test_a_raster_checks_its_arrays() -> None:
    with pytest.raises(ValueError, match="uint8"):
        Raster(np.zeros((8, 8, 3)), np.ones((8, 8), bool), PLACE, UTM)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bool"):
        Raster(np.zeros((8, 8, 3), np.uint8), np.ones((8, 9), bool), PLACE, UTM)


# --- bad input


def one_sentence(error: Exception) -> bool:
    text = str(error)
    return len(text) < 220 and "\n" not in text and text.count(". ") <= 1 and "vsimem" not in text


CONTENTS = {
    "png": pillow(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8), "PNG"),
    "jpeg": pillow(photo((400, 400)), "JPEG"),
    "progressive": pillow(photo((400, 400)), "JPEG", progressive=True),
    "webp": pillow(photo((400, 400)), "WEBP"),
    "jp2": pillow(photo((400, 400)), "JPEG2000"),
    "tiff": geotiff(planes(photo((200, 200)))),
    "tiff-deflate": geotiff(planes(photo((200, 200))), compress="deflate", tiled=True, blockxsize=64, blockysize=64),
    "tiff-jpeg": geotiff(planes(photo((400, 400))), compress="jpeg", photometric="ycbcr", interleave="pixel"),
    "cog": geotiff(planes(photo((400, 400))), driver="COG", compress="jpeg"),
}


@pytest.mark.parametrize("share", [0.98, 0.6, 0.1, 0.001])
@pytest.mark.parametrize("kind", CONTENTS)
def test_truncated_files_fail_rather_than_show_grey(kind: str, share: float) -> None:
    whole = CONTENTS[kind]
    assert read_raster(whole, cm_per_px=5).valid.all()
    with pytest.raises(RasterError) as caught:
        read_raster(whole[: int(len(whole) * share)], cm_per_px=5)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("kind", ["png", "jpeg", "progressive", "tiff-jpeg"])
def test_a_hole_in_the_middle_fails_too(kind: str) -> None:
    content = bytearray(CONTENTS[kind])
    middle = len(content) // 2
    content[middle : middle + 500] = bytes(500)
    with pytest.raises(RasterError, match="damaged"):
        read_raster(bytes(content), cm_per_px=5)


VRT = """<VRTDataset rasterXSize="56" rasterYSize="40"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize(
    "content",
    [
        b"hello, I am a text",
        b"\x00" * 100,
        b"%PDF-1.7 ...",
        b'<?xml version="1.0"?><GDAL_WMS><Service name="TMS"></Service></GDAL_WMS>',
        b"GIF89a" + bytes(100),
        b'{"type": "FeatureCollection", "features": []}',
        b"P6 56 40 255 " + bytes(56 * 40 * 3),  # readable by GDAL, but no format of ours
    ],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(RasterError, match="cannot be read as an image") as caught:
            read_raster(source, cm_per_px=5)
        assert one_sentence(caught.value)


def test_a_vrt_in_disguise_reads_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.tif"
    secret.write_bytes(geotiff(planes(photo())))
    disguised = tmp_path / "harmless.tif"
    disguised.write_text(VRT.format(secret))
    for source in (disguised, disguised.read_bytes()):
        with pytest.raises(RasterError, match="cannot be read as an image"):
            read_raster(source, cm_per_px=5)


def test_paths_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tile.tif").write_bytes(geotiff(planes(photo())))
    (tmp_path / "empty.tif").touch()
    for path, reason in (
        ("nowhere.tif", "No such file"),
        (str(tmp_path), "is a folder"),
        ("empty.tif", "is empty"),
        (f"GTIFF_DIR:1:{tmp_path}/tile.tif", "No such file"),
        ("/vsicurl/http://localhost/tile.tif", "No such file"),
        ("zip://tile.tif", "No such file"),
        ("tile\0.tif", "cannot be opened"),
    ):
        with pytest.raises(RasterError, match=reason) as caught:
            read_raster(path)
        assert one_sentence(caught.value)
    with pytest.raises(RasterError, match="empty"):
        read_raster(b"")
    with pytest.raises(RasterError, match="empty"):
        read_raster(io.BytesIO())


def test_a_huge_header_is_refused_before_reading() -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    png += struct.pack(">I", 10) + b"IDAT" + bytes(14)
    sparse = geotiff(np.zeros((1, 8, 8), np.uint8))
    with MemoryFile() as memory:
        size = {"width": 100_000, "height": 100_000, "count": 4, "dtype": "uint8"}
        with memory.open(driver="GTiff", sparse_ok=True, tiled=True, crs=UTM, transform=PLACE, **size):
            pass
        sparse = bytes(memory.read())
    assert len(sparse) < 10_000_000
    for content in (png, sparse):
        with pytest.raises(RasterError, match="100000 x 100000 px"):
            read_raster(content, cm_per_px=5)


def test_the_limit_of_pixels_counts_all_bands() -> None:
    many = np.zeros((40, 16, 16), np.uint8) + np.uint8(90)
    assert read_raster(geotiff(many), max_pixels=1000).shape == (16, 16)
    with pytest.raises(RasterError, match="40 bands"):
        read_raster(geotiff(many), max_pixels=300)
    with pytest.raises(RasterError, match="16 x 16 px"):
        read_raster(geotiff(many), max_pixels=255)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (7, 100)])
def test_too_small(shape: tuple[int, int]) -> None:
    with pytest.raises(RasterError, match=f"only {shape[1]} x {shape[0]} px"):
        read_raster(geotiff(np.full((3, *shape), 99, np.uint8)))


def test_nothing_but_nodata() -> None:
    transparent = np.dstack([photo(), np.zeros(SHAPE, np.uint8)])
    for content in (
        geotiff(planes(transparent), interp=RGBA),
        geotiff(np.zeros((3, *SHAPE), np.uint8), nodata=0),
        geotiff(np.full((3, *SHAPE), np.nan, np.float32)),
        geotiff(np.zeros((4, *SHAPE), np.uint8) + np.uint8(255) * (np.arange(4) == 3)[:, None, None], interp=RGBA),
    ):
        with pytest.raises(RasterError, match="nodata or transparent"):
            read_raster(content)


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(RasterError, match="complex"):
        read_raster(geotiff(np.ones((1, *SHAPE), np.complex64)))


def test_cmyk_is_converted() -> None:
    for content in (pillow(photo(), "TIFF", mode="CMYK"), pillow(photo(), "JPEG", mode="CMYK", quality=95)):
        raster = read_raster(content, cm_per_px=5)
        assert np.abs(raster.pixels.astype(float) - photo()).mean() < 4
        assert raster.valid.all()


@pytest.mark.parametrize("cm_per_px", [0, -1, "text", float("nan")])
def test_a_resolution_that_is_none(cm_per_px: Any) -> None:
    with pytest.raises(ResolutionError):
        read_raster(pillow(photo(), "PNG"), cm_per_px=cm_per_px)


@pytest.mark.filterwarnings("error")
def test_reading_is_silent(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    read_raster(pillow(photo(), "PNG"), cm_per_px=5)
    with pytest.raises(RasterError):
        read_raster(CONTENTS["jpeg"][:5000], cm_per_px=5)
    assert [r for r in caplog.records if r.levelno > logging.ERROR] == []
    assert capfd.readouterr() == ("", "")


# --- masks


@pytest.fixture
def image() -> Raster:
    return read_raster(geotiff(planes(photo())))


@pytest.fixture
def building() -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, bool)
    mask[5:20, 10:30] = mask[25:38, 40:50] = True
    return mask


@pytest.mark.parametrize("kind", ["png", "1-bit", "0/1", "jpeg", "rgb", "ids", "float", "palette", "alpha"])
def test_masks_of_the_same_size_in_any_dress(kind: str, image: Raster, building: NDArray[np.bool_]) -> None:
    white = building.astype(np.uint8) * 255
    content = {
        "png": lambda: pillow(white, "PNG"),
        "1-bit": lambda: pillow(white, "PNG", mode="1"),
        "0/1": lambda: pillow(building.astype(np.uint8), "PNG"),
        "jpeg": lambda: pillow(white, "JPEG"),
        "rgb": lambda: pillow(np.dstack([white] * 3), "WEBP"),
        "ids": lambda: geotiff((building * np.arange(1, 57) * 7).astype(np.uint16)[np.newaxis], crs=None),
        "float": lambda: geotiff(
            np.where(building, 0.9, 0.2 + 0.1 * np.eye(40, 56)).astype(np.float32)[None], crs=None
        ),
        "palette": lambda: pillow(white, "PNG", mode="P"),
        "alpha": lambda: pillow(np.dstack([np.full(SHAPE, 255, np.uint8)] * 3 + [white]), "PNG"),
    }[kind]()
    read = read_mask(content, image).buildings
    assert read.dtype == np.bool_
    assert (read == building).all()


def test_blank_masks(image: Raster) -> None:
    assert not read_mask(pillow(np.zeros(SHAPE, np.uint8), "PNG"), image).buildings.any()
    assert read_mask(pillow(np.full(SHAPE, 255, np.uint8), "PNG"), image).buildings.all()


def test_a_georeferenced_mask_is_laid_on_the_image(image: Raster, building: NDArray[np.bool_]) -> None:
    # The mask is a wider image in finer pixels; then the same from another CRS.
    wide = np.zeros((60, 80), bool)
    wide[10:50, 12:68] = building
    fine = wide.repeat(2, axis=0).repeat(2, axis=1).astype(np.uint8)[np.newaxis]
    placed = PLACE @ Affine.translation(-12, -10) @ Affine.scale(0.5)
    assert (read_mask(geotiff(fine, transform=placed), image).buildings == building).all()
    lonlat = CRS.from_epsg(4326)
    bounds = (placed.c, placed.f - 6, placed.c + 8, placed.f)
    degrees, width, height = calculate_default_transform(UTM, lonlat, 160, 120, *bounds, resolution=3e-7)
    there = np.zeros((1, height, width), np.uint8)
    reproject(fine, there, src_transform=placed, src_crs=UTM, dst_transform=degrees, dst_crs=lonlat)
    back = read_mask(geotiff(there, transform=degrees, crs=lonlat), image).buildings
    assert (back == building).mean() > 0.98


def test_masks_that_do_not_belong(image: Raster, building: NDArray[np.bool_]) -> None:
    mask = building[np.newaxis].astype(np.uint8)
    elsewhere = PLACE @ Affine.translation(100_000, 0)
    for content, reason in (
        (pillow(mask[0, :, :-1], "PNG"), "55 x 40 px, the image 56 x 40 px"),
        (geotiff(mask, transform=elsewhere), "elsewhere on the earth"),
        (geotiff(mask, crs=CRS.from_epsg(32736)), "elsewhere on the earth"),
        (pillow(photo(), "PNG"), "looks like a photo"),
        (b"", "empty"),
        (b"a text", "neither a mask image nor a vector file"),
        (pillow(photo(), "PNG")[:300], "neither a mask image|damaged"),
    ):
        with pytest.raises(TruthError, match=reason) as caught:
            read_mask(content, image)
        assert one_sentence(caught.value)


def test_write_mask_round_trips(tmp_path: Path, image: Raster, building: NDArray[np.bool_]) -> None:
    mask = building.astype(np.uint8)
    mask[:, -4:] = 255
    path = tmp_path / "out.tif"
    path.write_text("an older file")
    write_mask(path, mask, image)
    assert [p.name for p in tmp_path.iterdir()] == ["out.tif"]
    assert (read_mask(path, image).buildings == building).all()
    with MemoryFile(path.read_bytes()) as memory, memory.open() as dataset:
        assert dataset.nodata == 255
        assert dataset.crs == UTM
        assert dataset.transform == PLACE
        assert dataset.dtypes == ("uint8",)
        assert (dataset.read(1) == mask).all()


def test_write_mask_leaves_nothing_behind_where_it_fails(tmp_path: Path, image: Raster) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    with pytest.raises(WriteError, match="folder does not exist"):
        write_mask(tmp_path / "no" / "out.tif", mask, image)
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="cannot be written"):
        write_mask(tmp_path / "folder", mask, image)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(ValueError, match="uint8"):
        write_mask(tmp_path / "out.tif", mask[1:], image)


def test_a_probability_comes_back_with_its_scale_and_nodata(tmp_path: Path, image: Raster) -> None:
    probability = np.linspace(0, 1, image.valid.size, dtype=np.float32).reshape(SHAPE)
    image.valid[:, :5] = False
    path = tmp_path / "probability.tif"
    write_probability(path, probability, image)
    with MemoryFile(path.read_bytes()) as memory, memory.open() as dataset:
        steps = dataset.read(1)
        assert (dataset.crs, dataset.transform, dataset.dtypes) == (UTM, PLACE, ("uint8",))
        assert dataset.profile["tiled"] and dataset.compression.name == "deflate"
        assert (dataset.nodata, dataset.scales, dataset.offsets) == (255, (0.004,), (0.0,))
        assert "0.004" in dataset.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        assert (dataset.dataset_mask() == np.where(image.valid, 255, 0)).all()
    assert (steps[:, :5] == 255).all() and steps[image.valid].max() == 250
    assert np.abs(steps * 0.004 - probability)[image.valid].max() <= 0.00201


# --- real tiles


def test_a_published_scene(data_dir: Path) -> None:
    raster = read_raster(data_dir / "ocaic" / "train_tier_1" / "acc" / "d41d81" / "d41d81.tif")
    assert raster.shape == (4096, 9216)
    assert raster.cm_per_px == pytest.approx(5.18, rel=0.01)
    # 24 tiles of 1024 px on a sheet of 9 x 4; the collar's lossy alpha must not leave specks.
    tiles = raster.valid.reshape(4, 1024, 9, 1024).mean(axis=(1, 3))
    assert (tiles > 0.7).sum() == 24  # some of them reach over the scene's edge
    assert (tiles < 0.005).sum() == 12
    assert (raster.pixels[~raster.valid] == 0).all()


def test_every_error_here_is_one_that_pages_show() -> None:
    for error in (RasterError, GsdMissingError, TruthError, ResolutionError, WriteError):
        assert issubclass(error, SciNetError)
