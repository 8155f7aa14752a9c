"""The pixels of an image without their values: size, place and ground resolution."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.raster.resolution import ground_m2_per_px, ground_metres_per_px, parse_cm_per_px

SQUARE_WITHIN = 0.01  # how far a pixel's sides on the ground may differ, relatively, and count as equal


@dataclass(frozen=True)
class Grid:
    """The pixels of an image without their values.

    Attributes:
        height: Rows in px.
        width: Columns in px.
        transform: As in `Raster`.
        crs: As in `Raster`.
    """

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.height, self.width

    @cached_property
    def metres_per_px(self) -> tuple[float, float]:
        """Ground metres per column (x) and per row (y), at the centre."""
        return ground_metres_per_px(self.transform, self.crs, self.width, self.height)

    @property
    def cm_per_px(self) -> float:
        """GSD: ground centimetres per pixel, the geometric mean of x and y."""
        return 100.0 * math.sqrt(math.prod(self.metres_per_px))

    @cached_property
    def pixel_area_m2(self) -> float:
        """Ground area in m2 of one pixel, at the centre."""
        return ground_m2_per_px(self.transform, self.crs, self.width, self.height)

    def exact_size_at(self, cm_per_px: float) -> tuple[float, float]:
        """Height and width of the extent in pixels of exactly `cm_per_px` ground centimetres."""
        metres_x, metres_y = self.metres_per_px
        return self.height * metres_y * 100 / cm_per_px, self.width * metres_x * 100 / cm_per_px

    def at(self, cm_per_px: float) -> "Grid":
        """The grid over the same extent whose pixels are the nearest to `cm_per_px` that divide it.

        At its own resolution a grid of nearly square pixels stays as it is: in Web Mercator none are exactly square.

        Raises:
            ResolutionError: `cm_per_px` is not a number from 0.5 to 2000.
        """
        cm_per_px = parse_cm_per_px(cm_per_px)
        x, y = self.metres_per_px
        if math.isclose(cm_per_px, self.cm_per_px, rel_tol=1e-9) and math.isclose(x, y, rel_tol=SQUARE_WITHIN):
            return self
        return self.resized([max(1, round(side)) for side in self.exact_size_at(cm_per_px)])

    def resized(self, shape: Sequence[int]) -> "Grid":
        """The grid of another height and width over the same extent."""
        height, width = shape
        scale = Affine.scale(self.width / width, self.height / height)
        return Grid(height, width, self.transform @ scale, self.crs)

    def part(self, top: int, height: int) -> "Grid":
        """The grid of `height` rows from row `top` on."""
        return Grid(height, self.width, self.transform @ Affine.translation(0, top), self.crs)
