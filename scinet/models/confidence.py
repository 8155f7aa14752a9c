"""What a model's probabilities tell of its mask where there is no reference.

Sums of calibrated probabilities (`scinet.models.scaling`) in place of counts give the IoU that is to be expected of a
mask. How far that is from the true one, fitted and measured by ``python -m training.calibration`` in places that were
left out of training, makes an estimate with an interval of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from scinet import json_values
from scinet.models.promise import Promised, Tried
from scinet.models.reliability import Reliability
from scinet.models.scaling import (
    CENTRES,
    UNSCALED,
    Counts,
    Floats,
    Scaling,
    calibrated,
    logit,
    sigmoid,
)

SCORES = ("iou", "object_f1")


class Estimate(NamedTuple):
    """A score that is to be expected, in [0, 1], and the ends of the interval that holds it `coverage` times in 1."""

    value: float
    low: float
    high: float
    coverage: float


@dataclass(frozen=True)
class Line:
    """How a true score follows from the expected IoU: a line between their logits, and how far it is off.

    low, high    what is added to the line's logit for the ends of the interval
    """

    slope: float
    intercept: float
    low: float = 0.0
    high: float = 0.0

    def at(self, expected_iou: float | Floats) -> Floats:
        """The logit of the score."""
        return self.slope * logit(expected_iou) + self.intercept


@dataclass(frozen=True)
class Calibration:
    """What is known of a model's probabilities in places that it was not trained on.

    Attributes:
        scalings: Rows of a resolution in cm/px, and the temperature and the shift that `Scaling` has there.
        lines: By score, of SCORES: how it follows from the expected IoU.
        coverage: The share of images whose score the interval is to hold.
        promised: What masks promise by their threshold, in rows of a resolution.
        tried: How promises did in places of which nothing was in their fit.
        reliability: Curves by resolution for "unknown" places, which were left out of training, and "known" ones:
            validation tiles of the model itself.
        measured_with: The architecture that was trained without the places; "" where that is not known.

    Example:
        >>> from scinet.models.scaling import logit_histogram
        >>> calibration = Calibration(((10, 1.0, 0.0), (40, 2.0, 0.0)), {"iou": Line(1, 0, -1, 1)}, 0.9)
        >>> histogram = logit_histogram(np.float32([[0.99, 0.98, 0.02, 0.01]]))
        >>> found = calibration.estimate(histogram, cm_per_px=12)["iou"]
        >>> round(found.value, 2), found.low < found.value < found.high
        (0.97, True)
    """

    scalings: tuple[tuple[float, float, float], ...]
    lines: dict[str, Line] = field(default_factory=dict)
    coverage: float = 0.9
    promised: tuple[Promised, ...] = ()
    tried: tuple[Tried, ...] = ()
    reliability: dict[str, tuple[Reliability, ...]] = field(default_factory=dict)
    measured_with: str = ""

    def scaling_at(self, cm_per_px: float) -> Scaling:
        """That of the nearest resolution."""
        return Scaling(*min(self.scalings, key=lambda row: abs(math.log(row[0] / cm_per_px)))[1:])

    def estimate(self, histogram: Counts, cm_per_px: float, threshold: float = 0.5) -> dict[str, Estimate]:
        """The scores to be expected of a mask, by name.

        Args:
            histogram: Of the image's probabilities, as `logit_histogram` gives it.
            cm_per_px: The working resolution.
            threshold: That of the mask.

        Returns:
            An estimate for each of `lines`; nothing if the image has no valid pixel.
        """
        if not histogram.sum():
            return {}
        expected = expected_iou(histogram, self.scaling_at(cm_per_px), threshold)
        found = {}
        for name, line in self.lines.items():
            at = float(line.at(expected))
            value, low, high = (float(sigmoid(at + off)) for off in (0.0, line.low, line.high))
            found[name] = Estimate(value, low, high, self.coverage)
        return found

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Calibration":
        """Read what `dataclasses.asdict` made of one. Raises ValueError or KeyError where it is not that."""
        rows = [json_values.sequence(row, "scalings") for row in json_values.sequence(values["scalings"], "scalings")]
        lines = json_values.mapping(values["lines"], "lines")
        if not rows or any(len(row) != 3 for row in rows) or not set(lines) <= set(SCORES):
            raise ValueError("a calibration has rows of resolution, temperature and shift, and lines of known scores")
        return cls(
            tuple(
                (
                    json_values.positive(row[0], "cm/px"),
                    json_values.positive(row[1], "temperature"),
                    json_values.number(row[2], "shift"),
                )
                for row in rows
            ),
            {name: _line(json_values.mapping(line, "a line")) for name, line in lines.items()},
            _share(values["coverage"]),
            tuple(Promised.from_json(row) for row in _rows(values, "promised")),
            tuple(Tried.from_json(row) for row in _rows(values, "tried")),
            {
                places: tuple(Reliability.from_json(row) for row in _rows(curves, places))
                for curves in [json_values.mapping(values.get("reliability", {}), "reliability")]
                for places in curves
            },
            json_values.text(values.get("measured_with", ""), "measured_with"),
        )


def expected_iou(histogram: Counts, scaling: Scaling = UNSCALED, threshold: float = 0.5) -> float:
    """The IoU of a mask that follows if the probabilities are right once they are scaled."""
    building = histogram * calibrated(scaling)
    is_predicted = logit(threshold) < CENTRES
    shared, missed = building[is_predicted].sum(), building[~is_predicted].sum()
    union = histogram[is_predicted].sum() + missed
    return float(shared / union) if union > 0 else 0.0


def fit_line(expected: Sequence[float] | Floats, true: Sequence[float] | Floats) -> Line:
    """The line between logits of expected IoU and true score, by least squares."""
    slope, intercept = np.polyfit(logit(expected), logit(true), 1)
    return Line(float(slope), float(intercept))


def _rows(values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects; cards of earlier versions do not have it."""
    return [json_values.mapping(row, name) for row in json_values.sequence(values.get(name, []), name)]


def _share(value: Any) -> float:
    share = json_values.positive(value, "coverage")
    if share >= 1:
        raise ValueError("coverage is not below 1")
    return share


def _line(values: dict[str, Any]) -> Line:
    return Line(*(json_values.number(values[each.name], each.name) for each in fields(Line)))
