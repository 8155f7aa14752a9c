"""A target that a reader sets, and down to which resolution a model keeps it, with the uncertainty of one image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scinet.errors import TargetError
from scinet.evaluation.draws import draws
from scinet.evaluation.parts import FIGURE_NAMES, LARGE_M2, FigureName, Sums, figure_of
from scinet.models.confidence import Estimate

LEVEL_PERCENT = (2.5, 97.5)
State = Literal["holds", "doubtful", "fails"]

FIGURE_TITLES: dict[FigureName, str] = {
    "iou": "IoU",
    "f1": "F1",
    "object_f1": "Object F1",
    "found_over_20_m2": f"Share found of buildings over {LARGE_M2:g} m²",
}


@dataclass(frozen=True)
class Target:
    """The least value of a figure that a reader needs.

    Attributes:
        figure: Which one.
        least: In (0, 1].

    Raises:
        TargetError: `least` is not in (0, 1].

    Example:
        >>> Target("found_over_20_m2", 0.9).text
        'finds at least 90 % of the buildings over 20 m²'
    """

    figure: FigureName
    least: float

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise TargetError(f"A target of {self.least:g} cannot be met. Give a number above 0 and up to 1.")

    @property
    def text(self) -> str:
        """What a model does that meets it."""
        if self.figure == "found_over_20_m2":
            return f"finds at least {100 * self.least:.3g} % of the buildings over {LARGE_M2:g} m²"
        return f"reaches {FIGURE_TITLES[self.figure]} {self.least:.2g}"


def parse_target(text: str) -> Target:
    """A target from a text such as "iou=0.7". Raises TargetError for any other.

    >>> parse_target("object_f1=0.6")
    Target(figure='object_f1', least=0.6)
    """
    name, _, value = (part.strip() for part in text.partition("="))
    figure = next((known for known in FIGURE_NAMES if known == name), None)
    try:
        least = float(value)
    except ValueError:
        figure = None
    if figure is None:
        raise TargetError(
            f'"{text[:40]}" is not a target. Give a figure and its least value, such as iou=0.7; figures are '
            f"{', '.join(FIGURE_NAMES)}."
        )
    return Target(figure, least)


@dataclass(frozen=True)
class Verdict:
    """Down to which resolution a model keeps a target, of the steps that have run from native resolution on.

    Attributes:
        model: The model's title.
        target: The target.
        scores: The figure at each step in cm/px, finest first.
        first: The finest step that meets the target, in cm/px; None if none does.
        kept: The coarsest one up to which all do from `first` on; None likewise.
        low: The lower end of the 95 % interval of `kept`; None if it may well be that no step meets the target.
        high: The upper end; None if it is all but certain that none does.
        is_estimated: Whether the scores are estimates, without a reference.
    """

    model: str
    target: Target
    scores: dict[float, float]
    first: float | None
    kept: float | None
    low: float | None
    high: float | None
    is_estimated: bool = False

    def state(self, cm_per_px: float) -> State | None:
        """Whether the target is met at a resolution: None beyond the steps that have run."""
        steps = list(self.scores)
        if not steps[0] <= cm_per_px <= steps[-1]:
            return None
        if self.low is not None and cm_per_px <= self.low and (self.first is None or cm_per_px >= self.first):
            return "holds"
        return "doubtful" if self.high is not None and cm_per_px <= self.high else "fails"

    @property
    def text(self) -> str:
        """It in one sentence."""
        best = max(self.scores, key=lambda step: self.scores[step])
        finest, *_, coarsest = (*self.scores, *self.scores)
        if self.kept is None or self.first is None:
            maybe = "" if self.high is None else f", though it may to {self.high:.3g}"
            does_not = "probably does not" if self.is_estimated else "does not"
            return (
                f"{self.model} {does_not} keep your target at any step{maybe}: its best is "
                f"{self.scores[best]:.2f} at {best:.3g} cm/px."
            )
        start = "" if self.first == finest else f"from {self.first:.3g} "
        reach = f"{start}to {self.kept:.3g} cm/px" + (", the coarsest step" if self.kept == coarsest else "")
        low = "none" if self.low is None else f"{self.low:.3g}"
        high = "none" if self.high is None else f"{self.high:.3g}"
        keeps = "probably keeps" if self.is_estimated else "keeps"
        return f"{self.model} {keeps} your target {reach} ({low} to {high})."

    def as_values(self) -> dict[str, Any]:
        """It as plain values for JSON."""
        return {
            "kept_to_cm_per_px": self.kept,
            "interval_cm_per_px": [self.low, self.high],
            "from_cm_per_px": self.first,
            "is_estimated": self.is_estimated,
            "sentence": self.text,
        }


def verdict(model: str, parts_at: Mapping[float, Sums], target: Target, native_cm_per_px: float) -> Verdict:
    """Down to which resolution a model keeps a target on an image.

    The interval is a bootstrap over the parts of the image, with the same draws at all steps.

    Args:
        model: The model's title.
        parts_at: Sums by part, see `sums_by_part`, for each resolution in cm/px. Steps finer than native do not count.
        target: The target.
        native_cm_per_px: The image's own resolution.

    Raises:
        TargetError: No step has run, or the reference has no building of which the target speaks.

    Example:
        >>> def half(share):  # 16 parts, in each of which a share of 100 px is found
        ...     return np.tile([100.0, 100 * share, 100 * share, 1, 1, 1, 1, 1], (16, 1))
        >>> verdict("UNet", {10: half(0.9), 20: half(0.8), 40: half(0.5)}, Target("iou", 0.7), 10).text
        'UNet keeps your target to 20 cm/px (20 to 20).'
    """
    steps = sorted(step for step in parts_at if step >= native_cm_per_px)
    if not steps:
        raise TargetError("No step from the native resolution on has run, so there is no verdict.")
    weights = draws(len(parts_at[steps[0]]))
    samples = np.array([figure_of(weights @ parts_at[step], target.figure) for step in steps])
    if np.isnan(samples[:, 0]).any():
        raise TargetError(
            f"There is no reference building over {LARGE_M2:g} m², so no share of them. Choose another target."
        )
    first, last = _kept(samples[:, ~np.isnan(samples).any(axis=0)] >= target.least)
    low, high = (int(end) for end in np.percentile(last, LEVEL_PERCENT, method="nearest"))
    step_of = [*steps, None]  # -1 stands for none
    scores = dict(zip(steps, samples[:, 0].tolist(), strict=True))
    return Verdict(model, target, scores, step_of[first[0]], step_of[last[0]], step_of[low], step_of[high])


def estimated_verdict(
    model: str, estimates_at: Mapping[float, Mapping[str, Estimate]], target: Target, native_cm_per_px: float
) -> Verdict:
    """Down to which resolution a model keeps a target on an image without a reference, by estimates of its scores.

    The ends of the interval are where the ends of the estimates' intervals keep the target.

    Args:
        model: The model's title.
        estimates_at: By resolution in cm/px, what `Calibration.estimate` gives. Steps finer than native do not count.
        target: The target.
        native_cm_per_px: The image's own resolution.

    Raises:
        TargetError: No step has run, one has no estimate, or the target's figure cannot be estimated.

    Example:
        >>> iou = {10: Estimate(0.8, 0.7, 0.9, 0.9), 20: Estimate(0.6, 0.4, 0.75, 0.9)}
        >>> at = {step: {"iou": estimate} for step, estimate in iou.items()}
        >>> estimated_verdict("UNet", at, Target("iou", 0.7), 10).text
        'UNet probably keeps your target to 10 cm/px (10 to 20).'
    """
    steps = sorted(step for step in estimates_at if step >= native_cm_per_px)
    if not steps:
        raise TargetError("No step from the native resolution on has run, so there is no verdict.")
    found = [estimated_figure(estimates_at[step], target.figure) for step in steps]
    ends = np.array([each[:3] for each in found if each is not None])
    if len(ends) < len(steps):
        raise TargetError(
            f"{FIGURE_TITLES[target.figure]} cannot be estimated for {model} at every step without a reference, so "
            "there is no verdict. Choose another target, or give reference buildings."
        )
    first, last = _kept(ends >= target.least)
    step_of = [*steps, None]  # -1 stands for none
    scores = dict(zip(steps, ends[:, 0].tolist(), strict=True))
    kept, low, high = (step_of[each] for each in last)
    return Verdict(model, target, scores, step_of[first[0]], kept, low, high, is_estimated=True)


def estimated_figure(estimates: Mapping[str, Estimate], figure: FigureName) -> Estimate | None:
    """The estimate of a figure; F1 follows from IoU. None where there is none."""
    if figure == "f1" and "iou" in estimates:
        value, low, high = (2 * iou / (1 + iou) for iou in estimates["iou"][:3])
        return Estimate(value, low, high, estimates["iou"].coverage)
    return estimates.get(figure)


def _kept(meets: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last index of the first run of steps that meet the target, (draws,) each; -1 where none does.

    Args:
        meets: bool (steps, draws).
    """
    any_ = meets.any(axis=0)
    first = np.where(any_, meets.argmax(axis=0), -1)
    broken = ~meets & (np.arange(len(meets))[:, None] > first)
    end = np.where(broken.any(axis=0), broken.argmax(axis=0), len(meets))
    return first, np.where(any_, end - 1, -1)
