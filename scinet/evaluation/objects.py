"""Reference buildings and predicted components as objects: which of them match.

Everything follows from the overlap table of a diagnosis. A building and a component match if their IoU is above a
threshold; each has at most one partner. Above an IoU of 0.5 no second partner is possible (Kirillov et al. 2019,
Panoptic Segmentation, section 4.1). Below it, as many pairs as possible are formed.

Buildings with ids of their own can touch. A semantic mask cannot separate them, so a component that covers a row of
houses is not the model's failure alone. Buildings that share pixel edges, directly or through others, form a block.
Merging between touching buildings is detected area in another building's component that still lies in the block that
the component covers most of.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, maximum_bipartite_matching

from scinet.evaluation.diagnose import Diagnosis
from scinet.evaluation.object_scores import (
    IOU_THRESHOLDS,
    MATCH_IOU,
    SIZE_LIMITS_M2,
    Floats,
    Integers,
    ObjectTally,
    Ranking,
)
from scinet.evaluation.scores import Counts
from scinet.raster.components import Spans, overlaps

_BAND_PX = 4_000_000  # of the probability, summed together


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a diagnosis in the order of its labels, and their sums.

    Attributes:
        iou: float64 (buildings,), IoU with the matching component at IoU > 0.5; NaN without one.
        area_error: float64 (buildings,), (predicted - true) / true area of that pair; NaN without one.
        confidence: float64 (components,), mean probability inside; NaN if no probability was given.
        merged_touching: bool (buildings,), of kind "merged", but only with buildings of its own block.
        tally: The sums that scores are made of.
    """

    iou: Floats
    area_error: Floats
    confidence: Floats
    merged_touching: NDArray[np.bool_]
    tally: ObjectTally


def find_objects(
    diagnosis: Diagnosis,
    *,
    probability: NDArray[np.float32] | None = None,
    boundary: Counts | None = None,
    least_px: int = 1,
) -> Objects:
    """Match the buildings of a diagnosis with its components.

    Args:
        diagnosis: The diagnosis of a mask.
        probability: float32 (H, W) in [0, 1] on the grid of the diagnosis, for confidence and average precision.
        boundary: Counts from `boundary_counts`, for boundary IoU.
        least_px: Buildings and components with fewer pixels are ignored: neither matched nor counted.

    Returns:
        The objects and their sums.

    Example:
        >>> from scinet.evaluation.diagnose import diagnose
        >>> mask = np.array([[True, True, False, True]])
        >>> find_objects(diagnose(mask, mask, pixel_area_m2=1.0)).tally.scores.f1
        1.0
    """
    g, p = diagnosis.truth.sizes_px, diagnosis.predicted.sizes_px
    is_building, is_component = g >= least_px, p >= least_px
    pairs = _Pairs.of(diagnosis.shared, g, p).keep(is_building, is_component)
    matched = pairs.match(MATCH_IOU)

    pair_iou, area_error = np.full(g.size, nan), np.full(g.size, nan)
    pair_iou[matched.row] = matched.iou
    area_error[matched.row] = (p[matched.column] - g[matched.row]) / g[matched.row]
    is_match = np.zeros(p.size, np.bool_)
    is_match[matched.column] = True
    confidence = np.full(p.size, nan) if probability is None else mean_inside(diagnosis.predicted, probability)

    sizes = np.searchsorted(SIZE_LIMITS_M2, diagnosis.buildings.area_m2, side="right")
    classes = len(SIZE_LIMITS_M2) + 1
    block = _blocks(diagnosis.truth)
    merged = (diagnosis.buildings.kind == "merged") & is_building
    merged_touching = merged & _within_block(diagnosis.shared, g, block)
    tally = ObjectTally(
        buildings=int(is_building.sum()),
        components=int(is_component.sum()),
        matches=np.array([pairs.match(threshold).iou.size for threshold in IOU_THRESHOLDS]),
        iou=float(matched.iou.sum()),
        area_error=float(np.abs(area_error[matched.row]).sum()),
        matches_by_size=np.bincount(sizes[matched.row], minlength=classes),
        buildings_by_size=np.bincount(sizes[is_building], minlength=classes),
        merged=int(merged.sum()),
        merged_touching=int(merged_touching.sum()),
        shared_px=diagnosis.tally.shared,
        merged_touching_px=_largest_blocks(diagnosis.shared, block) - diagnosis.tally.largest_owners,
        boundary=boundary,
        ranking=None if probability is None else Ranking(confidence[is_component], is_match[is_component]),
    )
    return Objects(pair_iou, area_error, confidence, merged_touching, tally)


def mean_inside(spans: Spans, values: NDArray[np.float32]) -> Floats:
    """The mean of values float32 (H, W) over the pixels of each label, float64 (labels,)."""
    height, width = spans.shape
    row, column = np.divmod(spans.starts, width + 1)
    starts = row * width + column
    ends = starts + spans.ends - spans.starts
    sums = np.zeros(starts.size)
    rows = max(1, _BAND_PX // max(1, width))
    for top in range(0, height, rows):
        first, last = np.searchsorted(starts, (top * width, (top + rows) * width))
        if first == last:
            continue
        band = np.append(values[top : top + rows], np.float32(0))  # an end can be one past the last pixel
        limits = np.column_stack([starts[first:last], ends[first:last]]).ravel() - top * width
        sums[first:last] = np.add.reduceat(band, limits, dtype=np.float64)[::2]
    sizes = spans.sizes_px
    return np.bincount(spans.labels - 1, weights=sums, minlength=sizes.size) / sizes


class _Pairs(NamedTuple):
    """Buildings (row) and components (column) that share pixels."""

    row: Integers
    column: Integers
    iou: Floats

    @classmethod
    def of(cls, shared: sparse.csr_array, g: Integers, p: Integers) -> "_Pairs":
        table = shared.tocoo()
        return cls(table.row, table.col, table.data / (g[table.row] + p[table.col] - table.data))

    def where(self, chosen: NDArray[np.bool_]) -> "_Pairs":
        return _Pairs(self.row[chosen], self.column[chosen], self.iou[chosen])

    def keep(self, rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> "_Pairs":
        return self.where(rows[self.row] & columns[self.column])

    def match(self, iou_threshold: float) -> "_Pairs":
        """As many pairs above the threshold as possible, with each building and component in one of them."""
        close = self.where(self.iou > iou_threshold)
        if iou_threshold >= 0.5 or not close.row.size:
            return close
        table = sparse.csr_array((np.ones(close.row.size, np.int8), (close.row, close.column)))
        partner = maximum_bipartite_matching(table, perm_type="column")  # by row; -1 for none
        return close.where(partner[close.row] == close.column)


def _blocks(truth: Spans) -> Integers:
    """The number of each building's block, int (buildings,)."""
    below = Spans(truth.shape, truth.starts + truth.shape[1] + 1, truth.ends + truth.shape[1] + 1, truth.labels)
    one_row_apart = overlaps(truth, below)
    side_by_side = np.flatnonzero(truth.ends[:-1] == truth.starts[1:])
    where = truth.labels[side_by_side] - 1, truth.labels[side_by_side + 1] - 1
    in_a_row = sparse.coo_array((np.ones(side_by_side.size, np.int64), where), shape=one_row_apart.shape)
    numbers: Integers = connected_components(one_row_apart + in_a_row.tocsr(), directed=False)[1].astype(np.int64)
    return numbers


def _largest_blocks(shared: sparse.csr_array, block: Integers) -> int:
    """The sum over components of the pixels that each shares with its main block."""
    table = shared.tocoo()
    if not table.data.size:
        return 0
    by_block = sparse.coo_array((table.data, (block[table.row], table.col)), shape=(block.max() + 1, shared.shape[1]))
    return int(by_block.tocsc().max(axis=0).sum())


def _within_block(shared: sparse.csr_array, g: Integers, block: Integers) -> NDArray[np.bool_]:
    """bool (buildings,): the component that holds more than half of it holds only buildings of the same block."""
    table = shared.tocoo()
    held = table.data > 0.5 * g[table.row]
    row, column = table.row[held], table.col[held]
    lowest, highest = np.full(shared.shape[1], block.size), np.full(shared.shape[1], -1)
    np.minimum.at(lowest, column, block[row])
    np.maximum.at(highest, column, block[row])
    within = np.zeros(g.size, np.bool_)
    within[row] = lowest[column] == highest[column]
    return within
