"""Probabilities brought to what they turned out to be.

A model is calibrated if 7 in 10 of the pixels with a probability of 0.7 are building. Networks are too sure, more so
in places that they were not trained on, which dividing their logits by a temperature mends (Guo et al. 2017,
arXiv:1706.04599); and they see too many buildings there, or too few, which adding a shift mends (Platt 1999).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 64
_EDGES = np.linspace(-8.0, 8.0, BINS + 1)  # of logits; 0, a probability of 0.5, is one of them
CENTRES = (_EDGES[:-1] + _EDGES[1:]) / 2
_LEAST = 0.01  # IoU and F1 are clipped to this and 1 - this, as their logits are fitted
_STEPS = 50  # of the fit, which ends long before

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Scaling(NamedTuple):
    """What makes calibrated logits of a model's own.

    Attributes:
        temperature: They are divided by it.
        shift: Is added then.
    """

    temperature: float = 1.0
    shift: float = 0.0


UNSCALED = Scaling()


def logit_histogram(probability: NDArray[np.float32], where: NDArray[np.bool_] | None = None) -> Counts:
    """How many pixels have which probability: int64 (BINS,), in equal steps of the logit from -8 to 8.

    Args:
        probability: float32, in [0, 1].
        where: bool of the same shape, the pixels that count; by default all.
    """
    chosen = probability.ravel() if where is None else probability[where]
    at = np.searchsorted(sigmoid(_EDGES[1:-1]).astype(np.float32), chosen, side="right")
    return np.bincount(at, minlength=BINS).astype(np.int64)


def calibrated(scaling: Scaling = UNSCALED) -> Floats:
    """The probability of each step of a histogram: float64 (BINS,)."""
    return sigmoid(CENTRES / scaling.temperature + scaling.shift)


def chance_of_error(
    probability: NDArray[np.float32], threshold: float = 0.5, scaling: Scaling = UNSCALED
) -> NDArray[np.float32]:
    """How likely each pixel of a mask is wrong, float32 in [0, 1], if the probabilities are right once scaled.

    Args:
        probability: float32, in [0, 1].
        threshold: That of the mask.
        scaling: Of the probabilities.

    Example:
        >>> chance_of_error(np.float32([0.1, 0.4, 0.75]), threshold=0.3).round(2)
        array([0.1 , 0.6 , 0.25], dtype=float32)
    """
    chance = probability
    if scaling != UNSCALED:
        with np.errstate(divide="ignore", over="ignore"):
            odds_against = ((1 - probability) / probability) ** np.float32(1 / scaling.temperature)
        chance = (1 / (1 + odds_against * np.float32(math.exp(-scaling.shift)))).astype(np.float32)
    return np.where(probability > threshold, 1 - chance, chance)


def calibration_error(histogram: Counts, buildings: Counts, scaling: Scaling = UNSCALED) -> float:
    """The expected calibration error: the mean distance between probability and share of buildings, over pixels.

    Args:
        histogram: Of all pixels, (BINS,).
        buildings: Of those that are building.
        scaling: Of the probabilities.

    Example:
        >>> all_pixels = logit_histogram(np.full(4, 0.75, np.float32))
        >>> round(calibration_error(all_pixels, all_pixels // 2), 2)
        0.25
    """
    if not histogram.sum():
        return math.nan
    off = np.abs(histogram * calibrated(scaling) - buildings)
    return float(off.sum() / histogram.sum())


def fit_scaling(histogram: Counts, buildings: Counts) -> Scaling:
    """The scaling with the least log loss, by Newton's method, at a temperature of 0.25 to 8.

    Args:
        histogram: Of all pixels, (BINS,).
        buildings: Of those that are building.
    """
    share, found = histogram / histogram.sum(), buildings / histogram.sum()
    terms = np.stack([CENTRES, np.ones(BINS)])
    slope_and_shift = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        probability = sigmoid(slope_and_shift @ terms)
        gradient = terms @ (found - share * probability)
        curvature = (terms * (share * probability * (1 - probability))) @ terms.T + 1e-9 * np.eye(2)
        slope_and_shift += np.clip(np.linalg.solve(curvature, gradient), -0.5, 0.5)
        slope_and_shift = np.clip(slope_and_shift, [1 / 8, -8.0], [4.0, 8.0])
    slope, shift = slope_and_shift
    return Scaling(float(1 / slope), float(shift))


def logit(value: float | Sequence[float] | Floats) -> Floats:
    """The logit of scores, clipped so that it is finite."""
    clipped = np.clip(np.asarray(value, float), _LEAST, 1 - _LEAST)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def sigmoid(value: float | Floats) -> Floats:
    """The probability of logits."""
    share: Floats = 1 / (1 + np.exp(-np.asarray(value, float)))
    return share
