"""What a mask gets right, by part of the image: the sums from which a score and its uncertainty follow."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.diagnose import Diagnosis
from scinet.evaluation.objects import Objects
from scinet.evaluation.scores import EPSILON
from scinet.raster.components import Spans

PARTS_PER_SIDE = 4
SUMS = ("true", "predicted", "shared", "matches", "components", "buildings", "large_found", "large")
LARGE_M2 = 20.0  # smaller ones are sheds, at many resolutions of a few pixels

FigureName = Literal["iou", "f1", "object_f1", "found_over_20_m2"]
FIGURE_NAMES: tuple[FigureName, ...] = get_args(FigureName)

Sums = NDArray[np.float64]  # (..., columns of SUMS)


def sums_by_part(diagnosis: Diagnosis, objects: Objects) -> Sums:
    """The sums of `SUMS` in each part of a grid of PARTS_PER_SIDE x PARTS_PER_SIDE, float64 (parts, 8).

    Pixels count where they are, buildings and components where their middle is. A building is found if it is of kind
    "found", or shares its component only with buildings that it touches, which no mask can part.

    Args:
        diagnosis: What is wrong with the mask.
        objects: Its components matched with the buildings.
    """
    truth, predicted = diagnosis.truth_labels > 0, diagnosis.predicted_labels > 0
    of_building, of_component = _part_of(diagnosis.truth), _part_of(diagnosis.predicted)
    large = diagnosis.buildings.area_m2 > LARGE_M2
    found = (diagnosis.buildings.kind == "found") | objects.merged_touching
    matched = ~np.isnan(objects.iou)
    columns = [
        *(_pixels(mask) for mask in (truth, predicted, truth & predicted)),
        *(_counted(part) for part in (of_building[matched], of_component, of_building)),
        *(_counted(of_building[chosen]) for chosen in (large & found, large)),
    ]
    return np.column_stack(columns).astype(np.float64)


def figure_of(sums: Sums, name: FigureName) -> NDArray[np.float64]:
    """A score in [0, 1] from sums (..., 8); NaN where there is nothing to score.

    >>> sums = np.array([30.0, 25.0, 20.0, 3.0, 4.0, 5.0, 2.0, 4.0])
    >>> [round(float(figure_of(sums, name)), 3) for name in FIGURE_NAMES]
    [0.571, 0.727, 0.667, 0.5]
    """
    true, predicted, shared, matches, components, buildings, large_found, large = np.moveaxis(sums, -1, 0)
    if name == "iou":
        return np.asarray((shared + EPSILON) / (true + predicted - shared + EPSILON))
    if name == "f1":
        return np.asarray((2 * shared + EPSILON) / (true + predicted + EPSILON))
    if name == "object_f1":
        return _ratio(2 * matches, components + buildings, 1.0)
    return _ratio(large_found, large, np.nan)


def _ratio(part: Sums, whole: Sums, of_nothing: float) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), of_nothing), where=np.asarray(whole) > 0))


def _pixels(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many pixels of a mask (H, W) are in each part."""
    rows, columns = (np.arange(PARTS_PER_SIDE) * side // PARTS_PER_SIDE for side in mask.shape)
    return np.asarray(np.add.reduceat(np.add.reduceat(mask, rows, axis=0, dtype=np.int64), columns, axis=1)).ravel()


def _part_of(spans: Spans) -> NDArray[np.int64]:
    """The part that holds the middle of each label, int (labels,)."""
    height, width = spans.shape
    lengths, sizes = spans.ends - spans.starts, spans.sizes_px
    row, first = np.divmod(spans.starts, width + 1)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(spans.labels - 1, weights=lengths * values, minlength=sizes.size) / np.maximum(sizes, 1)

    middle = (mean(row + 0.5) / height, mean(first + lengths / 2) / width)
    down, right = ((PARTS_PER_SIDE * share).astype(np.int64).clip(0, PARTS_PER_SIDE - 1) for share in middle)
    return np.asarray(down * PARTS_PER_SIDE + right)


def _counted(parts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(parts, minlength=PARTS_PER_SIDE**2)
