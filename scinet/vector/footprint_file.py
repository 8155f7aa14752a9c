"""The outlines of a mask of any size as a vector file: traced, cleaned and written band by band."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from scinet.errors import WriteError
from scinet.raster.components import label
from scinet.raster.geotiff import probability_steps, stored_probability
from scinet.raster.grid import Grid
from scinet.raster.raster import Raster
from scinet.vector.trace import MaskBand, trace
from scinet.vector.write import Batch, check_vector_path, write_batches

TRACED_ROWS = 128  # at a time: tracing takes ten times the memory of the mask
_SQUARE_TOLERANCE_M = 0.5
_CONFIDENCE_DECIMALS = 4

Polygons = NDArray[np.object_]


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
        if self.square and find_spec("buildingregulariser") is None:
            raise WriteError(
                'Square corners need another package: pip install "scinet-explorer[full]", or leave out --square.'
            )


def write_footprints(
    path: str | Path,
    mask: NDArray[np.bool_],
    like: Raster,
    *,
    kinds: Sequence[str] | None = None,
    probability: NDArray[np.float32] | None = None,
    min_area_m2: float = 0.0,
    min_hole_m2: float = 0.0,
    simplify_m: float = 0.0,
    square: bool = False,
) -> int:
    """Write the outlines of a mask's 4-connected components as a vector file, which appears when it is complete.

    Args:
        path: Its suffix tells the format, such as `.gpkg` or `.geojson`: see `scinet.vector.write.write_batches`.
        mask: bool (H, W), True = building.
        like: The image (H, W) that the mask belongs to.
        kinds: A text for each component in the order of `scinet.raster.components.label`, written as `kind`.
        probability: float32 (H, W) in [0, 1]; the mean inside each component is written as `confidence`, of the values
            that `write_probability` would store.
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
    stored = None if probability is None else stored_probability(probability_steps(probability, like.valid))
    bands = [MaskBand(0, mask, stored)]
    return write_footprint_file(file, bands, like.grid, kind_of, with_confidence=probability is not None)


def write_footprint_file(
    file: FootprintFile,
    bands: Iterable[MaskBand],
    grid: Grid,
    kind_of: Callable[[Polygons], NDArray[Any]] | None = None,
    *,
    with_confidence: bool = False,
) -> int:
    """Write the outlines of the 4-connected components of a mask of any size.

    The result does not depend on where the bands are cut.

    Args:
        file: Where they are written, and how they are cleaned.
        bands: The mask from top to bottom without a gap.
        grid: Of the whole mask.
        kind_of: Gives a text (n,) for traced polygons (n,) in pixel coordinates, written as `kind`.
        with_confidence: Whether the mean probability inside each component is written as `confidence`; all bands then
            have a probability.

    Returns:
        How many polygons were written. All are valid; each has its `area_m2` on the ground, at its place.

    Raises:
        WriteError: The file cannot be written.
    """
    file.check(grid)
    columns = {"area_m2": "f"}
    if with_confidence:
        columns["confidence"] = "f"
    if kind_of is not None:
        columns["kind"] = "O"
    return write_batches(file.path, _batches(file, bands, grid, kind_of), columns, grid.crs, "Polygon")


def _batches(
    file: FootprintFile, bands: Iterable[MaskBand], grid: Grid, kind_of: Callable[[Polygons], NDArray[Any]] | None
) -> Iterator[Batch]:
    former = 0
    for bottom, traced, confidence in trace(_of_equal_height(bands, TRACED_ROWS)):
        here = grid.part(former, max(1, bottom - former))
        is_large = shapely.area(traced) >= file.min_area_m2 / here.pixel_area_m2 - 1e-6
        large = traced[is_large]
        polygons, index = _valid(_shaped(_without_small_holes(large, file, here.pixel_area_m2), file, here))
        properties = {
            "area_m2": shapely.area(polygons) * here.pixel_area_m2,
            "confidence": confidence[is_large][index].round(_CONFIDENCE_DECIMALS),
        }
        if kind_of is not None:
            properties["kind"] = kind_of(large)[index]
        placed = shapely.transform(polygons, lambda xy: np.column_stack(grid.transform @ (xy[:, 0], xy[:, 1])))
        yield placed, properties
        former = min(bottom, grid.height - 1)


def _of_equal_height(bands: Iterable[MaskBand], rows: int) -> Iterator[MaskBand]:
    """The bands of a mask cut again, to `rows` rows each but for the last."""
    top, held = 0, 0
    parts: list[MaskBand] = []
    for _, mask, probability in bands:
        start = 0
        while start < len(mask):
            here = slice(start, start + rows - held)
            parts.append(MaskBand(top, mask[here], None if probability is None else probability[here]))
            held += len(parts[-1].mask)
            start = here.stop
            if held == rows:
                yield _joined(top, parts)
                top, held, parts = top + rows, 0, []
    if held:
        yield _joined(top, parts)


def _joined(top: int, parts: Sequence[MaskBand]) -> MaskBand:
    probabilities = [part.probability for part in parts if part.probability is not None]
    mask = np.concatenate([part.mask for part in parts])
    return MaskBand(top, mask, np.concatenate(probabilities) if len(probabilities) == len(parts) else None)


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


def _without_small_holes(polygons: Polygons, file: FootprintFile, pixel_area_m2: float) -> Polygons:
    """Sizes that are a whole number of pixels allow for rounding."""
    if not file.min_hole_m2:
        return polygons
    filled = polygons.copy()
    min_px = file.min_hole_m2 / pixel_area_m2 - 1e-6
    for index in np.flatnonzero(shapely.get_num_interior_rings(filled)):
        holes = [ring for ring in filled[index].interiors if Polygon(ring).area >= min_px]
        filled[index] = Polygon(filled[index].exterior, holes)
    return filled


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
