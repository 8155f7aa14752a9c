"""JPEG 2000 files are decoded in a bounded child: once each, and what a header cannot tell ends at a limit."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scinet.errors import RasterError
from scinet.raster import jpeg2000
from scinet.raster.scene import open_scene, read_raster

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def jp2() -> bytes:
    file = BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG2000", irreversible=False)
    return file.getvalue()


def with_tiles(content: bytes, width: int, height: int) -> bytes:
    """The file with other tile sizes in its SIZ marker."""
    place = content.index(b"\xff\x51") + 2 + 4 + 16
    return content[: place + 2] + struct.pack(">II", width, height) + content[place + 10 :]


def test_a_path_and_bytes_give_the_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.jp2"
    path.write_bytes(jp2())
    for source in (jp2(), path):
        np.testing.assert_array_equal(read_raster(source, cm_per_px=10).pixels, PIXELS)


def test_a_file_is_decoded_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decodings = []
    real = jpeg2000._decode_apart
    monkeypatch.setattr(jpeg2000, "_decode_apart", lambda *given: (decodings.append(given), real(*given)))
    path = tmp_path / "a.jp2"
    path.write_bytes(jp2())
    scene = open_scene(path, cm_per_px=10)
    scene.overview(32)
    scene.window(0, 0, 20, 20)
    assert len(decodings) == 1
    path.write_bytes(jp2() + b"\0")
    open_scene(path, cm_per_px=10)
    assert len(decodings) == 2


@pytest.mark.parametrize(
    "content, says",
    [
        (with_tiles(jp2(), 128, 67_108_864), "damaged|pieces|memory or time"),
        (with_tiles(jp2(), 1, 1), "damaged|pieces|memory or time"),
        (jp2()[:200], "damaged"),
        (jp2()[:12], "damaged"),
    ],
)
def test_what_cannot_be_decoded_is_a_sentence(content: bytes, says: str) -> None:
    with pytest.raises(RasterError, match=says) as caught:
        read_raster(content, cm_per_px=10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", ["DECODE_S", "_LEAST_BYTES"])
def test_a_decoding_ends_at_its_limits(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = jp2() + bytes(1 if limit == "DECODE_S" else 2)  # not decoded before
    monkeypatch.setattr(jpeg2000, limit, 0.001)
    monkeypatch.setattr(jpeg2000, "_BYTES_PER_BYTE", 0)
    with pytest.raises(RasterError, match=r"memory or time|damaged"):
        read_raster(content, cm_per_px=10)


def test_a_size_over_the_limit_is_named() -> None:
    with pytest.raises(RasterError, match="60 x 40 px"):
        read_raster(jp2(), cm_per_px=10, max_pixels=2000)
