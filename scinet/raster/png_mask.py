"""Masks as PNG for programs that read no GeoTIFF: white on buildings, black elsewhere, clear where nothing is known."""

from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.transform import Affine

from scinet.errors import WriteError
from scinet.raster.geotiff import MASK_NODATA
from scinet.raster.grid import Grid

MAX_PIXELS = 100_000_000  # of a PNG, which is read as a whole
GEOTIFF_SUFFIXES = (".tif", ".tiff")


def check_mask_path(path: Path, grid: Grid, is_mask: bool) -> None:
    """Raise WriteError where a path's suffix is not that of a format that can hold a result.

    Args:
        path: Of the result.
        grid: Its grid.
        is_mask: Whether it is a mask, not a probability.
    """
    suffix = path.suffix.lower()
    if suffix in GEOTIFF_SUFFIXES:
        return
    if suffix in (".jpg", ".jpeg", ".webp"):
        raise WriteError(f"{path.name} cannot be written: {suffix[1:].upper()} blurs masks. Give a .tif or .png.")
    if suffix != ".png":
        raise WriteError(f"{path.name} cannot be written: give a path that ends in .tif or .png.")
    if not is_mask:
        raise WriteError(f"{path.name} cannot be written: PNG holds masks alone. Give a .tif for the probability.")
    if grid.width * grid.height > MAX_PIXELS:
        raise WriteError(
            f"{path.name} would have more than {MAX_PIXELS / 1e6:g} million pixels, which few programs read as PNG. "
            "Give a .tif."
        )


def mask_to_png(mask: Path, out: Path) -> None:
    """Convert a mask of 1 = building, 0 = not and 255 = nodata to PNG. Raises OSError and errors of rasterio."""
    with rasterio.open(mask, driver="GTiff") as dataset:
        values = dataset.read(1)
    opaque = np.where(values == MASK_NODATA, np.uint8(0), np.uint8(255))
    white = np.where(values == 1, np.uint8(255), np.uint8(0))
    Image.fromarray(np.stack([white, opaque], axis=-1)).save(out, "PNG")
    with Image.open(out) as written:
        written.load()


def world_file(transform: Affine) -> str:
    """The text of a .pgw file: where the centre of the first pixel lies, and what a column and a row are."""
    x, y = transform @ (0.5, 0.5)
    lines = (transform.a, transform.d, transform.b, transform.e, x, y)
    return "".join(f"{value:.12f}\n" for value in lines)
