"""The area of interest: polygons within which masks are scored, measured and traced."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize as burn

from scinet.errors import TruthError
from scinet.raster.grid import Grid
from scinet.vector.annotations import AnnotatedImage
from scinet.vector.choice import VectorChoice
from scinet.vector.footprints import Footprints, in_pixels


@dataclass(frozen=True, eq=False)
class Area:
    """An area of interest.

    Attributes:
        polygons: Its parts, in any CRS.
    """

    polygons: Footprints

    @cached_property
    def key(self) -> str:
        """A hash that changes with the area."""
        digest = hashlib.sha256(str(self.polygons.crs).encode())
        for text in shapely.to_wkb(np.array(self.polygons.polygons, dtype=object)):
            digest.update(text)
        return digest.hexdigest()

    def inside(self, grid: Grid) -> NDArray[np.bool_]:
        """Which pixels of a grid have their centre in the area, bool (H, W)."""
        polygons = in_pixels(np.array(self.polygons.polygons, dtype=object), self.polygons.crs, grid)
        shapes = [polygon for polygon in polygons if not polygon.is_empty]
        if not shapes:
            return np.zeros(grid.shape, np.bool_)
        found: NDArray[np.uint8] = burn(shapes, out_shape=grid.shape, default_value=1, dtype="uint8")
        return found.astype(np.bool_)


def read_area(source: str | Path | bytes, image: Grid, name: str) -> Area:
    """Read an area of interest for an image from a vector file.

    Args:
        source: Path or bytes of a vector file with polygons, in any CRS; docs/files.md lists the formats.
        image: The grid of the image.
        name: What to call it in a message.

    Raises:
        TruthError: It cannot be read, has no size, or covers no pixel of the image.
    """
    from scinet.vector.read import read_footprints  # pyogrio takes a second to import

    polygons = read_footprints(source, name=name, choice=VectorChoice(where="none"), image=AnnotatedImage("", image))
    where = "Draw it on the image, in its CRS or in longitude and latitude."
    return _checked(Area(polygons), image, name, where)


def area_of_corners(corners: Sequence[tuple[float, float]], crs: CRS | None, image: Grid) -> Area:
    """The area of interest of an image that a polygon encloses.

    Args:
        corners: Its corners (x, y) in order.
        crs: Of the corners; None for metres in the local plane of an image without a CRS.
        image: The grid of the image.

    Raises:
        TruthError: It has no size, or covers no pixel of the image.
    """
    ring = np.array(corners, np.float64).reshape(-1, 2)
    drawn = len(ring) >= 3 and np.isfinite(ring).all()
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shapely.Polygon(ring)))) if drawn else []
    polygons = tuple(part for part in parts if isinstance(part, shapely.Polygon))
    return _checked(Area(Footprints(polygons, crs)), image, "The drawn area", "Draw it on the image.")


def _checked(area: Area, image: Grid, name: str, where: str) -> Area:
    if not sum(polygon.area for polygon in area.polygons.polygons) > 0:
        raise TruthError(f"{name} has no size. Draw it with at least three corners that are not on one line.")
    # A grid of at most some million pixels tells as well, and fits in memory whatever the image
    if not area.inside(_reduced(image)).any():
        raise TruthError(f"{name} covers no part of the image, so there is no area to look at. {where}")
    return area


def _reduced(image: Grid) -> Grid:
    factor = max(1.0, max(image.shape) / 4096)
    return image if factor == 1 else image.at(image.cm_per_px * factor)
