"""One image at many resolutions, by any number of models."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.evaluate import Evaluation, evaluate_on_grids
from scinet.evaluation.grading import agreement
from scinet.evaluation.sweep_rows import SweepPoint, sweep_rows
from scinet.evaluation.truth import Truth, truth_labels
from scinet.job_queue import Job, JobQueue
from scinet.models.estimates import likely_scores
from scinet.models.model import Model
from scinet.models.scaling import logit_histogram
from scinet.progress import ReportProgress
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.segmentation.encoder_statistics import distance_of
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy, StrategyName
from scinet.vector.area import Area
from scinet.vector.footprints import Footprints

_WORKERS = 2  # so that a core which one run leaves at its end has the next one's windows
_PROGRESS_EVERY_S = 0.1


def sweep(
    raster: Raster,
    truth: Truth | Footprints | None,
    models: Sequence[Model],
    steps_cm_per_px: Sequence[float],
    *,
    strategy: Strategy | StrategyName = "best-scale",
    threshold: float = 0.5,
    min_area_m2: float = 0.0,
    progress: ReportProgress | None = None,
) -> list[dict[str, Any]]:
    """Segment and evaluate an image at many resolutions: the rows of `sweep_points`.

    Args:
        raster: The image.
        truth: Its reference buildings as `read_truth` gives them, or footprints; without them, rows have the agreement
            and, of models that were calibrated, estimated scores.
        models: The models, whose titles differ.
        steps_cm_per_px: The working resolutions. The agreement is with the mask at `raster.cm_per_px`, where that
            is one of them.
        strategy: What the models see; see `segment`.
        threshold: Pixels with a higher probability are building.
        min_area_m2: Smaller predicted components are dropped.
        progress: Called in this thread with the share that is done, in [0, 1].

    Returns:
        The rows of `sweep_rows`.

    Raises:
        ResolutionError: The image does not fit in memory at one of the resolutions.

    Example:
        >>> from scinet import load_model, make_town, sweep
        >>> town = make_town(seed=3, size_m=30)
        >>> rows = sweep(town.render(cm_per_px=25), town.footprints, [load_model("unet")], [25.0, 50.0])
        >>> {(row["model"], row["cm_per_px"]) for row in rows} == {("UNet", 25.0), ("UNet", 50.0)}
        True
        >>> all(0 <= row["iou"] <= 1 for row in rows)
        True
    """
    return sweep_rows(
        sweep_points(
            raster,
            truth,
            models,
            steps_cm_per_px,
            strategy=strategy,
            threshold=threshold,
            min_area_m2=min_area_m2,
            progress=progress,
        )
    )


def sweep_points(
    raster: Raster,
    truth: Truth | Footprints | None,
    models: Sequence[Model],
    steps_cm_per_px: Sequence[float],
    *,
    strategy: Strategy | StrategyName = "best-scale",
    threshold: float = 0.5,
    min_area_m2: float = 0.0,
    area: Area | None = None,
    progress: ReportProgress | None = None,
    see: Callable[[SweepPoint, Evaluation], None] | None = None,
) -> list[SweepPoint]:
    """What `sweep` has rows of, by model in their order.

    `see` is called with each point and its evaluation on the working grid, which is not kept; `area` is as for
    `evaluate`; the other arguments and the errors are those of `sweep`.
    """
    points: list[SweepPoint] = []
    native_masks: dict[int, NDArray[np.bool_]] = {}
    labels: dict[tuple[int, int], NDArray[np.int32]] = {}

    def labels_on(grid: Raster) -> NDArray[np.int32]:
        assert truth is not None
        if grid.shape not in labels:
            labels[grid.shape] = truth_labels(truth, grid)
        return labels[grid.shape]

    # A mask is evaluated while the networks run for the next one
    for step, number, working, probability in _runs(raster, models, steps_cm_per_px, Strategy.of(strategy), progress):
        evaluations = evaluate_on_grids(
            probability,
            working,
            raster,
            None if truth is None else labels_on,
            threshold=threshold,
            min_area_m2=min_area_m2,
            area=area,
        )
        native_mask = evaluations["native"].prediction
        if step == raster.cm_per_px:
            native_masks[number] = native_mask
        is_partial = isinstance(truth, Truth) and truth.is_partial
        point = SweepPoint.of(models[number].card.title, step, evaluations, is_partial=is_partial)
        if truth is None:
            point = _estimated(point, models[number], working, probability, evaluations["working"])
        if number in native_masks:
            point = replace(point, agreement=agreement(native_mask, native_masks[number], evaluations["native"].raster))
        points.append(point)
        if see:
            see(point, evaluations["working"])
    titles = [model.card.title for model in models]
    return sorted(points, key=lambda point: titles.index(point.model))


def _estimated(
    point: SweepPoint, model: Model, working: Raster, probability: NDArray[np.float32], evaluation: Evaluation
) -> SweepPoint:
    """A point with what its scores are likely to be."""
    distance = distance_of(working, model)
    estimates = likely_scores(
        model.card,
        distance,
        lambda: logit_histogram(probability, evaluation.raster.valid),
        working.cm_per_px,
        evaluation.threshold,
    )
    return replace(point, estimates=estimates, distance=distance)


def _runs(
    raster: Raster,
    models: Sequence[Model],
    steps: Sequence[float],
    strategy: Strategy,
    progress: ReportProgress | None,
) -> Iterator[tuple[float, int, Raster, NDArray[np.float32]]]:
    """Step, the model's index, image and probability on the working grid; the native step first."""
    in_order = sorted(set(steps), key=lambda step: step != raster.cm_per_px)
    total = len(models) * sum(_work(step) for step in in_order)
    done = 0.0
    waiting: deque[tuple[float, int, Raster, Job[NDArray[np.float32]]]] = deque()

    def report() -> None:
        if progress:
            progress(min(1.0, (done + sum(job.progress * _work(step) for step, _, _, job in waiting)) / total))

    def first() -> tuple[float, int, Raster, NDArray[np.float32]]:
        nonlocal done
        step, number, working, job = waiting[0]
        while not job.wait(_PROGRESS_EVERY_S):
            report()
        probability = job.result()
        waiting.popleft()
        done += _work(step)
        report()
        return step, number, working, probability

    with JobQueue(_WORKERS) as queue:
        for step in in_order:
            working = resample(raster, step)
            for number, model in enumerate(models):
                job = queue.submit((step, number), partial(_probability, working, model, strategy))
                waiting.append((step, number, working, job))
                if len(waiting) > _WORKERS:
                    yield first()
        while waiting:
            yield first()


def _probability(working: Raster, model: Model, strategy: Strategy, progress: ReportProgress) -> NDArray[np.float32]:
    return segment(working, model, strategy=strategy, progress=progress).probability


def _work(cm_per_px: float) -> float:
    """What the time of a run is proportional to."""
    return 1 / (cm_per_px * cm_per_px)
