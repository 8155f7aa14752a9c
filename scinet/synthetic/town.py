"""A generated town seen from a drone: exact footprints, drawn at any ground resolution."""

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

MIN_CM_PER_PX, MAX_CM_PER_PX = 2.0, 200.0
MIN_SIZE_M = 30.0


@dataclass(frozen=True, eq=False)
class Town:
    """A square of land.

    Attributes:
        seed: What it was made from.
        size_m: Its side in m.
        plan: Everything that stands on it.
    """

    seed: int
    size_m: float
    plan: Plan = field(repr=False)

    @cached_property
    def footprints(self) -> Footprints:
        """Valid polygons in metres, one per building: x in [0, size_m], y in [-size_m, 0].

        They share edges at most, never area.
        """
        return Footprints(tuple(building.footprint for building in self.plan.buildings), None)

    def render(self, cm_per_px: float, *, finer_steps: int = 5) -> Raster:
        """Draw the town.

        Geometry and textures are the same at each resolution: a coarse image is close to the area average of a fine
        one.

        Args:
            cm_per_px: The resolution, 2 to 200 cm/px; the nearest one that divides the town's side is taken.
            finer_steps: A pixel above 10 cm is the mean of at most this many finer ones per side.

        Returns:
            The image, without a CRS, with its origin at (0, 0).

        Raises:
            ResolutionError: The resolution is out of range.
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


def make_town(
    seed: int = 0, size_m: float = 120.0, climate: Climate | None = None, hall_m: float | None = None
) -> Town:
    """Generate a town, whose reference buildings are exact at any resolution.

    Args:
        seed: 0 or more; the same seed and size give the same town.
        size_m: Its side, at least 30 m.
        climate: What it looks like, see `scinet.synthetic.climate`; by default West Africa.
        hall_m: The length of a hall in it, at most `size_m` less 10 m. By default, towns with a side of 160 m or more
            have one of 80 m.

    Returns:
        The town: `town.render(cm_per_px)` draws it as a `Raster`, `town.footprints` are its buildings.

    Raises:
        ValueError: The side or the seed is too small, or the hall too long.

    Example:
        >>> from scinet import make_town
        >>> from scinet.vector.footprints import rasterize
        >>> town = make_town(seed=3, size_m=60)
        >>> raster = town.render(cm_per_px=20)
        >>> raster.pixels.shape, raster.cm_per_px
        ((300, 300, 3), 20.0)
        >>> labels = rasterize(town.footprints, raster)
        >>> labels.shape, labels.max() == len(town.footprints.polygons)
        ((300, 300), np.True_)
    """
    if not size_m >= MIN_SIZE_M:
        raise ValueError(f"size_m is at least {MIN_SIZE_M:g}, not {size_m:g}")
    if seed < 0:
        raise ValueError(f"seed is 0 or more, not {seed}")
    if hall_m is not None and not 0 < hall_m <= size_m - 10:
        raise ValueError(f"hall_m is at most size_m less 10 m, not {hall_m:g}")
    return Town(seed, size_m, make_layout(seed, size_m, climate or Climate(), hall_m))
