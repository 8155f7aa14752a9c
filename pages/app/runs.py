"""Models on images: each loaded once, nothing computed twice, the results cached for all sessions."""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.app import custom_models
from pages.app.hosting import Limits, is_hosted
from pages.app.state import Key, cache, session
from pages.app.subject import Subject, raster_bytes
from scinet.datasets import sample_results
from scinet.errors import CheckpointError, RasterError, SciNetError
from scinet.evaluation.evaluate import Evaluation
from scinet.evaluation.evaluate import evaluate as evaluate_mask
from scinet.evaluation.grading import Grid, on_finer_grid
from scinet.evaluation.truth import truth_labels
from scinet.job_queue import Job, JobQueue
from scinet.models.card import Card
from scinet.models.confidence import Estimate
from scinet.models.estimates import likely_scores
from scinet.models.familiarity import Distance
from scinet.models.scaling import Counts, logit_histogram
from scinet.progress import ReportProgress
from scinet.raster.degrade import Degradation
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.segmentation.strategies import Strategy

if TYPE_CHECKING:  # at run time where a model runs: PyTorch takes seconds to import
    from scinet.models.model import Model

_NUMBER_BYTES = 100  # of a number in a cache, about
POLL_S = 0.05  # how often a page that waits for a run looks whether its user has moved on


@dataclass(frozen=True, eq=False)
class Task:
    """A model to run on an image at a working resolution."""

    subject: Subject
    card: Card
    cm_per_px: float
    strategy: Strategy
    degradation: Degradation | None = None  # of the image that the model sees

    @property
    def key(self) -> Key:
        """What the result depends on."""
        of_model = (self.card.name, self.card.sha256, self.cm_per_px, self.strategy)
        return ("run", self.subject.key, *of_model, *([self.degradation] if self.degradation else []))

    @property
    def scored_key(self) -> Key:
        """What its mask and scores depend on, besides their settings."""
        return (*self.key, *self.subject.scope_key)

    @property
    def text(self) -> str:
        """The task in words."""
        degraded = f", {self.degradation}" if self.degradation else ""
        return f"{self.card.title} at {self.cm_per_px:.3g} cm/px{degraded}"


@dataclass(frozen=True, eq=False)
class Run:
    """The result of a task: the probability float32 (H, W) in [0, 1] on the working grid.

    A sample tile's result on board is a mask bool (H, W), at the threshold `sample_results.THRESHOLD`.
    """

    task: Task
    known_probability: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None = None

    @property
    def probability(self) -> NDArray[np.float32]:
        """The probability; the model runs now if only its mask is on board."""
        if self.known_probability is not None:
            return self.known_probability
        return run(self.task, lambda _: None).probability


class MaskSettings(NamedTuple):
    """What turns a probability into a mask; to change it takes no forward pass."""

    threshold: float = 0.5
    min_area_m2: float = 0.0  # of a predicted component


@dataclass(frozen=True, eq=False)
class Result:
    """A run, and its mask on the working grid with its errors if there are reference buildings."""

    key: Key
    run: Run
    settings: MaskSettings
    evaluation: Evaluation

    @property
    def card(self) -> Card:
        """The card of the model."""
        return self.run.task.card


@st.cache_resource(show_spinner=False)
def job_queue() -> JobQueue:
    """The server's queue, shared by all sessions: two runs at a time.

    While one's windows go through its network, the other's image is resampled or its mask drawn.
    """
    return JobQueue(workers=2)


def cached_run(task: Task, threshold: float | None = None) -> Run | None:
    """The result of a task that has run before, or is on board, or None.

    The cache holds the probability and not the task, whose image would stay in memory after its session ends.

    Args:
        task: What was to run.
        threshold: That of the mask, if the mask is all that is needed: then a mask on board will do.
    """
    probability = cache("runs").get(task.key)
    if probability is not None:
        return Run(task, probability)
    mask = _mask_on_board(task) if threshold == sample_results.THRESHOLD else None
    return None if mask is None else Run(task, None, mask)


def _mask_on_board(task: Task) -> NDArray[np.bool_] | None:
    """The mask of a task on a sample tile, or None. With another strategy the model has to run."""
    tile = task.subject.sample
    if tile is None or task.strategy != Strategy() or task.degradation is not None:
        return None
    with suppress(RasterError):  # a damaged file costs a run
        return sample_results.sample_mask(tile, task.card, task.cm_per_px)
    return None


def run(task: Task, progress: Callable[[float], None], threshold: float | None = None) -> Run:
    """The result of a task, computed if it is not known.

    Args:
        task: What to run.
        progress: Gets the share done, in [0, 1]. If it raises because the user has moved on, the run is cancelled.
        threshold: As for `cached_run`.

    Raises:
        CheckpointError: The model cannot be loaded.
        ResolutionError: The image at this resolution would not fit in memory.
        SciNetError: On a hosted server, the session has used its time up.
    """
    known = cached_run(task, threshold)
    if known is not None:
        return known
    session().processor_time.check()
    with _submit(task, priority=0) as job:
        while not job.wait(POLL_S):
            progress(job.progress)
        return Run(task, job.result())


def seconds(task: Task) -> float | None:
    """How long a task took on this server; None where that is not known any more."""
    known: float | None = cache("derived").get(("seconds", *task.key))
    return known


def start_background(task: Task) -> Job[NDArray[np.float32]]:
    """Queue a task behind those that somebody waits for. It is cancelled when the returned job is dropped."""
    return _submit(task, priority=-1)


def as_they_finish(
    tasks: Sequence[Task], report: Callable[[float], None], threshold: float | None = None
) -> Generator[tuple[Task, Run | SciNetError]]:
    """Run tasks together, and give each with its result, or with what went wrong, as soon as that is known.

    Args:
        tasks: What to run; earlier ones start first.
        report: Called several times a second with the share done of those that run, in [0, 1]. If it raises because
            the user has moved on, all are cancelled, as they are when the iterator is closed.
        threshold: As for `cached_run`.
    """
    todo: deque[Task] = deque()
    for task in tasks:
        known = cached_run(task, threshold)
        if known is None:
            todo.append(task)
        else:
            yield task, known
    count = len(todo)
    most = int(Limits.from_environment().runs) if is_hosted() else count
    waiting: list[tuple[Task, Job[NDArray[np.float32]]]] = []
    with ExitStack() as jobs:
        while todo or waiting:
            while todo and len(waiting) < most:
                task = todo.popleft()
                try:
                    session().processor_time.check()
                    waiting.append((task, jobs.enter_context(_submit(task, priority=0))))
                except SciNetError as error:
                    yield task, error
            if waiting:
                waiting[0][1].wait(POLL_S)
            ended = count - len(todo) - len(waiting)
            report((ended + sum(job.progress for _, job in waiting)) / count)
            for pair in [pair for pair in waiting if pair[1].is_done]:
                waiting.remove(pair)
                yield pair[0], _outcome(*pair)


def _outcome(task: Task, job: Job[NDArray[np.float32]]) -> Run | SciNetError:
    try:
        return Run(task, job.result())
    except SciNetError as error:
        return error


def start_when_idle(task: Task) -> Job[NDArray[np.float32]]:
    """Have a task run while nobody waits for anything. It is cancelled when somebody does, or the job is dropped."""
    return _submit(task, priority=-1, only_when_idle=True)


def _submit(task: Task, priority: int, *, only_when_idle: bool = False) -> Job[NDArray[np.float32]]:
    pixels = math.prod(task.subject.raster.grid.at(task.cm_per_px).shape)
    visit = session()

    def work(report: ReportProgress) -> NDArray[np.float32]:
        with visit.processor_time.spend() as check:

            def report_in_time(done: float) -> None:
                check()  # which ends a run that would take hours
                report(done)

            return _probability(task, report_in_time)

    return job_queue().submit(task.key, work, pixels, priority, visit.id, only_when_idle=only_when_idle)


def _probability(task: Task, report: ReportProgress) -> NDArray[np.float32]:
    from scinet.segmentation.encoder_statistics import distance_of
    from scinet.segmentation.segment import segment

    known: NDArray[np.float32] | None = cache("runs").get(task.key)  # a job of another session may have been faster
    if known is not None:
        return known
    raster = seen_raster(task)
    model = model_of(task.card)
    begin = time.monotonic()
    try:
        probability = segment(raster, model, strategy=task.strategy, progress=report).probability
    except CheckpointError as error:
        if not task.card.is_custom:
            raise
        reason = f"{error} The model has been removed."
        custom_models.remove_failed(task.card, reason)
        raise CheckpointError(reason) from error
    cache("derived").put(("seconds", *task.key), time.monotonic() - begin, _NUMBER_BYTES)
    far = distance_of(raster, replace(model, card=task.card))  # the card may be newer than the loaded weights
    cache("derived").put(("distance", *task.key), far, _NUMBER_BYTES)
    cache("runs").put(task.key, probability, probability.nbytes)
    return probability


def model_of(card: Card) -> "Model":
    """The model of a card; the weights' hash makes a replaced file a new entry."""
    from scinet.models.named import open_model

    if card.is_custom:
        return custom_models.network(card)
    return cache("models").get_or_make(
        (card.name, card.sha256), lambda: open_model(card.name), lambda model: model.size_bytes
    )


def evaluate(run: Run, settings: MaskSettings) -> Result:
    """The mask of a run and its errors, without a forward pass; without confidences if the mask is on board."""
    key = (*run.task.scored_key, *settings)
    if run.mask is None or settings.threshold != sample_results.THRESHOLD:
        return Result(key, run, settings, _evaluation(run, settings))

    def make() -> Evaluation:
        assert run.mask is not None
        return _evaluate(run.task, run.mask, settings)

    evaluation = cache("derived").get_or_make(("on board", *key), make, _evaluation_bytes)
    return Result(key, run, settings, evaluation)


def _evaluation(run: Run, settings: MaskSettings) -> Evaluation:
    """The mask of a run's probability and its errors, on the working grid."""
    key = (*run.task.scored_key, *settings)
    return cache("derived").get_or_make(key, lambda: _evaluate(run.task, run.probability, settings), _evaluation_bytes)


def _evaluate(task: Task, probability: NDArray[np.float32] | NDArray[np.bool_], settings: MaskSettings) -> Evaluation:
    raster = seen_raster(task)
    return evaluate_mask(probability, raster, reference(task.subject), area=task.subject.area, **settings._asdict())


def distance(task: Task) -> Distance | None:
    """How far an image is from the training of the model that ran on it; None where that is not known."""
    known: Distance | None = cache("derived").get(("distance", *task.key))
    return known


def estimate(result: Result) -> dict[str, Estimate]:
    """The scores that a result is likely to have, by name; see `likely_scores`."""
    task, raster = result.run.task, result.evaluation.raster

    def make() -> Counts:
        return logit_histogram(result.run.probability, raster.valid)

    def histogram() -> Counts:
        return cache("derived").get_or_make(("histogram", *task.scored_key), make, lambda counts: counts.nbytes)

    return likely_scores(result.card, distance(task), histogram, raster.cm_per_px, result.settings.threshold)


def evaluate_on_grids(run: Run, settings: MaskSettings) -> dict[Grid, Evaluation]:
    """As `evaluate`, on the working grid and on the image's own."""
    task = run.task
    on_working = _evaluation(run, settings)
    if on_working.raster.shape == task.subject.raster.shape:
        return {"working": on_working, "native": on_working}

    def make() -> Evaluation:
        native = task.subject.raster
        probability = on_finer_grid(run.probability, on_working.raster, native.shape)
        return evaluate_mask(probability, native, reference(task.subject), area=task.subject.area, **settings._asdict())

    key = ("native", *task.scored_key, *settings)
    return {"working": on_working, "native": cache("derived").get_or_make(key, make, _evaluation_bytes)}


def _evaluation_bytes(evaluation: Evaluation) -> int:
    return 14 * evaluation.prediction.size


def reference(subject: Subject) -> Callable[[Raster], NDArray[np.int32]] | None:
    """What gives the labels of the reference buildings on a grid of the subject, or None if there are none."""
    return None if subject.truth is None else partial(truth_on, subject)


def truth_on(subject: Subject, raster: Raster) -> NDArray[np.int32]:
    """The labels int32 (H, W) of the reference buildings on a working grid of the subject."""
    truth = subject.truth
    assert truth is not None
    return cache("derived").get_or_make(
        ("truth", subject.key, *subject.scope_key, raster.shape),
        lambda: truth_labels(truth, raster),
        lambda labels: labels.nbytes,
    )


def seen_raster(task: Task) -> Raster:
    """The image of a task at its resolution, degraded if that is asked for."""
    subject, degradation = task.subject, task.degradation
    if degradation is None:
        return working_raster(subject, task.cm_per_px)
    key = ("raster", subject.key, task.cm_per_px, degradation)
    return cache("derived").get_or_make(key, lambda: degradation.at(subject.raster, task.cm_per_px), raster_bytes)


def working_raster(subject: Subject, cm_per_px: float) -> Raster:
    """The image at a working resolution, as models see it with the strategy "direct"."""
    return cache("derived").get_or_make(
        ("raster", subject.key, cm_per_px), lambda: resample(subject.raster, cm_per_px), raster_bytes
    )
