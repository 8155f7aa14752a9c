"""Pixel sums of a tile at many thresholds, as columns of a table with one row per tile; and which threshold is best.

The benchmark's masks are made at a threshold of 0.5. These sums tell what another threshold would have given, without a
forward pass. They are kept for the working grid, where models are compared.
"""

from math import nan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scinet.evaluation.grading import mask_on
from scinet.evaluation.reference import judged_part
from scinet.evaluation.scores import EPSILON
from scinet.raster.raster import Raster

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
THRESHOLD_COLUMNS = ("predicted_at", "shared_at")  # int (THRESHOLDS,), in pixels of the working grid


def threshold_sums(
    probability: NDArray[np.float32], raster: Raster, labels: NDArray[np.int32], min_area_m2: float = 0.0
) -> dict[str, list[int]]:
    """The columns of a tile.

    Args:
        probability: float32 (H, W) in [0, 1] on the grid of `raster`.
        raster: The tile at the working resolution.
        labels: The reference buildings there, int32 (H, W), 0 is ground and -1 what nobody judged.
        min_area_m2: Smaller predicted components are dropped.

    Returns:
        By THRESHOLD_COLUMNS: the pixels above each of THRESHOLDS, and those of them that are building.

    Example:
        >>> from rasterio.transform import Affine
        >>> shape = (1, 4)
        >>> tile = Raster(np.zeros((*shape, 3), np.uint8), np.ones(shape, bool), Affine(1, 0, 0, 0, -1, 0), None)
        >>> sums = threshold_sums(np.float32([[0.9, 0.6, 0.3, 0]]), tile, np.int32([[1, 0, 1, 0]]))
        >>> sums["predicted_at"][9], sums["shared_at"][9], sums["shared_at"][4]
        (2, 1, 2)
    """
    labels, judged = judged_part(labels, raster.valid)
    predicted, shared = [], []
    for threshold in THRESHOLDS:
        mask = mask_on(raster, probability, threshold, min_area_m2) & judged
        predicted.append(int(np.count_nonzero(mask)))
        shared.append(int(np.count_nonzero(mask & (labels > 0))))
    return dict(zip(THRESHOLD_COLUMNS, (predicted, shared), strict=True))


def has_threshold_sums(tiles: pd.DataFrame) -> bool:
    """Whether rows of tiles hold these columns, at least some of them."""
    return set(THRESHOLD_COLUMNS) <= set(tiles.columns) and bool(tiles[THRESHOLD_COLUMNS[0]].notna().any())


def scores_by_threshold(tiles: pd.DataFrame) -> pd.DataFrame:
    """Scores of rows of tiles of one model at one resolution, their pixels pooled, one row per threshold.

    Args:
        tiles: Rows with the columns true, *THRESHOLD_COLUMNS; those without sums are left out.

    Returns:
        The columns threshold, precision, recall, f1 and iou; precision is NaN where nothing is predicted.
    """
    known = tiles[tiles[THRESHOLD_COLUMNS[0]].notna()]
    shape = (len(known), len(THRESHOLDS))
    predicted, shared = (_matrix(known[name], shape).sum(axis=0) for name in THRESHOLD_COLUMNS)
    true = float(known["true"].sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = shared / predicted, shared / np.full_like(shared, true)
    return pd.DataFrame(
        {
            "threshold": THRESHOLDS,
            "precision": precision,
            "recall": recall,
            "f1": (2 * shared + EPSILON) / (predicted + true + EPSILON),
            "iou": (shared + EPSILON) / (predicted + true - shared + EPSILON),
        }
    )


def _matrix(column: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.array(column.to_list(), float).reshape(shape)


class BestThreshold(NamedTuple):
    """Which threshold gives a model the highest score on some tiles.

    Attributes:
        threshold: One of THRESHOLDS.
        score: The score there.
        held_out: The score where the threshold was chosen on one half of the tiles and used on the other, the mean of
            both halves' scores; NaN for a single tile. A threshold is worth as much as this gains.
        usual: The score at the usual threshold, on the same halves.
    """

    threshold: float
    score: float
    held_out: float
    usual: float


def best_threshold(tiles: pd.DataFrame, score: str, usual_threshold: float = 0.5) -> BestThreshold:
    """The best threshold of rows of tiles of one model at one resolution.

    Args:
        tiles: As for `scores_by_threshold`, with the column image.
        score: A column of its table, "iou" or "f1".
        usual_threshold: One of THRESHOLDS.
    """
    everything = scores_by_threshold(tiles).set_index("threshold")[score]
    is_even = tiles["image"].rank(method="dense") % 2 == 0
    held_out, usual = [], []
    if is_even.any() and not is_even.all():
        halves = [scores_by_threshold(half).set_index("threshold")[score] for half in (tiles[is_even], tiles[~is_even])]
        for chosen_on, used_on in (halves, halves[::-1]):
            held_out.append(used_on[chosen_on.idxmax()])
            usual.append(used_on[usual_threshold])
    return BestThreshold(
        threshold=float(everything.idxmax()),
        score=float(everything.max()),
        held_out=float(np.mean(held_out)) if held_out else nan,
        usual=float(np.mean(usual)) if usual else nan,
    )
