"""What the numbers on Explore are taken from: one figure of one result, NaN where it is not known."""

from math import nan

import numpy as np

from pages.app.runs import Result
from scinet.evaluation import scores
from scinet.evaluation.partial import NEEDS_ALL_LABELLED


def score(result: Result | None, name: str) -> float:
    """A score of its pixels, named as in `scinet.evaluation.scores`."""
    if result is None or result.evaluation.diagnosis is None or _is_unknown(result, name):
        return nan
    return float(getattr(scores, name)(result.evaluation.diagnosis.counts))


def share(result: Result | None, name: str) -> float:
    """A share of its errors, named as in `Shares`."""
    if result is None or result.evaluation.diagnosis is None or _is_unknown(result, name):
        return nan
    return float(getattr(result.evaluation.diagnosis.shares, name))


def of_objects(result: Result | None, name: str) -> float:
    """A figure of its objects, named as in `ObjectScores`."""
    if result is None or result.evaluation.objects is None or _is_unknown(result, name):
        return nan
    return float(getattr(result.evaluation.objects.tally.scores, name))


def count(result: Result | None, kind: str) -> float:
    """How many reference buildings are of a kind, or how many components are false areas."""
    if result is None or result.evaluation.diagnosis is None:
        return nan
    if kind == "false" and _is_unknown(result, "false_area"):
        return nan
    diagnosis = result.evaluation.diagnosis
    kinds = diagnosis.components.kind if kind == "false" else diagnosis.buildings.kind
    return float(np.count_nonzero(kinds == kind))


def areas(result: Result) -> tuple[float, float, float, float]:
    """Of its mask: area in m², share of the valid pixels, number of components, and their median area in m²."""
    sizes_m2 = np.bincount(result.evaluation.predicted_labels.ravel())[1:] * result.evaluation.raster.pixel_area_m2
    valid_px = int(result.evaluation.raster.valid.sum())
    of_valid = float(result.evaluation.prediction.sum()) / valid_px if valid_px else nan
    return float(sizes_m2.sum()), of_valid, float(len(sizes_m2)), float(np.median(sizes_m2)) if len(sizes_m2) else nan


def _is_unknown(result: Result, name: str) -> bool:
    """Whether a figure would need a reference that names every building."""
    truth = result.run.task.subject.truth
    return name in NEEDS_ALL_LABELLED and truth is not None and truth.is_partial
