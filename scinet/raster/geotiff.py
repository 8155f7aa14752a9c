"""Masks and probabilities as GeoTIFF files."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from scinet.atomic_write import atomic_write
from scinet.raster.raster import Raster

MASK_NODATA = 255
PROBABILITY_STEP = 0.004
STEPS_DESCRIPTION = f"Probability of building: value x {PROBABILITY_STEP} for 0 to 250; {MASK_NODATA} is nodata."


def write_mask(path: str | Path, mask: NDArray[np.uint8], like: Raster) -> None:
    """Write a uint8 mask (H, W), 1 = building, 0 = not, 255 = nodata, as GeoTIFF on `like`'s grid.

    The file appears under its name only when it is complete. Raises WriteError where it cannot be written.
    """
    if mask.dtype != np.uint8 or mask.shape != like.shape:
        raise ValueError(f"mask is uint8 {like.shape}, not {mask.dtype} {mask.shape}")
    _write_band(path, mask, like)


def write_probability(path: str | Path, probability: NDArray[np.float32], like: Raster) -> None:
    """Write a probability float32 (H, W) in [0, 1] as GeoTIFF on `like`'s grid; nodata where that is not valid.

    The file holds uint8 in steps of 0.004, a tenth of the size of float32 and finer than a model can tell:
    0 to 250 with the band's scale set, so that GIS programs show 0 to 1; 255 is nodata.

    The file appears under its name only when it is complete. Raises WriteError where it cannot be written.
    """
    if probability.shape != like.shape:
        raise ValueError(f"probability is {like.shape}, not {probability.shape}")
    _write_band(path, probability_steps(probability, like.valid), like, PROBABILITY_STEP, STEPS_DESCRIPTION)


def write_raster(path: str | Path, raster: Raster) -> None:
    """Write an image as GeoTIFF: uint8 RGBA, opaque where it is valid.

    The file appears under its name only when it is complete. Raises WriteError where it cannot be written.
    """
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": raster.width,
        "height": raster.height,
        "count": 4,
        "dtype": "uint8",
        "crs": raster.crs,
        "transform": raster.transform,
        "photometric": "RGB",
        "alpha": "unassociated",
        "compress": "deflate",
        "predictor": 2,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "BIGTIFF": "IF_SAFER",
    }
    with (
        atomic_write(path) as partial,
        rasterio.Env(GDAL_PAM_ENABLED=False),
        rasterio.open(partial, "w", **profile) as dataset,
    ):
        dataset.write(np.moveaxis(raster.pixels, -1, 0), [1, 2, 3])
        dataset.write(np.where(raster.valid, np.uint8(255), np.uint8(0)), 4)


def probability_steps(probability: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A probability (H, W) in [0, 1] as uint8 steps of 0.004; 255 where not valid, bool (H, W)."""
    return np.where(valid, np.rint(probability / PROBABILITY_STEP), MASK_NODATA).astype(np.uint8)


def _write_band(
    path: str | Path, band: NDArray[np.uint8], like: Raster, scale: float = 1.0, description: str = ""
) -> None:
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": like.width,
        "height": like.height,
        "count": 1,
        "dtype": "uint8",
        "nodata": MASK_NODATA,
        "crs": like.crs,
        "transform": like.transform,
        "compress": "deflate",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "BIGTIFF": "IF_SAFER",
    }
    with (
        atomic_write(path) as partial,
        rasterio.Env(GDAL_PAM_ENABLED=False),
        rasterio.open(partial, "w", **profile) as dataset,
    ):
        dataset.write(band, 1)
        if scale != 1.0:
            dataset.scales = (scale,)
        if description:
            dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION=description)
