"""Which files are pyramids, told by their content, and how each kind is opened."""

from pathlib import Path

from scinet.local_file import open_regular
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid.database import SQLITE, open_database
from scinet.raster.pyramid.folder import is_tile_folder, open_folder
from scinet.raster.pyramid.matrix import Pyramid
from scinet.raster.pyramid.place import pyramid_scene
from scinet.raster.pyramid.pmtiles import MAGIC, ReadBytes, open_pmtiles
from scinet.raster.pyramid.scene import PyramidScene

_HEAD_BYTES = 16


def open_pyramid(source: str | bytes, name: str, cm_per_px: float | None, choice: ImageChoice) -> PyramidScene | None:
    """The scene in a file or folder of tiles; None for any other file.

    Args:
        source: Its path or bytes.
        name: What to call it in a message.
        cm_per_px: Its resolution in ground centimetres, used only where it has no place on the earth.
        choice: What the reader says about it.

    Raises:
        GsdMissingError: It has no place on the earth and `cm_per_px` is None.
        RasterError: It is one, but damaged or without pictures.
    """
    pyramid = _opened(source, name, choice)
    return None if pyramid is None else pyramid_scene(source, name, pyramid, cm_per_px, choice)


def _opened(source: str | bytes, name: str, choice: ImageChoice) -> Pyramid | None:
    if isinstance(source, str) and Path(source).is_dir():
        return open_folder(Path(source), name, choice.tms) if is_tile_folder(Path(source)) else None
    head = _head(source)
    if head.startswith(SQLITE):
        return open_database(source, name, choice.page)
    return open_pmtiles(_reader(source), name) if head.startswith(MAGIC) else None


def _head(source: str | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEAD_BYTES]
    try:
        with open_regular(source) as file:
            return file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return b""  # opening it as an image says what is wrong


def _reader(source: str | bytes) -> ReadBytes:
    def from_file(offset: int, length: int) -> bytes:
        with open_regular(str(source)) as file:
            file.seek(offset)
            return file.read(length)

    def from_bytes(offset: int, length: int) -> bytes:
        return bytes(source[offset : offset + length]) if isinstance(source, bytes) else b""

    return from_bytes if isinstance(source, bytes) else from_file
