"""Tiles as pixels: PNG, JPEG and WebP of a known size, decoded without GDAL."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scinet.errors import RasterError
from scinet.raster.bands import OPAQUE

MAX_TILE_PX = 4096
MAX_TILE_BYTES = 20_000_000

_FORMATS = ("PNG", "JPEG", "WEBP")
_EIGHT_BITS = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")


def tile_size(content: bytes, name: str) -> tuple[int, int]:
    """Width and height of a tile in px. Raises RasterError where it is none that can be read."""
    with _opened(content, name) as image:
        return image.size


def decode_tile(content: bytes, size: tuple[int, int], name: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The colours uint8 (H, W, 3) of a tile and which of its pixels are not clear, bool (H, W).

    Args:
        content: The tile's file.
        size: The width and height that it must have.
        name: What to call the image in a message.

    Raises:
        RasterError: It is damaged, or of another size or kind.
    """
    with _opened(content, name) as image:
        if image.size != size:
            raise RasterError(
                f"{name} has tiles of {size[0]} x {size[1]} px and of {image.size[0]} x {image.size[1]} px, which do "
                "not fit together. Save it with tiles of one size."
            )
        try:
            pixels = np.asarray(image.convert("RGBA"))
        except (OSError, ValueError, SyntaxError, ArithmeticError):
            raise RasterError(f"{name} is damaged: one of its tiles cannot be read.") from None
    return pixels[..., :3], pixels[..., 3] >= OPAQUE


def _opened(content: bytes, name: str) -> Image.Image:
    if len(content) > MAX_TILE_BYTES:
        raise RasterError(f"{name} has a tile of more than {MAX_TILE_BYTES / 1e6:g} MB, which is not read.")
    try:
        image = Image.open(BytesIO(content), formats=_FORMATS)
    except (OSError, ValueError, SyntaxError, ArithmeticError, Image.DecompressionBombError):
        raise RasterError(f"{name} has a tile that is not a PNG, JPEG or WebP image.") from None
    if max(image.size) > MAX_TILE_PX:
        raise RasterError(f"{name} has a tile of {image.size[0]} x {image.size[1]} px; at most {MAX_TILE_PX} are read.")
    if image.mode not in _EIGHT_BITS:
        raise RasterError(f"{name} has tiles of more than 8 bits, such as heights. Give an image.")
    return image
