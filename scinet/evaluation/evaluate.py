"""A model's mask of an image against the truth, at one working GSD or at many: the figures that the app shows."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from math import nan
from threading import Event, Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.diagnose import Diagnosis, Shares
from scinet.evaluation.grading import GRIDS, agreement, grade
from scinet.evaluation.report import report
from scinet.evaluation.scores import Scores
from scinet.evaluation.truth import Truth, truth_labels
from scinet.models.checkpoint import Model
from scinet.raster.components import components
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.raster.stream import ahead
from scinet.segmentation.strategies import Progress, Strategy, segment_at, segment_working

_BESIDE = 2  # runs at a time in a sweep


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
    """The report of a model's mask at a working GSD (see `report`), and the figures on the native grid.

    `name` is what to call the image. Plain values, ready for `to_json`: "truth" has the working grid's scores,
    shares and buildings by kind, "native" the scores and shares of the mask brought back. Raises ResolutionError.
    """
    working, probability = segment_at(raster, model, cm_per_px, strategy, progress)
    graded = grade(
        probability,
        threshold,
        working=working,
        native=raster,
        labels_on=partial(truth_labels, truth),
        min_area_m2=min_area_m2,
    )
    content = report(
        name,
        raster,
        working,
        model.card,
        *graded["working"],
        strategy=strategy,
        threshold=threshold,
        min_area_m2=min_area_m2,
    )
    native = graded["native"].diagnosis
    assert native is not None
    scores, shares = Scores.of(native.counts)._asdict(), native.shares._asdict()
    return {**content, "native": {"grid": "native", "scores": scores, "shares": shares}}


def sweep(
    raster: Raster,
    truth: Truth | None,
    models: Sequence[Model],
    steps_cm_per_px: Sequence[float],
    *,
    strategy: Strategy = "direct",
    threshold: float = 0.5,
    min_area_m2: float = 0.0,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """A row a model, step and grid ("working", "native"), sorted, with scores, shares, area, components, agreement.

    NaN where there is nothing to score: scores without a truth, the agreement with the model's own mask at the
    native GSD where that is no step. Raises ResolutionError.
    """
    rows: dict[tuple[int, float, str], dict[str, Any]] = {}
    native_masks: dict[int, NDArray[np.bool_]] = {}
    labels: dict[tuple[int, int], NDArray[np.int32]] = {}  # of the truth, by the shape of the grid

    def labels_on(grid: Raster) -> NDArray[np.int32]:
        assert truth is not None
        if grid.shape not in labels:
            labels[grid.shape] = truth_labels(truth, grid)
        return labels[grid.shape]

    # A mask is graded while the networks run for the next one
    for step, number, working, probability in ahead(_runs(raster, models, steps_cm_per_px, strategy, progress)):
        graded = grade(
            probability,
            threshold,
            working=working,
            native=raster,
            labels_on=None if truth is None else labels_on,
            min_area_m2=min_area_m2,
        )
        mask, diagnosis = graded["working"]
        if step == raster.cm_per_px:
            native_masks[number] = mask
        found = diagnosis.predicted if diagnosis else components(mask)
        own = native_masks.get(number)
        common = {
            "building_area_m2": float(mask.sum()) * working.pixel_area_m2,
            "components": found.sizes_px.size,
            "agreement": nan if own is None else agreement(graded["native"].mask, own, raster),
        }
        for grid in GRIDS:
            row = {"model": models[number].card.title, "cm_per_px": step, "grid": grid}
            rows[number, step, grid] = {**row, **_figures(graded[grid].diagnosis), **common}
    return [rows[key] for key in sorted(rows)]


def _runs(
    raster: Raster, models: Sequence[Model], steps: Sequence[float], strategy: Strategy, progress: Progress | None
) -> Iterator[tuple[float, int, Raster, NDArray[np.float32]]]:
    """Step, the model's index, image and probability on the working grid; the image is resampled once a step.

    Runs go on beside one another, so that a core which one leaves at its end has the next one's windows.
    """
    first = sorted(set(steps), key=lambda step: step != raster.cm_per_px)  # the native one
    shares = {(step, number): 0.0 for step in first for number in range(len(models))}
    work = sum(step**-2.0 for step, _ in shares)  # what its time goes with
    guard, failed, stopped = Lock(), Event(), Event()

    def run(working: Raster, key: tuple[float, int]) -> NDArray[np.float32]:
        if failed.is_set():  # one that was begun before, whose failure ends them all
            raise CancelledError

        def report(share: float) -> None:
            if stopped.is_set():
                raise CancelledError
            with guard:
                shares[key] = share
                if progress:
                    progress(sum(share * step**-2.0 for (step, _), share in shares.items()) / work)

        try:
            return segment_working(working, models[key[1]], strategy, report)
        except BaseException:
            failed.set()
            raise

    waiting: deque[tuple[float, int, Raster, Future[NDArray[np.float32]]]] = deque()
    with ThreadPoolExecutor(_BESIDE, "sweep") as threads:
        try:
            for step in first:
                working = resample(raster, step)
                for number in range(len(models)):
                    waiting.append((step, number, working, threads.submit(run, working, (step, number))))
                    if len(waiting) > _BESIDE:
                        yield _taken(waiting)
            while waiting:
                yield _taken(waiting)
        finally:
            stopped.set()
            for *_, answer in waiting:
                answer.cancel()


def _taken(
    waiting: deque[tuple[float, int, Raster, Future[NDArray[np.float32]]]],
) -> tuple[float, int, Raster, NDArray[np.float32]]:
    step, number, working, answer = waiting.popleft()
    return step, number, working, answer.result()


def _figures(diagnosis: Diagnosis | None) -> dict[str, float]:
    if diagnosis is None:
        return dict.fromkeys((*Scores._fields, *Shares._fields), nan)
    return {**Scores.of(diagnosis.counts)._asdict(), **diagnosis.shares._asdict()}
