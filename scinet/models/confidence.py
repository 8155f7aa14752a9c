"""What a model's probabilities tell of its mask where there is no reference.

A model is calibrated if 7 in 10 of the pixels with a probability of 0.7 are building. Networks are too sure, more so
in places that they were not trained on; dividing their logits by a temperature mends that (Guo et al. 2017,
arXiv:1706.04599). Sums of calibrated probabilities in place of counts give the IoU that is to be expected of a mask.
How far that is from the true one, fitted and measured by ``python -m training.calibration`` in places that were left
out of training, makes an estimate with an interval of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinet import json_values
from scinet.models.promise import Promised, Tried
from scinet.models.reliability import Reliability

BINS = 64
_EDGES = np.linspace(-8.0, 8.0, BINS + 1)  # of logits; 0, a probability of 0.5, is one of them
_CENTRES = (_EDGES[:-1] + _EDGES[1:]) / 2
_LEAST = 0.01  # IoU and F1 are clipped to this and 1 - this, as their logits are fitted
SCORES = ("iou", "object_f1")

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


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
        temperatures: Rows of a resolution in cm/px and the temperature there.
        lines: By score, of SCORES: how it follows from the expected IoU.
        coverage: The share of images whose score the interval is to hold.
        promised: What masks promise by their threshold, in rows of a resolution.
        tried: How promises did in places of which nothing was in their fit.
        reliability: Curves by resolution for "unknown" places, which were left out of training, and "known" ones:
            validation tiles of the model itself.
        measured_with: The architecture that was trained without the places; "" where that is not known.

    Example:
        >>> calibration = Calibration(((10, 1.0), (40, 2.0)), {"iou": Line(1, 0, -1, 1)}, 0.9)
        >>> histogram = logit_histogram(np.float32([[0.99, 0.98, 0.02, 0.01]]))
        >>> found = calibration.estimate(histogram, cm_per_px=12)["iou"]
        >>> round(found.value, 2), found.low < found.value < found.high
        (0.97, True)
    """

    temperatures: tuple[tuple[float, float], ...]
    lines: dict[str, Line] = field(default_factory=dict)
    coverage: float = 0.9
    promised: tuple[Promised, ...] = ()
    tried: tuple[Tried, ...] = ()
    reliability: dict[str, tuple[Reliability, ...]] = field(default_factory=dict)
    measured_with: str = ""

    def temperature_at(self, cm_per_px: float) -> float:
        """The temperature of the nearest resolution."""
        return min(self.temperatures, key=lambda row: abs(math.log(row[0] / cm_per_px)))[1]

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
        expected = expected_iou(histogram, self.temperature_at(cm_per_px), threshold)
        found = {}
        for name, line in self.lines.items():
            at = float(line.at(expected))
            value, low, high = (float(_sigmoid(at + off)) for off in (0.0, line.low, line.high))
            found[name] = Estimate(value, low, high, self.coverage)
        return found

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Calibration":
        """Read what `dataclasses.asdict` made of one. Raises ValueError or KeyError where it is not that."""
        rows = [
            json_values.sequence(row, "temperatures") for row in json_values.sequence(values["temperatures"], "rows")
        ]
        lines = json_values.mapping(values["lines"], "lines")
        if not rows or any(len(row) != 2 for row in rows) or not set(lines) <= set(SCORES):
            raise ValueError("a calibration has rows of a resolution and a temperature, and lines of known scores")
        return cls(
            tuple((json_values.positive(row[0], "cm/px"), json_values.positive(row[1], "temperature")) for row in rows),
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


def logit_histogram(probability: NDArray[np.float32], where: NDArray[np.bool_] | None = None) -> Counts:
    """How many pixels have which probability: int64 (BINS,), in equal steps of the logit from -8 to 8.

    Args:
        probability: float32, in [0, 1].
        where: bool of the same shape, the pixels that count; by default all.
    """
    chosen = probability.ravel() if where is None else probability[where]
    at = np.searchsorted(_sigmoid(_EDGES[1:-1]).astype(np.float32), chosen, side="right")
    return np.bincount(at, minlength=BINS).astype(np.int64)


def expected_iou(histogram: Counts, temperature: float = 1.0, threshold: float = 0.5) -> float:
    """The IoU of a mask that follows if the probabilities, divided by the temperature as logits, are right."""
    building = histogram * calibrated(temperature)
    is_predicted = logit(threshold) < _CENTRES
    shared, missed = building[is_predicted].sum(), building[~is_predicted].sum()
    union = histogram[is_predicted].sum() + missed
    return float(shared / union) if union > 0 else 0.0


def chance_of_error(
    probability: NDArray[np.float32], threshold: float = 0.5, temperature: float = 1.0
) -> NDArray[np.float32]:
    """How likely each pixel of a mask is wrong, float32 in [0, 1], if the probabilities at a temperature are right.

    Args:
        probability: float32, in [0, 1].
        threshold: That of the mask.
        temperature: The logits are divided by it.

    Example:
        >>> chance_of_error(np.float32([0.1, 0.4, 0.75]), threshold=0.3).round(2)
        array([0.1 , 0.6 , 0.25], dtype=float32)
    """
    if temperature == 1.0:
        chance = probability
    else:
        with np.errstate(divide="ignore", over="ignore"):
            chance = (1 / (1 + ((1 - probability) / probability) ** np.float32(1 / temperature))).astype(np.float32)
    return np.where(probability > threshold, 1 - chance, chance)


def calibrated(temperature: float = 1.0) -> Floats:
    """The probability of each step of a histogram at a temperature: float64 (BINS,)."""
    return _sigmoid(_CENTRES / temperature)


def calibration_error(histogram: Counts, buildings: Counts, temperature: float = 1.0) -> float:
    """The expected calibration error: the mean distance between probability and share of buildings, over pixels.

    Args:
        histogram: Of all pixels, (BINS,).
        buildings: Of those that are building.
        temperature: The logits are divided by it.

    Example:
        >>> all_pixels = logit_histogram(np.full(4, 0.75, np.float32))
        >>> round(calibration_error(all_pixels, all_pixels // 2), 2)
        0.25
    """
    if not histogram.sum():
        return math.nan
    off = np.abs(histogram * calibrated(temperature) - buildings)
    return float(off.sum() / histogram.sum())


def fit_temperature(histogram: Counts, buildings: Counts) -> float:
    """The temperature with the least log loss, of 0.25 to 8 in steps of 1 %.

    Args:
        histogram: Of all pixels, (BINS,).
        buildings: Of those that are building.
    """
    candidates = np.geomspace(0.25, 8.0, 350)
    scaled = _CENTRES / candidates[:, np.newaxis]
    loss = np.logaddexp(0.0, -scaled) @ buildings + np.logaddexp(0.0, scaled) @ (histogram - buildings)
    return float(candidates[np.argmin(loss)])


def fit_line(expected: Sequence[float] | Floats, true: Sequence[float] | Floats) -> Line:
    """The line between logits of expected IoU and true score, by least squares."""
    slope, intercept = np.polyfit(logit(expected), logit(true), 1)
    return Line(float(slope), float(intercept))


def logit(value: float | Sequence[float] | Floats) -> Floats:
    """The logit of scores, clipped so that it is finite."""
    clipped = np.clip(np.asarray(value, float), _LEAST, 1 - _LEAST)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def _sigmoid(value: float | Floats) -> Floats:
    share: Floats = 1 / (1 + np.exp(-np.asarray(value, float)))
    return share


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
