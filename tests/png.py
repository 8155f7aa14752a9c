"""PNG files of arrays."""

import io
from typing import Any

from numpy.typing import NDArray
from PIL import Image


def png(values: NDArray[Any], palette: list[int] | None = None) -> bytes:
    """The file of an array of grey (H, W), colours or class ids, the latter with a palette of red, green, blue."""
    file = io.BytesIO()
    picture = Image.fromarray(values)
    if palette is not None:
        picture.putpalette(palette)
    picture.save(file, "PNG")
    return file.getvalue()
