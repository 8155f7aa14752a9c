"""The footprints of a mask of any size as a vector file: traced, cleaned and written band by band."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from scinet.errors import WriteError
from scinet.raster.grid import Grid
from scinet.vector.trace import trace
from scinet.vector.write import Batch, check_vector_path, write_batches

Polygons = NDArray[np.object_]


@dataclass(frozen=True)
class FootprintFile:
    """Where footprints go and what they are like; all sizes are on the ground.

    path         its suffix tells the format: see `scinet.vector.write.write_batches`
    min_area_m2  smaller polygons are left out
    min_hole_m2  smaller holes are closed; at most `min_area_m2`, lest a building that stands in one be covered
    simplify_m   outlines may leave the mask's by so much; 0 follows the pixels' edges
    square       straight walls at right angles (or 45 degrees), within `simplify_m`, by default 0.5
    """

    path: Path
    min_area_m2: float = 0.0
    min_hole_m2: float = 0.0
    simplify_m: float = 0.0
    square: bool = False

    def check(self, grid: Grid) -> None:
        """Raise WriteError where they cannot be had: better now than after hours of work."""
        check_vector_path(self.path, grid.crs)
        for value in (self.min_area_m2, self.min_hole_m2, self.simplify_m):
            if not 0 <= value < math.inf:
                raise WriteError(f"The footprints' sizes are 0 or more, not {value:g}.")
        if self.min_hole_m2 > self.min_area_m2:
            raise WriteError(
                f"Closing holes of up to {self.min_hole_m2:g} m2 would cover buildings that stand in them. "
                f"Leave out buildings of up to {self.min_hole_m2:g} m2 too (--min-area-m2)."
            )
        if not self.path.parent.is_dir():
            raise WriteError(f"{self.path} cannot be written: its folder does not exist.")


def write_scene_footprints(file: FootprintFile, mask: Iterable[tuple[int, NDArray[np.bool_]]], grid: Grid) -> int:
    """Write the outlines of a mask's 4-connected components; returns how many there are.

    `mask` gives (top row, bool (H, W)) without a gap, full width. All geometries are valid; each has its `area_m2`
    on the ground, at its place in the scene. Raises WriteError.
    """
    file.check(grid)
    return write_batches(file.path, _batches(file, mask, grid), {"area_m2": "f"}, grid.crs, "Polygon")


def _batches(file: FootprintFile, mask: Iterable[tuple[int, NDArray[np.bool_]]], grid: Grid) -> Iterator[Batch]:
    former = 0
    for bottom, polygons in trace(mask):
        here = grid.part(former, max(1, bottom - former))
        polygons = _large_enough(polygons, file, here.pixel_area_m2)
        polygons = _valid(_shaped(polygons, file, here))
        yield (
            shapely.transform(polygons, lambda xy: np.column_stack(grid.transform @ (xy[:, 0], xy[:, 1]))),
            {"area_m2": shapely.area(polygons) * here.pixel_area_m2},
        )
        former = min(bottom, grid.height - 1)


def _large_enough(polygons: Polygons, file: FootprintFile, pixel_area_m2: float) -> Polygons:
    """Without small polygons and small holes. Areas that a pixel's divides are kept in spite of rounding."""
    kept = polygons[shapely.area(polygons) >= file.min_area_m2 / pixel_area_m2 - 1e-6]
    if file.min_hole_m2 > 0:
        least_px = file.min_hole_m2 / pixel_area_m2 - 1e-6
        for index in np.flatnonzero(shapely.get_num_interior_rings(kept)):
            holes = [ring for ring in kept[index].interiors if Polygon(ring).area >= least_px]
            kept[index] = Polygon(kept[index].exterior, holes)
    return kept


def _shaped(polygons: Polygons, file: FootprintFile, grid: Grid) -> Polygons:
    """Simplified or regularize in metres; in pixel coordinates as before."""
    if not len(polygons) or not (file.simplify_m or file.square):
        return polygons
    metres = np.array(grid.metres_per_px)
    on_ground = shapely.transform(polygons, lambda xy: xy * metres)
    if file.square:
        from scinet.vector.regularize import regularize  # its library takes a second to load

        on_ground = regularize(on_ground, file.simplify_m or 0.5)
    else:
        on_ground = shapely.simplify(on_ground, file.simplify_m, preserve_topology=True)
    return shapely.transform(on_ground, lambda xy: xy / metres)


def _valid(polygons: Polygons) -> Polygons:
    """Valid polygons only: what has come to cross itself is cut into its parts."""
    invalid = ~shapely.is_valid(polygons)
    if not invalid.any():
        return polygons
    mended = shapely.get_parts(shapely.make_valid(polygons[invalid]))
    return np.concatenate([polygons[~invalid], mended[shapely.get_type_id(mended) == shapely.GeometryType.POLYGON]])
