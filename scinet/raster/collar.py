"""White or black collars of 8-bit images, whose files do not mark them: those of orthophotos saved as JPEG."""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window
from scipy.ndimage import label

from scinet.raster.sample import sample_place

LOSSY_LEVELS = 10  # how far lossy compression moves black and white
_LOSSY = ("JPEG", "WEBP", "JPEG2000", "YCbCr JPEG")
_SMALL_PX = 1_000_000
_AT_THE_EDGE = 0.05  # of the border, at least, is collar
_LEAST_SHARE, _MOST_SHARE = 0.01, 0.95  # of the image
_OUTSIDE = 0.98  # of the black or white pixels touch the edge: else they are things in the image
_EXACT = 0.5  # of a collar is quite black or white; shadows and roofs are not


def find_collar(dataset: DatasetReader, bands: list[int]) -> tuple[float | None, float]:
    """The value of a collar, 0 or 255, or None; and how far its pixels may be from it.

    Args:
        dataset: An open file with 8-bit bands that marks neither nodata nor transparency.
        bands: Those that are shown.
    """
    tolerance = float(LOSSY_LEVELS if _is_lossy(dataset) else 0)
    place = sample_place(dataset)
    if any(dataset.mask_flag_enums[band - 1] != [MaskFlags.all_valid] for band in bands) or "out_shape" not in place:
        return None, tolerance
    try:
        if not _may_have_one(dataset, bands, tolerance):
            return None, tolerance
        sample = dataset.read(bands, out_shape=(len(bands), *place["out_shape"]))
    except (RasterioError, CPLE_BaseError):
        if dataset.driver != "GTiff":
            raise  # GDAL says so once: reading a damaged WebP again gives grey
        with suppress(RasterioError, CPLE_BaseError):
            _ = dataset.colorinterp  # rasterio raises GDAL's last error once more
        return None, tolerance  # reading the image will say what is damaged
    return next((value for value in (0.0, 255.0) if _is_collar(sample, value, tolerance)), None), tolerance


def _is_lossy(dataset: DatasetReader) -> bool:
    return (
        dataset.driver in ("JPEG", "WEBP", "JP2OpenJPEG")
        or str(dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION")) in _LOSSY
    )


def _may_have_one(dataset: DatasetReader, bands: list[int], tolerance: float) -> bool:
    """Whether the first or last row or column has black or white: of a large image only they are read at first."""
    width, height = dataset.width, dataset.height
    if width * height <= _SMALL_PX or dataset.overviews(1):
        return True
    if dataset.driver in ("PNG", "WEBP", "JP2OpenJPEG"):
        return False  # no part can be read without the rest: the image would be decoded twice
    rows = [Window(0, 0, width, 1), Window(0, height - 1, width, 1)]
    columns = [Window(0, 0, 1, height), Window(width - 1, 0, 1, height)]
    tiled = dataset.block_shapes[0][1] < width
    edges = [dataset.read(bands, window=place).reshape(len(bands), -1) for place in rows + (columns if tiled else [])]
    edge = np.concatenate(edges, axis=1).astype(np.int16)
    return any((np.abs(edge - value) <= tolerance).all(axis=0).mean() > _AT_THE_EDGE / 4 for value in (0, 255))


def _is_collar(sample: NDArray[Any], value: float, tolerance: float) -> bool:
    near = (np.abs(sample.astype(np.int16) - value) <= tolerance).all(axis=0)
    border = np.concatenate([near[0], near[-1], near[:, 0], near[:, -1]])
    corners = near[[0, 0, -1, -1], [0, -1, 0, -1]]
    if not (corners.any() and border.mean() >= _AT_THE_EDGE and _LEAST_SHARE <= near.mean() <= _MOST_SHARE):
        return False
    parts, _ = label(near)
    at_edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    collar = np.isin(parts, at_edge[at_edge > 0])
    exact = (sample == value).all(axis=0)
    return bool(collar.sum() >= _OUTSIDE * near.sum() and exact[collar].mean() >= _EXACT)
