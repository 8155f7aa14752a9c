"""JPEG 2000 files: decoded once in a bounded child, into a GeoTIFF that is then read like any other.

A file of some kB can have OpenJPEG take gigabytes or minutes, which nothing in its header tells.
"""

import hashlib
import tempfile
from collections import OrderedDict
from pathlib import Path
from threading import Lock

import rasterio
import rasterio.shutil

from scinet.bounded_child.messages import Message
from scinet.bounded_child.process import BoundedChild, ChildError
from scinet.errors import RasterError

DECODE_S, DECODE_S_PER_MB = 20, 2
_KEPT = 3  # decoded files, of up to 1.6 GB of disk each
_LEAST_BYTES, _MOST_BYTES, _BYTES_PER_BYTE = 800_000_000, 6_000_000_000, 60
_SIGNATURES = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")
_HEAD_BYTES = 12
_OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": False, "GDAL_CACHEMAX": 64_000_000}


def is_jpeg2000(source: str | bytes) -> bool:
    """Whether a file, given by its path or its bytes, is JPEG 2000 by its first bytes."""
    if isinstance(source, bytes):
        return source.startswith(_SIGNATURES)
    with Path(source).open("rb") as file:
        return file.read(_HEAD_BYTES).startswith(_SIGNATURES)


def decoded(source: str | bytes, name: str, max_pixels: int) -> Path:
    """The path of a GeoTIFF with the pixels and the place of a JPEG 2000 file; the last few are kept.

    Args:
        source: Path or bytes.
        name: What to call the file in a message.
        max_pixels: The most pixels that it may have.

    Raises:
        RasterError: It cannot be decoded, is too large, or takes too much memory or time.
    """
    return _decoded.get(source, name, max_pixels)


class _Decoded:
    """The decoded files, in a folder that goes with the program."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._paths: OrderedDict[tuple[object, ...], Path] = OrderedDict()
        self._guard = Lock()
        self._count = 0

    def get(self, source: str | bytes, name: str, max_pixels: int) -> Path:
        key = (*_identity(source), max_pixels)
        with self._guard:  # one at a time: each may take all the memory that is for them
            path = self._paths.get(key)
            if path is None or not path.exists():
                path = self._decode(source, name, max_pixels)
                self._paths[key] = path
            self._paths.move_to_end(key)
            while len(self._paths) > _KEPT:
                self._paths.popitem(last=False)[1].unlink(missing_ok=True)
            return path

    def _decode(self, source: str | bytes, name: str, max_pixels: int) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="scinet-jpeg2000-")
        self._count += 1
        out = Path(self._folder.name) / f"{self._count}.tif"
        stored = out.with_suffix(".jp2") if isinstance(source, bytes) else Path(source)
        try:
            if isinstance(source, bytes):
                stored.write_bytes(source)
            _decode_apart(stored, out, name, max_pixels)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
        finally:
            if isinstance(source, bytes):
                stored.unlink(missing_ok=True)
        return out


_decoded = _Decoded()


def _identity(source: str | bytes) -> tuple[object, ...]:
    if isinstance(source, bytes):
        return (hashlib.sha256(source).hexdigest(),)
    facts = Path(source).stat()
    return source, facts.st_mtime_ns, facts.st_size


def _decode_apart(stored: Path, out: Path, name: str, max_pixels: int) -> None:
    size_bytes = stored.stat().st_size
    memory_bytes = min(_MOST_BYTES, int(_LEAST_BYTES + _BYTES_PER_BYTE * size_bytes))
    limit_s = DECODE_S + DECODE_S_PER_MB * size_bytes / 1e6
    child = BoundedChild(__name__, memory_bytes)
    try:
        asked = {"path": str(stored), "out": str(out), "name": name, "max_pixels": max_pixels}
        child.call("decode", asked, timeout_s=limit_s)
    except ChildError as error:
        if error.cause == "failure":
            raise RasterError(f"{name} is damaged or incomplete: its pixels cannot be read.") from None
        raise RasterError(
            f"{name} takes too much memory or time to decode for its size. Save it as GeoTIFF: "
            "gdal_translate -of COG IN OUT."
        ) from None
    finally:
        child.close()


def decode(message: Message) -> Message:
    """In the child: write the GeoTIFF."""
    from scinet.raster.open import check_blocks, check_size

    values = message.values
    with rasterio.Env(**_OPTIONS), rasterio.open(values["path"], driver="JP2OpenJPEG") as dataset:
        check_size(dataset, values["name"], values["max_pixels"])
        check_blocks(dataset, values["name"])
        rasterio.shutil.copy(dataset, values["out"], driver="GTiff", tiled=True, BIGTIFF="IF_SAFER")
    return Message({})
