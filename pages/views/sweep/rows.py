"""What a sweep keeps of every run: the rows of its table and a picture, in a cache that outlives the masks."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from pages.app import drawing, runs
from pages.app.labels import note_on_labels
from pages.app.runs import MaskSettings, Run
from pages.app.state import cache
from pages.app.subject import Subject
from scinet.errors import ResolutionError
from scinet.evaluation.grading import agreement
from scinet.evaluation.sweep_rows import COLUMNS, SweepPoint, sweep_rows

CELL_PX = 400
CELL_OPACITY = 0.6
_POINT_BYTES = 5000  # about


def point(run: Run, settings: MaskSettings) -> SweepPoint:
    """The figures of a run, without the agreement; computed once per run and settings, without a forward pass."""

    def make() -> SweepPoint:
        task = run.task
        evaluations = runs.evaluate_on_grids(run, settings)
        truth = task.subject.truth
        of_run = SweepPoint.of(
            task.card.title, task.cm_per_px, evaluations, is_partial=truth is not None and truth.is_partial
        )
        if truth:
            return of_run
        return replace(of_run, estimates=runs.estimate(runs.evaluate(run, settings)), distance=runs.distance(task))

    return cache("sweep").get_or_make(("point", *run.task.scored_key, *settings), make, lambda _: _POINT_BYTES)


def agreement_with_native(run: Run, native: Run, settings: MaskSettings) -> float:
    """IoU of the run's mask with the model's own mask at the native resolution."""

    def make() -> float:
        masks = [runs.evaluate_on_grids(each, settings)["native"].prediction for each in (run, native)]
        return agreement(masks[0], masks[1], run.task.subject.raster)

    return cache("sweep").get_or_make(("agreement", *run.task.scored_key, *settings), make, lambda _: _POINT_BYTES)


def points(found: Iterable[Run], settings: MaskSettings) -> list[SweepPoint]:
    """The figures of the runs of one image, with the agreement where the native resolution has run."""
    found = list(found)
    natives = {run.task.card.name: run for run in found if run.task.cm_per_px == run.task.subject.raster.cm_per_px}
    all_points = []
    for run in found:
        of_run, native = point(run, settings), natives.get(run.task.card.name)
        if native is not None:
            of_run = replace(of_run, agreement=agreement_with_native(run, native, settings))
        all_points.append(of_run)
    return all_points


def note(found: Iterable[Run], settings: MaskSettings) -> list[str]:
    """What to say of the labels, once a mask at native resolution is known: no sentence or one."""
    native = next((run for run in found if run.task.cm_per_px == run.task.subject.raster.cm_per_px), None)
    return [] if native is None else note_on_labels(runs.evaluate(native, settings))


def table(of_runs: Iterable[SweepPoint]) -> pd.DataFrame:
    """The rows of `scinet.evaluation.sweep.sweep_rows`."""
    rows = sweep_rows(of_runs)
    return pd.DataFrame(rows, columns=list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])))


def cell(run: Run, settings: MaskSettings) -> bytes:
    """The image at the run's resolution with the errors of its mask in colour, as JPEG."""

    def make() -> bytes:
        evaluation = runs.evaluate(run, settings).evaluation
        classes, colours = drawing.overlay_classes(evaluation.diagnosis, evaluation.prediction)
        return drawing.overlay_picture(evaluation.raster, classes, colours, opacity=CELL_OPACITY, side_px=CELL_PX)

    return cache("sweep").get_or_make(("cell", *run.task.scored_key, *settings), make, len)


def context_rows(subject: Subject) -> dict[str, Callable[[float], bytes | None]]:
    """The rows of the film strip above the models: what gives the picture at a resolution, None if it cannot be had."""
    found: dict[str, Callable[[float], bytes | None]] = {"Image": partial(_context, subject, False)}
    if subject.truth is not None:
        found["Reference"] = partial(_context, subject, True)
    return found


def _context(subject: Subject, with_reference: bool, cm_per_px: float) -> bytes | None:
    """The image at a resolution, with its reference buildings or without, as JPEG."""

    def make() -> bytes:
        raster = runs.working_raster(subject, cm_per_px)
        buildings = runs.truth_on(subject, raster) > 0 if with_reference else np.zeros(raster.shape, np.bool_)
        return drawing.overlay_picture(
            raster, buildings.astype(np.uint8), [drawing.GREEN], opacity=CELL_OPACITY, side_px=CELL_PX
        )

    try:
        return cache("sweep").get_or_make(
            ("context", subject.key, *subject.scope_key, with_reference, cm_per_px), make, len
        )
    except ResolutionError:
        return None
