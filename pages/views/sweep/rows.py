"""What a sweep keeps of every run: the rows of its table and a picture, in a cache that outlives the masks."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from pages.app import drawing, runs
from pages.app.runs import MaskSettings, Run
from pages.app.state import cache
from scinet.evaluation.grading import agreement
from scinet.evaluation.sweep import COLUMNS, SweepPoint, sweep_rows

CELL_PX = 720
CELL_OPACITY = 0.6
_POINT_BYTES = 1000  # about


def point(run: Run, settings: MaskSettings) -> SweepPoint:
    """The figures of a run, without the agreement; computed once per run and settings, without a forward pass."""

    def make() -> SweepPoint:
        task = run.task
        return SweepPoint.of(task.card.title, task.cm_per_px, runs.evaluate_on_grids(run, settings))

    return cache("sweep").get_or_make(("point", *run.task.key, *settings), make, lambda _: _POINT_BYTES)


def agreement_with_native(run: Run, native: Run, settings: MaskSettings) -> float:
    """IoU of the run's mask with the model's own mask at the native resolution."""

    def make() -> float:
        masks = [runs.evaluate_on_grids(each, settings)["native"].prediction for each in (run, native)]
        return agreement(masks[0], masks[1], run.task.subject.raster)

    return cache("sweep").get_or_make(("agreement", *run.task.key, *settings), make, lambda _: _POINT_BYTES)


def table(found: Iterable[Run], settings: MaskSettings) -> pd.DataFrame:
    """The rows of `scinet.evaluation.sweep.sweep_rows` for the runs of one image."""
    found = list(found)
    natives = {run.task.card.name: run for run in found if run.task.cm_per_px == run.task.subject.raster.cm_per_px}
    points = []
    for run in found:
        of_run, native = point(run, settings), natives.get(run.task.card.name)
        if native is not None:
            of_run = replace(of_run, agreement=agreement_with_native(run, native, settings))
        points.append(of_run)
    return pd.DataFrame(sweep_rows(points), columns=list(COLUMNS))


def cell(run: Run, settings: MaskSettings) -> bytes:
    """The image at the run's resolution with the errors of its mask in colour, as JPEG."""

    def make() -> bytes:
        evaluation = runs.evaluate(run, settings).evaluation
        classes, colours = drawing.overlay_classes(evaluation.diagnosis, evaluation.prediction)
        return drawing.overlay_picture(evaluation.raster, classes, colours, opacity=CELL_OPACITY, side_px=CELL_PX)

    return cache("sweep").get_or_make(("cell", *run.task.key, *settings), make, len)
