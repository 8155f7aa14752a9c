"""`Raster`: an RGB image that knows its ground resolution."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.raster.grid import Grid


@dataclass(frozen=True, eq=False)
class Raster:
    """An RGB image that knows its ground resolution.

    pixels     uint8 (H, W, 3), RGB; 0 where not valid
    valid      bool (H, W); False is nodata
    transform  pixel coordinates -> CRS units; where `crs` is None: -> metres in a local plane (x to the
               right, y up, origin at the upper left corner)
    crs        None where the image has no place on the earth
    notes      what reading did to the image, in sentences for the page
    """

    pixels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    transform: Affine
    crs: CRS | None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels are uint8 (H, W, 3), not {self.pixels.dtype} {self.pixels.shape}")
        if self.valid.dtype != np.bool_ or self.valid.shape != self.pixels.shape[:2]:
            raise ValueError(f"valid is bool (H, W) as pixels, not {self.valid.dtype} {self.valid.shape}")

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @cached_property
    def grid(self) -> Grid:
        return Grid(self.height, self.width, self.transform, self.crs)

    @property
    def metres_per_px(self) -> tuple[float, float]:
        """Ground metres a column (x) and a row (y), at the image's centre."""
        return self.grid.metres_per_px

    @property
    def cm_per_px(self) -> float:
        """GSD: ground centimetres a pixel, the geometric mean of x and y."""
        return self.grid.cm_per_px

    @property
    def pixel_area_m2(self) -> float:
        """Ground area of a pixel in m2, at the image's centre."""
        return self.grid.pixel_area_m2
