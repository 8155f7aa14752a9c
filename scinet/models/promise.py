"""Thresholds that promise a recall or a precision.

Conformal risk control (Angelopoulos et al. 2022, arXiv:2208.02814) chooses, from images whose reference is known, a
threshold at which the share that is missed, or that is wrongly predicted, stays below a bound on average over images
like those. ``python -m training.calibration`` fits what each threshold promises at each resolution, for each place
that was left out of training on its own, and keeps the least.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scinet import json_values
from scinet.errors import PromiseError

Quantity = Literal["recall", "precision"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
THRESHOLDS: NDArray[np.float64] = 1 / (1 + np.exp(-np.linspace(-4.0, 4.0, 33)))  # in equal steps of the logit


@dataclass(frozen=True)
class Promise:
    """What a mask is to keep.

    Attributes:
        quantity: Recall: how much of the buildings it has. Precision: how much of it is building.
        least: The mean over images that is promised, in (0, 1).

    Raises:
        PromiseError: `least` is not in (0, 1).
    """

    quantity: Quantity
    least: float

    def __post_init__(self) -> None:
        if not 0 < self.least < 1:
            raise PromiseError(f"{self.quantity} {self.least:g} cannot be promised. Give a number between 0 and 1.")

    @property
    def other(self) -> Quantity:
        """What it costs: precision for recall, and the other way round."""
        return "precision" if self.quantity == "recall" else "recall"

    @property
    def text(self) -> str:
        """It in words, such as "recall 0.9"."""
        return f"{self.quantity} {self.least:g}"


def parse_promise(text: str) -> Promise:
    """A promise from a text such as "recall=0.9". Raises PromiseError for any other.

    >>> parse_promise("recall=0.9")
    Promise(quantity='recall', least=0.9)
    """
    name, _, value = (part.strip() for part in text.partition("="))
    quantity = next((known for known in QUANTITIES if known == name), None)
    try:
        least = float(value)
    except ValueError:
        quantity = None
    if quantity is None:
        raise PromiseError(f'"{text[:40]}" is not a promise. Give recall=0.9 or precision=0.9, for instance.')
    return Promise(quantity, least)


@dataclass(frozen=True)
class Promised:
    """What masks promise at a resolution, by their threshold.

    Attributes:
        cm_per_px: The resolution.
        recall: At each of THRESHOLDS; it falls with the threshold.
        precision: At each of THRESHOLDS; it rises with the threshold.
    """

    cm_per_px: float
    recall: tuple[float, ...]
    precision: tuple[float, ...]

    def threshold(self, promise: Promise) -> float | None:
        """The threshold that keeps a promise and gives away the least for it; None if none keeps it.

        >>> falling = tuple(1 - THRESHOLDS / 2)
        >>> found = Promised(10.0, falling, falling[::-1]).threshold(Promise("recall", 0.75))
        >>> round(found, 2)
        0.5
        """
        keeps = np.flatnonzero(np.array(getattr(self, promise.quantity)) >= promise.least - 1e-9)
        if not len(keeps):
            return None
        return float(THRESHOLDS[keeps[-1] if promise.quantity == "recall" else keeps[0]])

    def most(self, quantity: Quantity) -> float:
        """The most that any threshold promises."""
        shares: tuple[float, ...] = getattr(self, quantity)
        return max(shares)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Promised":
        """Read what `dataclasses.asdict` made of one. Raises ValueError or KeyError where it is not that."""
        return cls(
            json_values.positive(values["cm_per_px"], "cm/px"),
            *(_shares(json_values.sequence(values[name], name)) for name in QUANTITIES),
        )


@dataclass(frozen=True)
class Tried:
    """How a promise did in places of which nothing was in its fit.

    Attributes:
        quantity: Recall or precision.
        least: What was promised.
        mean: What was found, a mean over places and resolutions.
        worst: The least of them.
        cost: The mean of the other quantity there: a mask that has nearly all buildings has much else too.
    """

    quantity: Quantity
    least: float
    mean: float
    worst: float
    cost: float

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Tried":
        """Read what `dataclasses.asdict` made of one. Raises ValueError or KeyError where it is not that."""
        quantity = next((known for known in QUANTITIES if known == values["quantity"]), None)
        if quantity is None:
            raise ValueError("a promise is of recall or precision")
        return cls(quantity, *(json_values.number(values[name], name) for name in ("least", "mean", "worst", "cost")))


def promised_threshold(rows: Sequence[Promised], promise: Promise, cm_per_px: float, model: str) -> float:
    """The threshold that keeps a promise at a resolution, from the nearest one that was measured.

    Args:
        rows: What is known of the model; none where nothing is.
        promise: What to keep.
        cm_per_px: The working resolution.
        model: What to call the model in a message.

    Raises:
        PromiseError: Nothing is known of the model, or no threshold keeps the promise.
    """
    if not rows:
        raise PromiseError(
            f"What a threshold promises was not measured for {model}. Give a threshold, or run python -m "
            "training.calibration for it."
        )
    nearest = min(rows, key=lambda row: abs(math.log(row.cm_per_px / cm_per_px)))
    found = nearest.threshold(promise)
    if found is None:
        raise PromiseError(
            f"No threshold of {model} promises {promise.text} at {cm_per_px:.3g} cm/px. Ask for "
            f"{math.floor(100 * nearest.most(promise.quantity)) / 100:g} or less."
        )
    return found


def tried_text(rows: Sequence[Tried], promise: Promise) -> str:
    """How a promise, or the one nearest to it, did in new places, in a sentence; "" where that is not known.

    >>> tried_text([Tried("recall", 0.9, 0.93, 0.84, 0.5)], Promise("recall", 0.9))
    'Tried in places that were not in its fit, recall was 0.93 on average and 0.84 in the worst, with a mean precision \
of 0.50.'
    """
    known = [row for row in rows if row.quantity == promise.quantity]
    if not known:
        return ""
    nearest = min(known, key=lambda row: abs(row.least - promise.least))
    level = "" if nearest.least == promise.least else f" of {nearest.least:g}"
    return (
        f"Tried{level} in places that were not in its fit, {promise.quantity} was {nearest.mean:.2f} on average and "
        f"{nearest.worst:.2f} in the worst, with a mean {promise.other} of {nearest.cost:.2f}."
    )


def _shares(values: list[Any]) -> tuple[float, ...]:
    if len(values) != len(THRESHOLDS):
        raise ValueError(f"a promise has {len(THRESHOLDS)} thresholds")
    return tuple(json_values.number(value, "a promise") for value in values)
