"""Models at work: loaded once, run one at a time, their probabilities kept for every session."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.explorer.sources import Subject
from scinet.checkpoint import Card, Model, load_model
from scinet.components import label
from scinet.diagnose import Diagnosis, diagnose
from scinet.raster import Raster
from scinet.resample import resample
from scinet.segment import segment_at
from scinet.truth import truth_labels

KEPT_BYTES = 800_000_000


@dataclass(frozen=True, eq=False)
class Run:
    """A model's probability float32 (H, W) in [0, 1] on the working grid."""

    key: tuple[object, ...]
    raster: Raster
    probability: NDArray[np.float32]

    @property
    def size_bytes(self) -> int:
        return self.raster.pixels.nbytes + self.raster.valid.nbytes + self.probability.nbytes


@dataclass(frozen=True, eq=False)
class Verdict:
    """A mask on the working grid, and what is wrong with it where there is a truth."""

    run_key: tuple[object, ...]
    card: Card
    raster: Raster
    prediction: NDArray[np.bool_]
    predicted_labels: NDArray[np.int32]
    diagnosis: Diagnosis | None


@dataclass
class _Shelf:
    """Runs by key, the least used dropped first; and the lock that lets one inference run at a time."""

    runs: OrderedDict[tuple[object, ...], Run] = field(default_factory=OrderedDict)
    guard: Lock = field(default_factory=Lock)
    inference: Lock = field(default_factory=Lock)

    def get(self, key: tuple[object, ...]) -> Run | None:
        with self.guard:
            if key in self.runs:
                self.runs.move_to_end(key)
            return self.runs.get(key)

    def put(self, run: Run) -> None:
        with self.guard:
            self.runs[run.key] = run
            while len(self.runs) > 1 and sum(r.size_bytes for r in self.runs.values()) > KEPT_BYTES:
                self.runs.popitem(last=False)


# Not st.cache_data: a cached function cannot move a progress bar, and it would copy the arrays at every hit.
@st.cache_resource(show_spinner=False)
def _shelf() -> _Shelf:
    return _Shelf()


@st.cache_resource(max_entries=4, show_spinner=False)
def _model(name: str, sha256: str) -> Model:
    return load_model(name)


def run_key(subject: Subject, card: Card, cm_per_px: float, strategy: str) -> tuple[object, ...]:
    return (subject.key, card.name, card.sha256, round(cm_per_px, 4), strategy)


def is_known(subject: Subject, card: Card, cm_per_px: float, strategy: str) -> bool:
    """Whether `run` answers at once."""
    return _shelf().get(run_key(subject, card, cm_per_px, strategy)) is not None


def run(subject: Subject, card: Card, cm_per_px: float, strategy: str, progress: Callable[[float], None]) -> Run:
    """The model's probability at a resolution, from the shelf or computed.

    `progress` gets the share done; where it raises (the reader moved on), the run ends there.
    Raises CheckpointError, ResolutionError.
    """
    shelf, key = _shelf(), run_key(subject, card, cm_per_px, strategy)
    known = shelf.get(key)
    if known is not None:
        return known
    while not shelf.inference.acquire(timeout=0.3):
        progress(0.0)  # another session's run: stay open to being stopped
    try:
        known = shelf.get(key)  # that run may have been this one
        if known is None:
            model = _model(card.name, card.sha256)
            raster, probability = segment_at(subject.raster, model, cm_per_px, strategy, progress=progress)
            known = Run(key, raster, probability)
            shelf.put(known)
    finally:
        shelf.inference.release()
    return known


def judge(subject: Subject, card: Card, known: Run, threshold: float) -> Verdict:
    """The mask at a threshold and its diagnosis; no forward pass."""
    return _judge(known.key, threshold, card, known, subject)


@st.cache_resource(max_entries=24, show_spinner=False)
def _judge(key: tuple[object, ...], threshold: float, _card: Card, _run: Run, _subject: Subject) -> Verdict:
    prediction = (_run.probability > threshold) & _run.raster.valid
    if _subject.truth is None:
        return Verdict(key, _card, _run.raster, prediction, label(prediction), None)
    truth = truth_on(_subject, _run.raster)
    diagnosis = diagnose(truth, prediction, valid=_run.raster.valid, pixel_area_m2=_run.raster.pixel_area_m2)
    return Verdict(key, _card, _run.raster, prediction, diagnosis.predicted_labels, diagnosis)


def truth_on(subject: Subject, raster: Raster) -> NDArray[np.int32]:
    """The truth's labels int32 (H, W) on a working grid of the subject."""
    return _truth_on(subject.key, raster.shape, subject, raster)


@st.cache_resource(max_entries=12, show_spinner=False)
def _truth_on(key: str, shape: tuple[int, int], _subject: Subject, _raster: Raster) -> NDArray[np.int32]:
    assert _subject.truth is not None
    return truth_labels(_subject.truth, _raster)


def working_raster(subject: Subject, cm_per_px: float) -> Raster:
    """The image at a working resolution, as the models see it under strategy "direct"."""
    return _working_raster(subject.key, cm_per_px, subject)


@st.cache_resource(max_entries=8, show_spinner=False)
def _working_raster(key: str, cm_per_px: float, _subject: Subject) -> Raster:
    return resample(_subject.raster, cm_per_px)


class Progress:
    """A progress bar over several runs, with the time left."""

    def __init__(self, slot: st.delta_generator.DeltaGenerator, runs: int) -> None:
        self._slot, self._runs, self._done = slot, runs, 0
        self._started = time.monotonic()
        self._text = ""

    def begin(self, text: str) -> None:
        self._text = text
        self.report(0.0)

    def end(self) -> None:
        self._done += 1

    def report(self, share: float) -> None:
        elapsed = time.monotonic() - self._started
        total = min(1.0, (self._done + share) / max(1, self._runs))
        left = f", about {elapsed * (1 - total) / total:.0f} s left" if total > 0.05 and elapsed > 1 else ""
        self._slot.progress(total, text=f"{self._text}{left}")
