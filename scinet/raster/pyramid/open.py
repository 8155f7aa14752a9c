"""What is not an image file by itself: files and folders of tiles, services, and items of catalogues."""

from dataclasses import replace
from pathlib import Path

from scinet import store, web
from scinet.local_file import open_regular
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid.database import SQLITE, open_database
from scinet.raster.pyramid.folder import is_tile_folder, open_folder
from scinet.raster.pyramid.matrix import Pyramid
from scinet.raster.pyramid.place import pyramid_scene
from scinet.raster.pyramid.pmtiles import MAGIC, ReadBytes, open_pmtiles
from scinet.raster.pyramid.services import open_service
from scinet.raster.scene import Scene, open_scene
from scinet.raster.stac import StacImage

_HEAD_BYTES = 16


def open_indirect(source: str | bytes, name: str, cm_per_px: float | None, choice: ImageChoice) -> Scene | None:
    """The scene in a file or folder of tiles, of a service, or of a STAC item; None for an image file.

    Args:
        source: Its path, address or bytes.
        name: What to call it in a message.
        cm_per_px: Its resolution in ground centimetres, used only where it has none of its own.
        choice: What the reader says about it.

    Raises:
        GsdMissingError: It has no resolution of its own and `cm_per_px` is None.
        RasterError: It is one, but damaged or without pictures.
    """
    if isinstance(source, str) and web.is_url(source):
        return _from_address(source, cm_per_px, choice)
    if store.is_in_store(source):
        return None
    pyramid = _from_file(source, name, choice)
    return None if pyramid is None else pyramid_scene(source, name, pyramid, cm_per_px, choice)


def _from_address(url: str, cm_per_px: float | None, choice: ImageChoice) -> Scene | None:
    found = open_service(url, cm_per_px, choice)
    if isinstance(found, StacImage):
        scene = open_scene(found.address, cm_per_px=cm_per_px, choice=choice)
        return replace(scene, notes=(found.note, *scene.notes))
    if found is None:
        return None
    return pyramid_scene(url, web.host(url), found, cm_per_px, choice)


def _from_file(source: str | bytes, name: str, choice: ImageChoice) -> Pyramid | None:
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
