"""`Raster`: an RGB image that knows its ground resolution."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.raster.grid import Grid


@dataclass(frozen=True, eq=False)
class Raster:
    """An RGB image in memory that knows its ground resolution.

    Attributes:
        pixels: uint8 (H, W, 3), RGB; 0 where not valid.
        valid: bool (H, W); False is nodata.
        transform: Pixel coordinates (column, row) -> CRS units; where `crs` is None: -> metres in a local plane
            (x to the right, y up, origin at the upper left corner).
        crs: None where the image has no place on the earth.
        notes: What reading did to the image, in sentences for the reader.
        taken: The day of which its file is; None where it does not say.

    Raises:
        ValueError: `pixels` or `valid` have another dtype or shape.

    Example:
        >>> metres = Affine(0.1, 0, 0, 0, -0.1, 0)
        >>> raster = Raster(np.zeros((40, 60, 3), np.uint8), np.ones((40, 60), bool), metres, None)
        >>> raster.shape, round(raster.cm_per_px, 6), round(raster.pixel_area_m2, 6)
        ((40, 60), 10.0, 0.01)
    """

    pixels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    transform: Affine
    crs: CRS | None
    notes: tuple[str, ...] = ()
    taken: date | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels are uint8 (H, W, 3), not {self.pixels.dtype} {self.pixels.shape}")
        if self.valid.dtype != np.bool_ or self.valid.shape != self.pixels.shape[:2]:
            raise ValueError(f"valid is bool (H, W) as pixels, not {self.valid.dtype} {self.valid.shape}")

    @property
    def height(self) -> int:
        """Rows in px."""
        return self.grid.height

    @property
    def width(self) -> int:
        """Columns in px."""
        return self.grid.width

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.grid.shape

    @cached_property
    def grid(self) -> Grid:
        """The pixels without their values: size, place and ground resolution."""
        height, width = self.valid.shape
        return Grid(height, width, self.transform, self.crs)

    @property
    def metres_per_px(self) -> tuple[float, float]:
        """Ground metres per column (x) and per row (y), at the image's centre."""
        return self.grid.metres_per_px

    @property
    def cm_per_px(self) -> float:
        """GSD: ground centimetres per pixel, the geometric mean of x and y."""
        return self.grid.cm_per_px

    @property
    def pixel_area_m2(self) -> float:
        """Ground area in m2 of one pixel, at the image's centre."""
        return self.grid.pixel_area_m2
