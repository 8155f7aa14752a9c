"""Samples of an open raster file, to tell what its values mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

_SAMPLE_PX = 1_000_000
_SAMPLED_PX = 400_000_000
_PATCH_PX = 256


def read_sample(dataset: DatasetReader, band: int) -> NDArray[Any]:
    """Values of one band from the whole image: about a million, or those of nine patches if that is quicker."""
    if dataset.width * dataset.height <= _SAMPLE_PX or dataset.overviews(1):
        sample: NDArray[Any] = dataset.read(band, **sample_place(dataset))
        return sample.ravel()
    height, width = min(_PATCH_PX, dataset.height), min(_PATCH_PX, dataset.width)
    block_height, block_width = dataset.block_shapes[band - 1]
    places = [
        Window(
            int((dataset.width - width) * x) // block_width * block_width,
            int((dataset.height - height) * y) // block_height * block_height,
            width,
            height,
        )
        for y in (0.1, 0.5, 0.9)
        for x in (0.1, 0.5, 0.9)
    ]
    return np.concatenate([dataset.read(band, window=place).ravel() for place in places])


def is_whole(dataset: DatasetReader) -> bool:
    """Whether the place of the sample reaches the image's edges."""
    return "out_shape" in sample_place(dataset)


def sample_place(dataset: DatasetReader) -> dict[str, Any]:
    """What to give rasterio's read for about a million pixels of the whole image.

    Of its middle where that would decode a large file without overviews, which takes minutes.
    """
    height, width = dataset.height, dataset.width
    if height * width > _SAMPLED_PX and not dataset.overviews(1):
        side = min(height, width, round(_SAMPLE_PX**0.5))
        return {"window": Window((width - side) // 2, (height - side) // 2, side, side)}
    step = max(1.0, (height * width / _SAMPLE_PX) ** 0.5)
    return {"out_shape": (max(1, int(height / step)), max(1, int(width / step)))}
