"""Scores that count buildings instead of pixels, from sums that add up over tiles.

With TP matching pairs (see `scinet.evaluation.objects`), FP components and FN buildings without a partner:

    precision          TP / (TP + FP)
    recall             TP / (TP + FN)
    F1                 2 TP / (2 TP + FP + FN); at IoU > 0.5 the recognition quality RQ
    mean IoU           over the pairs at IoU > 0.5; the segmentation quality SQ
    panoptic quality   sum of their IoU / (TP + FP / 2 + FN / 2) = SQ x RQ (Kirillov et al. 2019)
    average precision  of the components ranked by confidence, at IoU > 0.5: the mean, over the recalls 0, 0.01, ..., 1,
                       of the highest precision at that recall or a higher one (Lin et al. 2014, Microsoft COCO)
"""

from dataclasses import dataclass, field, fields
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.scores import Counts, iou, precision, recall

IOU_THRESHOLDS = (0.25, 0.5, 0.75)
MATCH_IOU = 0.5  # unless a score names another threshold
SIZE_LIMITS_M2 = (20.0, 50.0, 200.0)  # a building of exactly a limit belongs to the upper class

_RECALLS = np.linspace(0, 1, 101)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class ObjectScores(NamedTuple):
    """Scores in [0, 1] and counts; NaN where there is nothing to score.

    Without buildings and components, F1 and panoptic quality are 1, like F1 and IoU of pixels.

    Attributes:
        precision: At IoU > 0.5, like `recall` and `f1`; the suffixes 25 and 75 stand for IoU > 0.25 and 0.75.
        mean_iou: Of the matching pairs (SQ).
        panoptic_quality: PQ; RQ is `f1`.
        average_precision: At IoU > 0.5; NaN if no probability was given.
        buildings: Number of reference buildings.
        components: Number of predicted components.
        count_error: (components - buildings) / buildings.
        recall_under_20_m2: Recall of the buildings of that reference area, like the three that follow it.
        area_error: Mean of |predicted - true| / true area over the matching pairs.
        boundary_iou: See `scinet.evaluation.boundary`; NaN if the boundary was not counted.
        merged: Number of buildings of kind "merged".
        merged_touching: Those that share their component only with buildings of their own block.
        merging_touching: The part of the share "merging" that is between touching buildings.
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
    """The components in order of appearance, to be ranked.

    Attributes:
        confidence: float64 (n,), mean probability inside.
        is_match: bool (n,), whether a building matches at IoU > 0.5.
    """

    confidence: Floats = field(default_factory=lambda: np.zeros(0))
    is_match: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __add__(self, other: "Ranking") -> "Ranking":
        return Ranking(
            np.concatenate([self.confidence, other.confidence]), np.concatenate([self.is_match, other.is_match])
        )

    def average_precision(self, buildings: int) -> float:
        """Average precision as COCO computes it; NaN without buildings."""
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
    """The sums that object scores are made of. Tallies of tiles add up; their scores do not.

    Attributes:
        buildings: Number of reference buildings.
        components: Number of predicted components.
        matches: int64 (3,), pairs at each of IOU_THRESHOLDS.
        iou: Sum over the pairs at IoU > 0.5.
        area_error: Sum of |predicted - true| / true area over these pairs.
        matches_by_size: int64 (4,), these pairs by the building's size class.
        buildings_by_size: int64 (4,), all buildings by size class.
        merged: Buildings of kind "merged".
        merged_touching: Those that share their component only with buildings of their own block.
        shared_px: Detected building area.
        merged_touching_px: The part of it that is merging between touching buildings.
        boundary: Pixels of both boundaries; None if they were not counted.
        ranking: All components; None if no probability was given.
    """

    buildings: int = 0
    components: int = 0
    matches: Integers = field(default_factory=lambda: _zeros(len(IOU_THRESHOLDS)))
    iou: float = 0.0
    area_error: float = 0.0
    matches_by_size: Integers = field(default_factory=lambda: _zeros(len(SIZE_LIMITS_M2) + 1))
    buildings_by_size: Integers = field(default_factory=lambda: _zeros(len(SIZE_LIMITS_M2) + 1))
    merged: int = 0
    merged_touching: int = 0
    shared_px: int = 0
    merged_touching_px: int = 0
    boundary: Counts | None = field(default_factory=lambda: Counts(0, 0, 0))
    ranking: Ranking | None = field(default_factory=Ranking)

    def __add__(self, other: "ObjectTally") -> "ObjectTally":
        def total(name: str) -> Any:
            mine, theirs = getattr(self, name), getattr(other, name)
            return None if mine is None or theirs is None else mine + theirs

        return ObjectTally(*(total(column.name) for column in fields(self)))

    def counts(self, iou_threshold: float = MATCH_IOU) -> Counts:
        """Pairs (tp), components (fp) and buildings (fn) without a partner, at one of IOU_THRESHOLDS."""
        matches = int(self.matches[IOU_THRESHOLDS.index(iou_threshold)])
        return Counts(tp=matches, fp=self.components - matches, fn=self.buildings - matches)

    @property
    def scores(self) -> ObjectScores:
        """The scores that follow from the sums."""
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
    """F1 without the epsilon of `scores.f1`, which is not negligible for a handful of objects."""
    both = 2 * counts.tp + counts.fp + counts.fn
    return 2 * counts.tp / both if both else 1.0


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else nan
