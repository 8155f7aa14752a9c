"""Parts buildings that touch: lines between them, from what a model says of their edges and their middles.

A model with three outputs gives, for every pixel, in [0, 1]:

    building   the probability that it is building
    boundary   the probability that it lies at the edge of a building, or between two
    distance   how far inside its building it lies: 0 outside, 1 where the building is widest

The middles of buildings, where the distance is large and the boundary small, are markers. From them a watershed floods
what may be building, edges last (Vincent & Soille 1991). Where two floods meet, the probability of building becomes 0:
a line of one pixel. So in masks of every model a building is a 4-connected component, whatever the threshold from
LEAST_PROBABILITY on, and footprints, scores and pages need to know nothing of this.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from scinet.raster.components import components
from scinet.raster.grid import Grid
from scinet.raster.stream import Band, RowBuffer, RowStream

LEAST_PROBABILITY = 0.2  # what may be building
LEAST_MIDDLE = 0.15  # of distance - boundary / 2 in a marker: the best object F1 on validation tiles
LEAST_MIDDLE_M2 = 1.0  # smaller markers are noise
BLOCK_ROWS = 256  # parted together; where blocks begin depends on the image alone
CONTEXT_M, MOST_CONTEXT_PX = 30.0, 256  # of the rows above and below a block that are looked at

Floats = NDArray[np.float32]


class PartedBuildings:
    """The probability of building, 0 on the lines between buildings that touch: values float32 (H, W).

    Blocks of rows are parted together with rows above and below them. Blocks and context are the same wherever
    the bands of the source are cut and wherever work is resumed.

    Args:
        source: The outputs of a model, float32 (H, W, 3) in the order of `scinet.models.architectures.Output`.
    """

    def __init__(self, source: RowStream) -> None:
        self.source, self.grid = source, source.grid
        self._context = min(MOST_CONTEXT_PX, math.ceil(100 * CONTEXT_M / self.grid.cm_per_px))

    def first_row(self, start: int) -> int:
        """The first row of the source that row `start` needs."""
        return max(0, start - start % BLOCK_ROWS - self._context)

    def bands(self, start: int = 0) -> Iterator[Band]:
        """The rows from `start` on: values float32 (rows, W)."""
        height = self.grid.height
        rows = RowBuffer(self.source.bands(self.first_row(start)))
        for top in range(start - start % BLOCK_ROWS, height, BLOCK_ROWS):
            bottom = min(top + BLOCK_ROWS, height)
            above = self.first_row(top)
            seen = rows.take(above, min(bottom + self._context, height))
            block = slice(top - above, bottom - above)
            probability = seen.values[block, :, 0].copy()
            probability[parting_lines(seen.values, self.grid)[block]] = 0
            yield Band(top, probability, seen.valid[block].copy()).cut(start, bottom)


def parting_lines(outputs: Floats, grid: Grid) -> NDArray[np.bool_]:
    """The pixels between buildings that touch.

    Args:
        outputs: float32 (H, W, 3) in [0, 1]: building, boundary and distance.
        grid: Says how large a pixel is.

    Returns:
        bool (H, W). Without these pixels, two buildings are not 4-connected.
    """
    from skimage.segmentation import watershed  # which models with one output do not need

    building, boundary, distance = np.moveaxis(outputs, -1, 0)
    may_be = building > LEAST_PROBABILITY
    lines = np.zeros(may_be.shape, np.bool_)
    markers = _markers(may_be & (distance - boundary / 2 > LEAST_MIDDLE), grid)
    for box, shape in _with_several_markers(may_be, markers):
        flooded = watershed(boundary[box] - distance[box], markers[box] * shape, mask=shape)
        lines[box] |= _meetings(flooded, boundary[box])
    return lines


def _markers(middles: NDArray[np.bool_], grid: Grid) -> NDArray[np.int32]:
    """Labels int32 (H, W) of the 4-connected middles that are large enough."""
    found = components(middles)
    least_px = max(1, round(LEAST_MIDDLE_M2 / grid.pixel_area_m2))
    return found.keep(np.concatenate([[False], found.sizes_px >= least_px])).pixels()


def _with_several_markers(
    may_be: NDArray[np.bool_], markers: NDArray[np.int32]
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """The components of what may be building that have more than one marker: their boxes, and their shapes there."""
    whole = components(may_be)
    numbers = whole.pixels()
    inside = markers > 0
    of_marker = np.zeros(markers.max(initial=0) + 1, np.int64)
    of_marker[markers[inside]] = numbers[inside]  # a marker lies in one component
    several = np.bincount(of_marker[1:], minlength=whole.labels.max(initial=0) + 1) > 1
    touching = whole.keep(several).pixels()
    for number, box in enumerate(find_objects(touching), start=1):
        yield box, touching[box] == number


def _meetings(flooded: NDArray[np.int32], boundary: Floats) -> NDArray[np.bool_]:
    """One pixel of each pair of neighbours with different labels, the one that is more of a boundary."""
    lines = np.zeros(flooded.shape, np.bool_)
    first, second = np.s_[:-1], np.s_[1:]
    for before, after in (((first,), (second,)), ((slice(None), first), (slice(None), second))):
        meet = (flooded[before] != flooded[after]) & (flooded[before] > 0) & (flooded[after] > 0)
        is_before = boundary[before] >= boundary[after]
        lines[before] |= meet & is_before
        lines[after] |= meet & ~is_before
    return lines
