"""Masks and probabilities as Cloud Optimized GeoTIFF (COG), images as GeoTIFF."""

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from scinet.atomic_write import atomic_write
from scinet.raster.grid import Grid
from scinet.raster.raster import Raster

COG_BLOCK_PX = 512
MASK_NODATA = 255
PROBABILITY_STEP = 0.004
GDAL_WRITE_OPTIONS = {"GDAL_PAM_ENABLED": False}  # no .aux.xml next to the file


@dataclass(frozen=True)
class BandFormat:
    """How the values of a result are stored in the single band of a file.

    Attributes:
        dtype: Of the stored values.
        nodata: The stored value of pixels that are not valid.
        scale: What a stored value is multiplied by to give the quantity; GIS programs apply it.
        overviews: How GDAL resamples the values for overviews.
        description: What the values mean, in a sentence for the file's tags.
    """

    dtype: Literal["uint8", "float32"]
    nodata: float
    scale: float
    overviews: Literal["MODE", "AVERAGE"]
    description: str


MASK = BandFormat("uint8", MASK_NODATA, 1.0, "MODE", f"Building mask: 1 = building, 0 = not, {MASK_NODATA} = nodata.")
PROBABILITY_UINT8 = BandFormat(
    "uint8",
    MASK_NODATA,
    PROBABILITY_STEP,
    "AVERAGE",
    f"Probability of building: value x {PROBABILITY_STEP} for 0 to 250; {MASK_NODATA} is nodata.",
)
PROBABILITY_FLOAT32 = BandFormat("float32", math.nan, 1.0, "AVERAGE", "Probability of building; NaN is nodata.")


def write_mask(path: str | Path, mask: NDArray[np.uint8], like: Raster, *, note: str = "") -> None:
    """Write a mask as a COG on the grid of an image. The file appears when it is complete.

    Args:
        path: The file to write.
        mask: uint8 (H, W): 1 = building, 0 = not, 255 = nodata.
        like: The image (H, W) that the mask belongs to.
        note: How the mask was made, in sentences; part of the file's description.

    Raises:
        WriteError: The file cannot be written.
        ValueError: The mask has another dtype or shape.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from scinet.raster.scene import read_raster
        >>> image = Raster(
        ...     np.zeros((40, 60, 3), np.uint8), np.ones((40, 60), bool),
        ...     rasterio.Affine(0.1, 0, 810_000, 0, -0.1, 620_000), rasterio.CRS.from_epsg(32630),
        ... )
        >>> mask = np.zeros((40, 60), np.uint8)
        >>> mask[10:20, 10:30] = 1
        >>> with TemporaryDirectory() as folder:
        ...     write_mask(f"{folder}/mask.tif", mask, image)
        ...     round(read_raster(f"{folder}/mask.tif").cm_per_px, 2)
        9.99
    """
    if mask.dtype != np.uint8 or mask.shape != like.shape:
        raise ValueError(f"mask is uint8 {like.shape}, not {mask.dtype} {mask.shape}")
    _write_band(path, mask, like.grid, MASK, note)


def write_probability(path: str | Path, probability: NDArray[np.float32], like: Raster, *, note: str = "") -> None:
    """Write a probability as a COG on the grid of an image. The file appears when it is complete.

    The file holds uint8 in steps of 0.004, a tenth of the size of float32 and finer than a model can tell: 0 to 250
    with the band's scale set, so that GIS programs show 0 to 1. Pixels of `like` that are not valid are nodata, 255.

    Args:
        path: The file to write.
        probability: float32 (H, W) in [0, 1].
        like: The image (H, W) that the probability belongs to.
        note: How the probability was made, in sentences; part of the file's description.

    Raises:
        WriteError: The file cannot be written.
        ValueError: The probability has another shape.
    """
    if probability.shape != like.shape:
        raise ValueError(f"probability is {like.shape}, not {probability.shape}")
    _write_band(path, probability_steps(probability, like.valid), like.grid, PROBABILITY_UINT8, note)


def write_raster(path: str | Path, raster: Raster) -> None:
    """Write an image as a tiled GeoTIFF: uint8 RGBA, opaque where it is valid. The file appears when it is complete.

    Args:
        path: The file to write.
        raster: The image.

    Raises:
        WriteError: The file cannot be written.
    """
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "uint8",
        "photometric": "RGB",
        "alpha": "NON-PREMULTIPLIED",
        "compress": "deflate",
        "predictor": 2,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "BIGTIFF": "IF_SAFER",
    }
    with _create(path, raster.grid, 4, profile) as dataset:
        dataset.write(np.moveaxis(raster.pixels, -1, 0), [1, 2, 3])
        dataset.write(np.where(raster.valid, np.uint8(255), np.uint8(0)), 4)


def probability_steps(probability: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A probability (H, W) in [0, 1] as uint8 (H, W) in steps of 0.004; 255 where `valid`, bool (H, W), is False."""
    return np.where(valid, np.rint(probability / PROBABILITY_STEP), MASK_NODATA).astype(np.uint8)


def stored_probability(steps: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability float32 (H, W) that `probability_steps` stored; more than 1 for nodata."""
    return steps * np.float32(PROBABILITY_STEP)


def cog_options(form: BandFormat) -> dict[str, Any]:
    """What to give GDAL's COG driver for a band: blocks of 512 px, overviews, compression without loss."""
    predictor = {"uint8": "STANDARD", "float32": "FLOATING_POINT"}[form.dtype]
    return {
        "driver": "COG",
        "blocksize": COG_BLOCK_PX,
        "compress": "DEFLATE",
        "predictor": predictor if form.overviews == "AVERAGE" else "NO",
        "overview_resampling": form.overviews,
        "bigtiff": "IF_SAFER",
        "num_threads": 2,
    }


@contextmanager
def gdal_errors_as_os_errors() -> Iterator[None]:
    """Turn GDAL's errors in the block into OSErrors, as those of other files are."""
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        raise OSError from error


def _write_band(path: str | Path, values: NDArray[np.uint8], grid: Grid, form: BandFormat, note: str) -> None:
    profile = {"dtype": form.dtype, "nodata": form.nodata, **cog_options(form)}
    with _create(path, grid, 1, profile) as dataset:
        dataset.write(values, 1)
        if form.scale != 1.0:
            dataset.scales = (form.scale,)
        dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION=f"{form.description} {note}".rstrip())


@contextmanager
def _create(path: str | Path, grid: Grid, count: int, profile: dict[str, Any]) -> Iterator[Any]:
    size = {"width": grid.width, "height": grid.height, "count": count}
    place = {"crs": grid.crs, "transform": grid.transform}
    with atomic_write(path) as temporary, gdal_errors_as_os_errors(), rasterio.Env(**GDAL_WRITE_OPTIONS):
        with rasterio.open(temporary, "w", **size, **place, **profile) as dataset:
            yield dataset
        check_complete(temporary)


def check_complete(path: Path) -> None:
    """Read back a GeoTIFF that was just written: GDAL reports no error where the disk was full when it closed it.

    Raises:
        OSError: A part of it is missing.
        RasterioError: A part of it cannot be read.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
    with rasterio.open(path, driver="GTiff") as dataset:
        factors = dataset.overviews(1)
        for (row, column), window in dataset.block_windows(1):
            if dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=1) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            dataset.read(window=window)
    for level in range(len(factors)):
        with rasterio.open(path, driver="GTiff", overview_level=level) as dataset:
            for _, window in dataset.block_windows(1):
                dataset.read(window=window)
