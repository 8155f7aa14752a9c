"""The area of interest: polygons within which masks are scored, measured and traced."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
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

    @property
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
        TruthError: It cannot be read, lies outside the image, or covers no pixel of it.
    """
    from scinet.vector.read import read_footprints  # pyogrio takes a second to import

    polygons = read_footprints(source, name=name, choice=VectorChoice(where="none"), image=AnnotatedImage("", image))
    area = Area(polygons)
    # A grid of at most some million pixels tells as well, and fits in memory whatever the image
    if not area.inside(_reduced(image)).any():
        raise TruthError(
            f"{name} covers no part of the image, so there is no area to look at. Draw it on the image, in its CRS or "
            "in longitude and latitude."
        )
    return area


def _reduced(image: Grid) -> Grid:
    factor = max(1.0, max(image.shape) / 4096)
    return image if factor == 1 else image.at(image.cm_per_px * factor)
