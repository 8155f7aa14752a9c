"""Models at work: loaded once, nothing run twice, their results kept for every session."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import add_script_run_ctx

from pages.app import custom_models
from pages.app.job_queue import turns
from pages.app.result_cache import result_cache
from pages.sources import Subject
from scinet.errors import SciNetError
from scinet.evaluation.diagnose import Diagnosis, diagnose
from scinet.evaluation.truth import truth_labels
from scinet.models.card import Card
from scinet.models.checkpoint import Model, load_model
from scinet.raster.components import label, without_small
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy

Key = tuple[object, ...]


RUNS, MADE = "runs", "made"


@dataclass(frozen=True, eq=False)
class Task:
    """A model on an image at a working resolution."""

    subject: Subject
    card: Card
    cm_per_px: float
    strategy: Strategy

    @property
    def key(self) -> Key:
        return ("run", self.subject.key, self.card.name, self.card.sha256, self.cm_per_px, self.strategy)

    @property
    def text(self) -> str:
        return f"{self.card.title} at {self.cm_per_px:.3g} cm/px"


@dataclass(frozen=True, eq=False)
class Run:
    """What a task gave: the probability float32 (H, W) in [0, 1] on the working grid."""

    task: Task
    probability: NDArray[np.float32]


class MaskSettings(NamedTuple):
    """What makes a mask of a probability; a change of it costs no forward pass."""

    threshold: float = 0.5
    min_area_m2: float = 0.0  # of a predicted component


@dataclass(frozen=True, eq=False)
class Verdict:
    """A mask on the working grid, and what is wrong with it where there is a truth."""

    key: Key
    run: Run
    settings: MaskSettings
    raster: Raster
    prediction: NDArray[np.bool_]
    predicted_labels: NDArray[np.int32]
    diagnosis: Diagnosis | None

    @property
    def card(self) -> Card:
        return self.run.task.card


def known_run(task: Task) -> Run | None:
    """The result of a task that has run before.

    The shelf holds what was computed and not the task: its image would stay in memory, uncounted, after its session.
    """
    probability = result_cache(RUNS).get(task.key)
    return None if probability is None else Run(task, probability)


def run(task: Task, progress: Callable[[float], None]) -> Run:
    """The result of a task, computed where it is not known.

    `progress` gets the share done; where it raises (the reader moved on), the run ends there.
    Raises CheckpointError, ResolutionError.
    """
    pixels = math.prod(task.subject.raster.grid.at(task.cm_per_px).shape)
    with turns().turn(task.key, pixels, lambda: progress(turns().share(task.key))) as tell:
        known = known_run(task)  # the turn before may have been for this task
        if known is None:

            def report(share: float) -> None:
                tell(share)
                progress(share)

            model = (
                custom_models.network(task.card) if task.card.is_custom else _model(task.card.name, task.card.sha256)
            )
            raster = working_raster(task.subject, task.cm_per_px)
            probability = segment(raster, model, strategy=task.strategy, progress=report).probability
            known = Run(task, probability)
            result_cache(RUNS).put(task.key, probability, probability.nbytes)
    return known


def share_done(task: Task) -> float:
    """From 0 to 1, whoever runs it."""
    return 1.0 if known_run(task) else turns().share(task.key)


class Stopped(Exception):
    """What was to come after the reader's last act, which has been followed by another."""


def begin(task: Task, stop: Event | None = None) -> None:
    """Have a task run beside all else; what it gave, or what is wrong with it, `run` has sooner."""

    def report(_: float) -> None:
        if stop is not None and stop.is_set():
            raise Stopped

    def work() -> None:
        with suppress(SciNetError, Stopped):
            run(task, report)

    thread = Thread(target=work, daemon=True)
    add_script_run_ctx(thread)
    thread.start()


@contextmanager
def begun(tasks: Sequence[Task]) -> Iterator[None]:
    """Have tasks run beside the block, until it is left."""
    stop = Event()
    for task in tasks:
        begin(task, stop)
    try:
        yield
    finally:
        stop.set()


@st.cache_resource(max_entries=4, show_spinner=False)
def _model(name: str, sha256: str) -> Model:
    """A checkpoint in memory; the weights' hash makes a replaced file a new entry."""
    return load_model(name)


def judge(known: Run, settings: MaskSettings) -> Verdict:
    """The mask of a run and its diagnosis; no forward pass."""
    key = (*known.task.key, *settings)
    threshold, min_area_m2 = settings

    def make() -> tuple[Raster, NDArray[np.bool_], NDArray[np.int32], Diagnosis | None]:
        subject = known.task.subject
        raster = working_raster(subject, known.task.cm_per_px)
        prediction = without_small((known.probability > threshold) & raster.valid, min_area_m2, raster.pixel_area_m2)
        diagnosis = None
        if subject.truth is not None:
            diagnosis = diagnose(
                truth_on(subject, raster), prediction, valid=raster.valid, pixel_area_m2=raster.pixel_area_m2
            )
        labels = label(prediction) if diagnosis is None else diagnosis.predicted_labels
        return raster, prediction, labels, diagnosis

    return Verdict(key, known, settings, *result_cache(MADE).get_or_make(key, make, lambda made: 14 * made[1].size))


def truth_on(subject: Subject, raster: Raster) -> NDArray[np.int32]:
    """The truth's labels int32 (H, W) on a working grid of the subject."""
    truth = subject.truth
    assert truth is not None
    return result_cache(MADE).get_or_make(
        ("truth", subject.key, raster.shape), lambda: truth_labels(truth, raster), lambda a: a.nbytes
    )


def working_raster(subject: Subject, cm_per_px: float) -> Raster:
    """The image at a working resolution, as the models see it under the strategy "direct"."""
    key = ("raster", subject.key, cm_per_px)
    return result_cache(MADE).get_or_make(
        key, lambda: resample(subject.raster, cm_per_px), lambda raster: 4 * raster.valid.size
    )


class Progress:
    """A progress bar over several tasks, with the time left; none for what is done at once.

    It is drawn a few times a second: drawing it takes the processor from what it tells of.
    """

    APPEARS_S, EVERY_S = 0.7, 0.25

    def __init__(self, slot: DeltaGenerator, tasks: Sequence[Task]) -> None:
        self._slot, self._tasks = slot, tasks
        self._started = self._drawn = time.monotonic()

    def report(self, task: Task) -> None:
        """Draw it, with the task that the page waits for."""
        now = time.monotonic()
        elapsed = now - self._started
        if elapsed < self.APPEARS_S or now - self._drawn < self.EVERY_S:
            return
        self._drawn = now
        done = sum(map(share_done, self._tasks)) / len(self._tasks)
        left = f", about {elapsed * (1 - done) / done:.0f} s left" if done > 0.05 and elapsed > 1 else ""
        self._slot.progress(done, text=f"{task.text}{left}")
