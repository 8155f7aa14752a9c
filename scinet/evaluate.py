"""A model's mask of an image against the truth, at one working GSD or at many: the figures that the app shows."""

from collections.abc import Sequence
from functools import partial
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.checkpoint import Model
from scinet.components import label, without_small
from scinet.diagnose import Shares, Tally, diagnose
from scinet.raster import Raster
from scinet.report import report
from scinet.scores import Scores
from scinet.segment import Progress, Strategy, segment_at
from scinet.sweep import GRIDS, agreement, grade
from scinet.truth import Truth, truth_labels


def score(
    name: str,
    raster: Raster,
    truth: Truth,
    model: Model,
    cm_per_px: float,
    *,
    strategy: Strategy = "direct",
    threshold: float = 0.5,
    min_area_m2: float = 0.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report of `scinet.report.report` on a model's mask at a working GSD, and the figures on the native grid.

    `name` is what to call the image. Plain values, ready for `to_json`: "truth" has the working grid's scores,
    shares and buildings by kind, "native" the scores and shares of the mask brought back. Raises ResolutionError.
    """
    labels_on = partial(truth_labels, truth)
    working, probability = segment_at(raster, model, cm_per_px, strategy, progress)
    mask = without_small((probability > threshold) & working.valid, min_area_m2, working.pixel_area_m2)
    diagnosis = diagnose(labels_on(working), mask, valid=working.valid, pixel_area_m2=working.pixel_area_m2)
    content = report(
        name, raster, working, model.card, mask, diagnosis,
        strategy=strategy, threshold=threshold, min_area_m2=min_area_m2,
    )  # fmt: skip
    tallies = grade(
        probability, threshold, working=working, native=raster, labels_on=labels_on, min_area_m2=min_area_m2
    )
    scores, shares = Scores.of(tallies["native"].counts), tallies["native"].shares
    return {**content, "native": {"grid": "native", "scores": scores._asdict(), "shares": shares._asdict()}}


def sweep(
    raster: Raster,
    truth: Truth | None,
    model: Model,
    steps_cm_per_px: Sequence[float],
    *,
    strategy: Strategy = "direct",
    threshold: float = 0.5,
    min_area_m2: float = 0.0,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """A row a step and grid ("working", "native"), sorted, with scores, shares, area, components and agreement.

    NaN where there is nothing to score: scores without a truth, the agreement with the model's own mask at the
    native GSD where that is no step. Raises ResolutionError.
    """
    rows: list[dict[str, Any]] = []
    native_mask: NDArray[np.bool_] | None = None
    work = {step: step**-2.0 for step in steps_cm_per_px}  # what its time goes with
    done = 0.0
    for step in sorted(work, key=lambda step: step != raster.cm_per_px):  # the native one first
        part = None if progress is None else partial(_part, progress, done, work[step], sum(work.values()))
        working, probability = segment_at(raster, model, step, strategy, part)
        done += work[step]
        mask = without_small((probability > threshold) & working.valid, min_area_m2, working.pixel_area_m2)
        if step == raster.cm_per_px:
            native_mask = mask
        common = {
            "building_area_m2": float(mask.sum()) * working.pixel_area_m2,
            "components": int(label(mask).max(initial=0)),
            "agreement": nan
            if native_mask is None
            else agreement(probability, threshold, native_mask, raster, min_area_m2),
        }
        tallies: dict[str, Tally] = {}
        if truth is not None:
            labels_on = partial(truth_labels, truth)
            graded = grade(
                probability, threshold, working=working, native=raster, labels_on=labels_on, min_area_m2=min_area_m2
            )
            tallies = {str(grid): tally for grid, tally in graded.items()}
        for grid in GRIDS:
            row = {"model": model.card.title, "cm_per_px": step, "grid": grid}
            rows.append({**row, **_figures(tallies.get(grid)), **common})
    return sorted(rows, key=lambda row: (row["cm_per_px"], row["grid"]))


def _figures(tally: Tally | None) -> dict[str, float]:
    if tally is None:
        return dict.fromkeys((*Scores._fields, *Shares._fields), nan)
    return {**Scores.of(tally.counts)._asdict(), **tally.shares._asdict()}


def _part(progress: Progress, before: float, work: float, total: float, done: float) -> None:
    progress((before + done * work) / total)
