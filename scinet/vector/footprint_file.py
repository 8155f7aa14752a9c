"""The outlines of a mask of any size as a vector file: traced, cleaned and written band by band."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from scinet.errors import WriteError
from scinet.raster.components import label
from scinet.raster.grid import Grid
from scinet.raster.raster import Raster
from scinet.vector.trace import trace
from scinet.vector.write import Batch, check_vector_path, write_batches

TRACED_ROWS = 128  # at a time: tracing takes ten times the memory of the mask
_SQUARE_TOLERANCE_M = 0.5

Polygons = NDArray[np.object_]
MaskBands = Iterable[tuple[int, NDArray[np.bool_]]]


@dataclass(frozen=True)
class FootprintFile:
    """Where footprints are written and how their outlines are cleaned; all sizes are on the ground.

    Attributes:
        path: Its suffix tells the format: see `scinet.vector.write.write_batches`.
        min_area_m2: Smaller polygons are left out.
        min_hole_m2: Smaller holes are closed; at most `min_area_m2`, so that no building that stands in one is covered.
        simplify_m: How far outlines may be from the mask's; 0 follows the pixels' edges.
        square: Whether walls are straightened to right angles (or 45 degrees), within `simplify_m`, by default 0.5.
    """

    path: Path
    min_area_m2: float = 0.0
    min_hole_m2: float = 0.0
    simplify_m: float = 0.0
    square: bool = False

    def check(self, grid: Grid) -> None:
        """Raise WriteError where the file cannot be written: better now than after hours of work."""
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


def write_footprints(
    path: str | Path,
    mask: NDArray[np.bool_],
    like: Raster,
    *,
    kinds: Sequence[str] | None = None,
    min_area_m2: float = 0.0,
    min_hole_m2: float = 0.0,
    simplify_m: float = 0.0,
    square: bool = False,
) -> int:
    """Write the outlines of a mask's 4-connected components as a vector file, which appears when it is complete.

    Args:
        path: Its suffix tells the format: `.gpkg` (GeoPackage), `.geojson` or `.fgb` (FlatGeobuf).
        mask: bool (H, W), True = building.
        like: The image (H, W) that the mask belongs to.
        kinds: A text for each component in the order of `scinet.raster.components.label`, written as `kind`.
        min_area_m2: Smaller polygons are left out.
        min_hole_m2: Smaller holes are closed; at most `min_area_m2`.
        simplify_m: How far outlines may be from the mask's, in metres; 0 follows the pixels' edges.
        square: Whether walls are straightened to right angles (or 45 degrees).

    Returns:
        How many polygons were written. Each has its `area_m2` on the ground.

    Raises:
        WriteError: The file cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from rasterio import Affine
        >>> from scinet.vector.read import read_footprints
        >>> metres = Affine(0.1, 0, 0, 0, -0.1, 0)
        >>> image = Raster(np.zeros((40, 60, 3), np.uint8), np.ones((40, 60), bool), metres, None)
        >>> mask = np.zeros((40, 60), bool)
        >>> mask[10:20, 10:30] = mask[25:35, 40:50] = True
        >>> with TemporaryDirectory() as folder:
        ...     count = write_footprints(f"{folder}/buildings.gpkg", mask, image)
        ...     footprints = read_footprints(f"{folder}/buildings.gpkg")
        >>> count, [round(polygon.area, 6) for polygon in footprints.polygons]
        (2, [2.0, 1.0])
    """
    file = FootprintFile(Path(path), min_area_m2, min_hole_m2, simplify_m, square)
    kind_of = None if kinds is None else _kind_by_label(label(mask), kinds)
    return write_footprint_file(file, [(0, mask)], like.grid, kind_of)


def write_footprint_file(
    file: FootprintFile, mask: MaskBands, grid: Grid, kind_of: Callable[[Polygons], NDArray[Any]] | None = None
) -> int:
    """Write the outlines of the 4-connected components of a mask of any size.

    The result does not depend on where the bands are cut.

    Args:
        file: Where they are written, and how they are cleaned.
        mask: (top row, bool (H, W)) without a gap, full width.
        grid: Of the whole mask.
        kind_of: Gives a text (n,) for traced polygons (n,) in pixel coordinates, written as `kind`.

    Returns:
        How many polygons were written. All are valid; each has its `area_m2` on the ground, at its place.

    Raises:
        WriteError: The file cannot be written.
    """
    file.check(grid)
    columns = {"area_m2": "f"} if kind_of is None else {"area_m2": "f", "kind": "O"}
    return write_batches(file.path, _batches(file, mask, grid, kind_of), columns, grid.crs, "Polygon")


def _batches(
    file: FootprintFile, mask: MaskBands, grid: Grid, kind_of: Callable[[Polygons], NDArray[Any]] | None
) -> Iterator[Batch]:
    former = 0
    for bottom, traced in trace(_of_equal_height(mask, TRACED_ROWS)):
        here = grid.part(former, max(1, bottom - former))
        large = _large_enough(traced, file, here.pixel_area_m2)
        polygons, index = _valid(_shaped(large, file, here))
        properties = {"area_m2": shapely.area(polygons) * here.pixel_area_m2}
        if kind_of is not None:
            properties["kind"] = kind_of(large)[index]
        placed = shapely.transform(polygons, lambda xy: np.column_stack(grid.transform @ (xy[:, 0], xy[:, 1])))
        yield placed, properties
        former = min(bottom, grid.height - 1)


def _of_equal_height(mask: MaskBands, rows: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """The bands of a mask cut again, to `rows` rows each but for the last."""
    top, held = 0, 0
    parts: list[NDArray[np.bool_]] = []
    for _, band in mask:
        while len(band):
            part, band = band[: rows - held], band[rows - held :]
            parts.append(part)
            held += len(part)
            if held == rows:
                yield top, np.concatenate(parts)
                top, held, parts = top + rows, 0, []
    if held:
        yield top, np.concatenate(parts)


def _kind_by_label(labels: NDArray[np.int32], kinds: Sequence[str]) -> Callable[[Polygons], NDArray[Any]]:
    texts = np.array(kinds, dtype=object)

    def kind_of(polygons: Polygons) -> NDArray[Any]:
        points, owner = shapely.get_coordinates(polygons, return_index=True)
        order = np.lexsort((points[:, 0], points[:, 1], owner))
        # A polygon's leftmost point on its top row is the upper left corner of a pixel of it.
        first = order[np.searchsorted(owner[order], np.arange(len(polygons)))]
        columns, rows = points[first].astype(np.int64).T
        return np.asarray(texts[labels[rows, columns] - 1])

    return kind_of


def _large_enough(polygons: Polygons, file: FootprintFile, pixel_area_m2: float) -> Polygons:
    """Without small polygons and small holes; sizes that are a whole number of pixels allow for rounding."""
    large: Polygons = polygons[shapely.area(polygons) >= file.min_area_m2 / pixel_area_m2 - 1e-6]
    if file.min_hole_m2 > 0:
        min_px = file.min_hole_m2 / pixel_area_m2 - 1e-6
        for index in np.flatnonzero(shapely.get_num_interior_rings(large)):
            holes = [ring for ring in large[index].interiors if Polygon(ring).area >= min_px]
            large[index] = Polygon(large[index].exterior, holes)
    return large


def _shaped(polygons: Polygons, file: FootprintFile, grid: Grid) -> Polygons:
    """Simplified or with square corners, in metres; given and returned in pixel coordinates."""
    if not len(polygons) or not (file.simplify_m or file.square):
        return polygons
    metres = np.array(grid.metres_per_px)
    on_ground = shapely.transform(polygons, lambda xy: xy * metres)
    if file.square:
        from scinet.vector.regularize import regularize  # its library takes a second to load

        on_ground = regularize(on_ground, file.simplify_m or _SQUARE_TOLERANCE_M)
    else:
        on_ground = shapely.simplify(on_ground, file.simplify_m, preserve_topology=True)
    shaped: Polygons = shapely.transform(on_ground, lambda xy: xy / metres)
    return shaped


def _valid(polygons: Polygons) -> tuple[Polygons, NDArray[np.intp]]:
    """Valid polygons, those that cross themselves cut into parts, and the index of the polygon that each is of."""
    invalid = ~shapely.is_valid(polygons)
    if not invalid.any():
        return polygons, np.arange(len(polygons))
    parts, of = shapely.get_parts(shapely.make_valid(polygons[invalid]), return_index=True)
    areal = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    index = np.concatenate([np.flatnonzero(~invalid), np.flatnonzero(invalid)[of[areal]]])
    return np.concatenate([polygons[~invalid], parts[areal]]), index
