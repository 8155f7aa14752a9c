"""Scores of masks from pooled pixel counts: counts first, then scores (section 5.4 of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np

EPSILON = 1e-4  # equations 5 and 6: blank truth with blank prediction scores 1


@dataclass(frozen=True)
class Counts:
    """Pixels that are building in both masks (tp), in the prediction alone (fp), in the reference alone (fn).

    >>> Counts(tp=2, fp=1, fn=1) + Counts(tp=1, fp=0, fn=0)
    Counts(tp=3, fp=1, fn=1)
    """

    tp: int
    fp: int
    fn: int

    @classmethod
    def of(cls, truth: np.ndarray, prediction: np.ndarray, valid: np.ndarray | None = None) -> "Counts":
        """Counts of two bool masks (H, W), over the valid pixels alone where ``valid`` (H, W) is given."""
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
        if valid is not None:
            truth, prediction = truth & valid, prediction & valid
        tp = int(np.count_nonzero(truth & prediction))
        return cls(tp=tp, fp=int(np.count_nonzero(prediction)) - tp, fn=int(np.count_nonzero(truth)) - tp)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


def iou(counts: Counts) -> float:
    """Intersection over union, equation 5; 1 if there is neither reference nor prediction."""
    return (counts.tp + EPSILON) / (counts.tp + counts.fp + counts.fn + EPSILON)


def f1(counts: Counts) -> float:
    """F1, equation 6 with beta = 1; 1 if there is neither reference nor prediction."""
    return (2 * counts.tp + EPSILON) / (2 * counts.tp + counts.fn + counts.fp + EPSILON)


def precision(counts: Counts) -> float:
    """Share of the predicted area that is building; NaN without a prediction."""
    predicted = counts.tp + counts.fp
    return counts.tp / predicted if predicted else nan


def recall(counts: Counts) -> float:
    """Share of the building area that is predicted; NaN without a building."""
    true = counts.tp + counts.fn
    return counts.tp / true if true else nan


class Scores(NamedTuple):
    """IoU, F1, precision and recall, in [0, 1] or NaN."""

    iou: float
    f1: float
    precision: float
    recall: float

    @classmethod
    def of(cls, counts: Counts) -> "Scores":
        """The four scores of pixel counts."""
        return cls(iou(counts), f1(counts), precision(counts), recall(counts))


def micro(tiles: Sequence[Counts]) -> Scores:
    """Scores of all tiles as if they were one mask: counts summed first."""
    return Scores.of(sum(tiles, Counts(0, 0, 0)))


def macro(tiles: Sequence[Counts]) -> Scores:
    """Mean of the tiles' scores. A blank tile left blank counts 1, so empty land lifts it; NaNs are left out."""
    rows = np.array([Scores.of(counts) for counts in tiles], dtype=float).reshape(-1, 4)
    known = ~np.isnan(rows)
    total = np.where(known, rows, 0.0).sum(axis=0)
    return Scores(*(float(t / n) if n else nan for t, n in zip(total, known.sum(axis=0), strict=True)))
