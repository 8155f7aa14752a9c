"""The bands of a mask image in as few bytes as they need: a file of some kB can claim 100 million values of 8 bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from scinet.errors import RasterError

_MAX_WIDE_BYTES = 250_000_000  # of values that do not fit in a byte each
_MAX_CLASS = 127
_ROWS_PX = 4_000_000


def read_bands(dataset: DatasetReader, bands: list[int]) -> NDArray[Any]:
    """The bands (C, H, W) of a mask image; uint8 where that holds all values of a single band.

    Raises:
        RasterError: The values need more memory than a mask may take.
    """
    kinds = {np.dtype(dataset.dtypes[band - 1]) for band in bands}
    size_bytes = len(bands) * dataset.width * dataset.height * max(kind.itemsize for kind in kinds)
    if kinds == {np.dtype(np.uint8)} or size_bytes <= _MAX_WIDE_BYTES:
        return np.asarray(dataset.read(bands))
    narrow = _read_narrow(dataset, bands[0]) if len(bands) == 1 else None
    if narrow is None:
        raise RasterError(
            f"The mask has {size_bytes / 1e6:,.0f} MB of values. Save it as uint8 (gdal_translate -b 1 -ot Byte IN "
            "OUT), or cut it first."
        )
    return narrow


def _read_narrow(dataset: DatasetReader, band: int) -> NDArray[np.uint8] | None:
    """Class ids up to 127, or 0 and 255, as uint8 (1, H, W); None for other values."""
    values = np.empty((1, dataset.height, dataset.width), np.uint8)
    has_classes = has_white = False
    step = max(1, _ROWS_PX // dataset.width)
    for top in range(0, dataset.height, step):
        rows = min(step, dataset.height - top)
        part = dataset.read(band, window=Window(0, top, dataset.width, rows))
        with np.errstate(invalid="ignore"):
            small = part.astype(np.uint8)
        if not (small == part).all():
            return None
        most = int(small[small < 255].max(initial=0))
        has_classes, has_white = has_classes or most > 0, has_white or bool((small == 255).any())
        if most > _MAX_CLASS or (has_classes and has_white):
            return None
        values[0, top : top + rows] = small
    return values
