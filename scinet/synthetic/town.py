"""A generated town seen from a drone: exact footprints, drawn at any ground resolution.

town = make_town(seed=3, size_m=120)
raster = town.render(10)                         # Raster, 1200 x 1200 px
truth = rasterize(town.footprints, raster)
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from rasterio.transform import Affine

from scinet.errors import ResolutionError
from scinet.raster.raster import Raster
from scinet.synthetic.climate import Climate
from scinet.synthetic.elements import Plan
from scinet.synthetic.layout import make_layout
from scinet.synthetic.painter import Painter
from scinet.vector.footprints import Footprints

__all__ = ["Town", "make_town"]

MIN_CM_PER_PX, MAX_CM_PER_PX = 2.0, 200.0
MIN_SIZE_M = 30.0


@dataclass(frozen=True, eq=False)
class Town:
    """A square of land. `plan` holds everything on it, `footprints` the truth."""

    seed: int
    size_m: float
    plan: Plan = field(repr=False)

    @cached_property
    def footprints(self) -> Footprints:
        """Valid polygons in metres, one a building: x in [0, size_m], y in [-size_m, 0].

        They share edges at most, never area.
        """
        return Footprints(tuple(building.footprint for building in self.plan.buildings), None)

    def render(self, cm_per_px: float, *, finer_steps: int = 5) -> Raster:
        """The image at the pixel nearest to `cm_per_px` that divides the town's side; no CRS, origin (0, 0).

        The same geometry and textures at each resolution: a coarse image is close to the area average of a
        fine one, the closer the more `finer_steps`: a pixel above 10 cm is the mean of at most so many a side.
        Raises ResolutionError outside 2 to 200 cm/px.
        """
        if not MIN_CM_PER_PX <= cm_per_px <= MAX_CM_PER_PX:
            raise ResolutionError(
                f"The town cannot be drawn at {cm_per_px:g} cm/px. "
                f"Ask for {MIN_CM_PER_PX:g} to {MAX_CM_PER_PX:g} cm/px."
            )
        side = round(self.size_m * 100 / cm_per_px)
        metres_per_px = self.size_m / side
        pixels = self._painter.paint(metres_per_px, side, finer_steps)
        valid = np.ones(pixels.shape[:2], bool)
        return Raster(pixels, valid, Affine(metres_per_px, 0, 0, 0, -metres_per_px, 0), None)

    @cached_property
    def _painter(self) -> Painter:
        return Painter(self.plan, self.seed)


def make_town(seed: int = 0, size_m: float = 120.0, climate: Climate | None = None) -> Town:
    """A town of size_m x size_m, the same for the same seed. From 160 m on it has a hall of 80 m.

    It stands in West Africa, or in another climate (see `scinet.synthetic.climate`).

    Raises ValueError for a side below 30 m or a negative seed.
    """
    if not size_m >= MIN_SIZE_M:
        raise ValueError(f"size_m is at least {MIN_SIZE_M:g}, not {size_m:g}")
    if seed < 0:
        raise ValueError(f"seed is 0 or more, not {seed}")
    return Town(seed, size_m, make_layout(seed, size_m, climate or Climate()))
