"""Headers that would take seconds to read, each time that a file is opened: refused after a look at their outline."""

import struct
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from scinet.errors import RasterError

MAX_TEXT_BYTES = 2_000_000  # of compressed texts and profiles, which may become a thousand times as many
MAX_DIRECTORIES = 1000

_PNG = b"\x89PNG\r\n\x1a\n"
_COMPRESSED = (b"zTXt", b"iTXt", b"iCCP")


def check_header(source: str | bytes, name: str) -> None:
    """Check the outline of a PNG or a TIFF file.

    Args:
        source: Its path or bytes.
        name: What to call it in a message.

    Raises:
        RasterError: A PNG has too much text, or a TIFF too many images.
    """
    with BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        head = file.read(8)
        if head == _PNG:
            _check_png(file, name)
        elif head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            _check_tiff(file, "<" if head[:2] == b"II" else ">", head[2 if head[:2] == b"II" else 3] == 43, name)


def _check_png(file: BinaryIO, name: str) -> None:
    total = 0
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            return
        total += length if kind in _COMPRESSED else 12
        if total > MAX_TEXT_BYTES:
            raise RasterError(
                f"{name} holds more text and profiles than an image needs. Save it without them: gdal_translate IN OUT."
            )
        file.seek(length + 4, 1)


def _check_tiff(file: BinaryIO, order: str, is_big: bool, name: str) -> None:
    """Follow the list of images; what is damaged is for GDAL to find."""
    size_bytes = file.seek(0, 2)
    count_form, place_form, entry_bytes = ("Q", "Q", 20) if is_big else ("H", "I", 12)
    file.seek(8 if is_big else 4)
    for _ in range(MAX_DIRECTORIES + 1):
        place = _number(file, order + place_form)
        if not place or place >= size_bytes:
            return
        file.seek(place)
        count = _number(file, order + count_form)
        if count is None or count > size_bytes:
            return
        file.seek(count * entry_bytes, 1)
    raise RasterError(f"{name} holds more than {MAX_DIRECTORIES} images. Save the one that you need: gdal_translate.")


def _number(file: BinaryIO, form: str) -> int | None:
    content = file.read(struct.calcsize(form))
    return struct.unpack(form, content)[0] if len(content) == struct.calcsize(form) else None
