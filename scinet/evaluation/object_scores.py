"""Scores that count buildings rather than pixels, from sums that add up over tiles.

With TP pairs that match (see `scinet.evaluation.objects`), FP components and FN buildings without a match:

    precision          TP / (TP + FP)
    recall             TP / (TP + FN)
    F1                 2 TP / (2 TP + FP + FN), which is the recognition quality RQ at 0.5
    mean IoU           of the matched pairs at 0.5, which is the segmentation quality SQ
    panoptic quality   sum of their IoU / (TP + FP / 2 + FN / 2) = SQ RQ
    average precision  of the components by falling confidence at 0.5: the mean over recalls of 0, 0.01, ..., 1 of the
                       best precision at that recall or above (Lin et al. 2014, Microsoft COCO; AP50 there)
"""

from dataclasses import dataclass, field, fields
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.scores import Counts, iou, precision, recall

IOU_THRESHOLDS = (0.25, 0.5, 0.75)
MATCH_IOU = 0.5  # of every score that does not name another
SIZE_LIMITS_M2 = (20.0, 50.0, 200.0)  # buildings from each limit on belong to the next class

_RECALLS = np.linspace(0, 1, 101)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class ObjectScores(NamedTuple):
    """Scores of objects, in [0, 1], and counts; NaN where there is nothing to score.

    Without a building and without a component, F1 and panoptic quality are 1, as F1 and IoU of pixels are.

    precision, recall, f1    at IoU > 0.5; those with a suffix at IoU > 0.25 and 0.75
    mean_iou                 of the matched pairs (SQ)
    panoptic_quality         PQ; its RQ is f1
    average_precision        at IoU > 0.5; NaN without a probability
    buildings, components    how many there are
    count_error              (components - buildings) / buildings
    recall_under_20_m2, ...  recall of the buildings of a size, by their true area
    area_error               mean of |predicted - true| / true area of the matched pairs
    boundary_iou             see `scinet.evaluation.boundary`; NaN where it was not counted
    merged                   buildings of kind "merged"
    merged_touching          those of them that share their component with buildings of their own block alone
    merging_touching         share of the found area: the part of `Shares.merging` between touching buildings
    """

    precision: float
    recall: float
    f1: float
    precision_25: float
    recall_25: float
    f1_25: float
    precision_75: float
    recall_75: float
    f1_75: float
    mean_iou: float
    panoptic_quality: float
    average_precision: float
    buildings: int
    components: int
    count_error: float
    recall_under_20_m2: float
    recall_20_to_50_m2: float
    recall_50_to_200_m2: float
    recall_over_200_m2: float
    area_error: float
    boundary_iou: float
    merged: int
    merged_touching: int
    merging_touching: float


@dataclass(frozen=True, eq=False)
class Ranking:
    """The confidence of every component, float (n,), and whether it is a match at 0.5, bool (n,)."""

    confidence: Floats = field(default_factory=lambda: np.zeros(0))
    is_match: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __add__(self, other: "Ranking") -> "Ranking":
        return Ranking(
            np.concatenate([self.confidence, other.confidence]), np.concatenate([self.is_match, other.is_match])
        )

    def average_precision(self, buildings: int) -> float:
        """AP as COCO computes it, over 101 recalls; NaN without a building."""
        if not buildings:
            return nan
        matches = np.cumsum(self.is_match[np.argsort(-self.confidence, kind="stable")])
        best = np.maximum.accumulate((matches / np.arange(1, matches.size + 1))[::-1])[::-1]
        reached = np.searchsorted(matches / buildings, _RECALLS)
        return float(np.append(best, 0.0)[reached].mean())


def _zeros(count: int) -> Integers:
    return np.zeros(count, np.int64)


@dataclass(frozen=True, eq=False)
class ObjectTally:
    """The sums that object scores are made of; tallies of tiles add up, their scores do not."""

    buildings: int = 0
    components: int = 0
    matches: Integers = field(default_factory=lambda: _zeros(len(IOU_THRESHOLDS)))  # at each threshold
    iou: float = 0.0  # sum over the matches at 0.5, as are the next two
    area_error: float = 0.0
    matches_by_size: Integers = field(default_factory=lambda: _zeros(len(SIZE_LIMITS_M2) + 1))
    buildings_by_size: Integers = field(default_factory=lambda: _zeros(len(SIZE_LIMITS_M2) + 1))
    merged: int = 0
    merged_touching: int = 0
    shared_px: int = 0
    merged_touching_px: int = 0
    boundary: Counts | None = field(default_factory=lambda: Counts(0, 0, 0))  # None where it was not counted
    ranking: Ranking | None = field(default_factory=Ranking)  # None without a probability

    def __add__(self, other: "ObjectTally") -> "ObjectTally":
        def total(name: str) -> Any:
            mine, theirs = getattr(self, name), getattr(other, name)
            return None if mine is None or theirs is None else mine + theirs

        return ObjectTally(*(total(column.name) for column in fields(self)))

    def counts(self, iou_threshold: float = MATCH_IOU) -> Counts:
        """Matches, components and buildings without one, at one of IOU_THRESHOLDS."""
        matches = int(self.matches[IOU_THRESHOLDS.index(iou_threshold)])
        return Counts(tp=matches, fp=self.components - matches, fn=self.buildings - matches)

    @property
    def scores(self) -> ObjectScores:
        low, middle, high = (self.counts(threshold) for threshold in IOU_THRESHOLDS)
        recalls = [_ratio(*pair) for pair in zip(self.matches_by_size, self.buildings_by_size, strict=True)]
        nothing = not self.buildings and not self.components
        return ObjectScores(
            *(precision(middle), recall(middle), _f1(middle)),
            *(precision(low), recall(low), _f1(low)),
            *(precision(high), recall(high), _f1(high)),
            mean_iou=_ratio(self.iou, middle.tp),
            panoptic_quality=1.0 if nothing else self.iou / (middle.tp + middle.fp / 2 + middle.fn / 2),
            average_precision=nan if self.ranking is None else self.ranking.average_precision(self.buildings),
            buildings=self.buildings,
            components=self.components,
            count_error=_ratio(self.components - self.buildings, self.buildings),
            recall_under_20_m2=recalls[0],
            recall_20_to_50_m2=recalls[1],
            recall_50_to_200_m2=recalls[2],
            recall_over_200_m2=recalls[3],
            area_error=_ratio(self.area_error, middle.tp),
            boundary_iou=nan if self.boundary is None else iou(self.boundary),
            merged=self.merged,
            merged_touching=self.merged_touching,
            merging_touching=_ratio(self.merged_touching_px, self.shared_px),
        )


def _f1(counts: Counts) -> float:
    """Without the epsilon of the pixels' F1, which a few objects would feel."""
    both = 2 * counts.tp + counts.fp + counts.fn
    return 2 * counts.tp / both if both else 1.0


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else nan
