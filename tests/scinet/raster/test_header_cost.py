"""PNG files with texts and TIFF files with images without end are refused; others are not."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from scinet.errors import RasterError
from scinet.raster.header_cost import MAX_DIRECTORIES, MAX_TEXT_BYTES, check_header
from scinet.raster.scene import read_raster

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))


def png(texts: int = 0, size: int = 0) -> bytes:
    file, more = BytesIO(), PngImagePlugin.PngInfo()
    for number in range(texts):
        content = b"key%d\0\0" % number + zlib.compress(bytes(1000)) + bytes(size)
        more.add(b"zTXt", content)
    IMAGE.save(file, "PNG", pnginfo=more)
    return file.getvalue()


def tiff(order: str, is_big: bool, directories: int) -> bytes:
    """A list of empty directories, each followed by the next."""
    mark, kind = (b"II" if order == "<" else b"MM"), 43 if is_big else 42
    head = mark + struct.pack(order + "H", kind) + (struct.pack(order + "HH", 8, 0) if is_big else b"")
    count_form, place_form = ("Q", "Q") if is_big else ("H", "I")
    size = struct.calcsize(f"{order}{count_form}{place_form}")
    first = len(head) + struct.calcsize(order + place_form)
    content = head + struct.pack(order + place_form, first)
    for number in range(directories):
        following = first + (number + 1) * size if number + 1 < directories else 0
        content += struct.pack(f"{order}{count_form}{place_form}", 0, following)
    return content


@pytest.mark.parametrize("texts, size", [(2, MAX_TEXT_BYTES // 2), (2000, 1200)])
def test_a_png_with_too_much_text_is_refused(texts: int, size: int, tmp_path: Path) -> None:
    content = png(texts, size)
    (tmp_path / "a.png").write_bytes(content)
    for source in (content, tmp_path / "a.png"):
        with pytest.raises(RasterError, match="more text and profiles"):
            read_raster(source, cm_per_px=10)


def test_a_png_with_some_text_is_read() -> None:
    np.testing.assert_array_equal(read_raster(png(3, 10), cm_per_px=10).pixels, np.asarray(IMAGE))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_big", [False, True])
def test_a_tiff_with_too_many_images_is_refused_and_one_with_some_is_not(order: str, is_big: bool) -> None:
    check_header(tiff(order, is_big, MAX_DIRECTORIES), "a.tif")
    with pytest.raises(RasterError, match="more than 1000 images"):
        check_header(tiff(order, is_big, MAX_DIRECTORIES + 1), "a.tif")


def test_a_list_of_images_that_leads_back_ends() -> None:
    with pytest.raises(RasterError, match="images"):
        check_header(b"II*\0" + struct.pack("<IHI", 8, 0, 8), "a.tif")


BEYOND_FILES = b"II+\0\x08\0\0\0" + b"\xff" * 8  # the place of the first image: 2**64 - 1
COUNT_BEYOND_FILES = b"II+\0\x08\0\0\0\x10" + bytes(7) + b"\xff" * 8


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"II*\0",
        b"MM\0+\0\x08",
        b"II*\0" + b"\xff" * 20,
        BEYOND_FILES,
        COUNT_BEYOND_FILES,
    ],
)
def test_what_is_cut_off_is_left_to_gdal(content: bytes, tmp_path: Path) -> None:
    check_header(content, "a")
    (tmp_path / "a").write_bytes(content)
    check_header(str(tmp_path / "a"), "a")
