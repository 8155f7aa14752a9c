"""Steps of the slider that the browser may show before they are chosen.

Those whose results are known are sent to the map a few at a time, the nearest ones first; while the server is idle, the
neighbours of the chosen step are computed. The browser asks for more by a hidden button, as long as there is more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.app import runs
from pages.app.hosting import is_hosted
from pages.app.runs import MaskSettings, Task
from pages.app.state import Key, session
from pages.app.subject import Subject, hash_of
from pages.map.contents import Cell, Contents, MapView
from pages.map.layers import HEAT_MAPS
from pages.map.view import Stage
from scinet.errors import SciNetError
from scinet.evaluation.grading import step_title
from scinet.job_queue import JobCancelledError

SECONDS_AT_ONCE = 0.4  # to make pictures, so that a user who comes back is not kept waiting
SOON_MS, LATER_MS = 300, 1500  # when the browser asks again: for pictures, or for what is being computed
FINER, COARSER = 1, 2  # how many neighbours are computed
MAX_PIXELS = 4_000_000  # of a neighbour that is computed unasked


@dataclass(frozen=True)
class Plan:
    """What is shown, and at which steps it may be shown next."""

    contents: Contents
    view: MapView
    mask: MaskSettings
    cm_per_px: float
    tasks: Sequence[Task]  # at this step
    steps_cm_per_px: Sequence[float]

    @property
    def subject(self) -> Subject:
        """The image."""
        return self.contents.subject

    @property
    def threshold(self) -> float | None:
        """That of the masks, if these are all that is needed: then masks on board will do."""
        return None if self.view.style in HEAT_MAPS else self.mask.threshold

    @property
    def key(self) -> Key:
        """What the pictures depend on besides the step."""
        tasks = tuple(replace(task, cm_per_px=0.0).key for task in self.tasks)
        return (self.subject.key, *self.subject.scope_key, tasks, self.mask, self.view.style)

    @property
    def by_distance(self) -> list[float]:
        """The other steps, the nearest one first."""
        now = self.cm_per_px
        return sorted(set(self.steps_cm_per_px) - {now}, key=lambda step: max(step / now, now / step))

    def state(self) -> dict[str, Any]:
        """The state of the map, which the browser keeps by its step."""
        native = self.subject.raster.cm_per_px
        return self.contents.state(self.view) | {
            "of": hash_of(self.key),
            "step": step_title(self.cm_per_px, native),
            "steps": [step_title(step, native) for step in self.steps_cm_per_px],
        }

    def cells(self, cm_per_px: float) -> list[Cell] | None:
        """The cells at another step, or None if one of its masks is not known."""
        results = {}
        for task in self.tasks:
            run = runs.cached_run(replace(task, cm_per_px=cm_per_px), self.threshold)
            if run is None:
                return None
            results[task.card.title] = runs.evaluate(run, self.mask)
        raster = runs.working_raster(self.subject, cm_per_px)
        return replace(self.contents, raster=raster, results=results).cells(self.view)

    def missing_neighbours(self) -> list[Task]:
        """What has not run at the steps next to the chosen one."""
        ordered = list(self.steps_cm_per_px)
        at = ordered.index(self.cm_per_px)
        near = [*ordered[at + 1 : at + 1 + COARSER], *ordered[max(0, at - FINER) : at]]
        pixels = self.subject.raster.valid.size * self.subject.raster.cm_per_px**2
        affordable = [step for step in near if pixels / step**2 <= MAX_PIXELS]
        tasks = [replace(task, cm_per_px=step) for step in affordable for task in self.tasks]
        return [task for task in tasks if runs.cached_run(task, self.threshold) is None]


@st.fragment
def send(plan: Plan, stage: Stage) -> None:
    """Send what is known, as much as the time allows, and have the next missing run computed."""
    if session().sent_of != plan.key:
        session().sent_of, session().sent_steps = plan.key, set()
    sent = session().sent_steps
    end_s = time.monotonic() + SECONDS_AT_ONCE
    made: dict[str, list[Cell]] = {}
    more = False
    for step in plan.by_distance:
        if step in sent:
            continue
        if time.monotonic() > end_s:
            more = True
            break
        cells = plan.cells(step)
        if cells is not None:
            made[step_title(step, plan.subject.raster.cm_per_px)] = cells
            sent.add(step)
    waits = _compute(plan.missing_neighbours())
    again_ms = SOON_MS if more else LATER_MS if waits else None
    stage.show_known({"of": hash_of(plan.key), "steps": made, "againMs": again_ms, "at": time.monotonic()})
    with st.container(key="ahead"):
        st.button("More steps", key="more_steps")


def _compute(missing: Sequence[Task]) -> bool:
    """Keep one run going while the server is idle; returns whether there is anything to wait for."""
    if is_hosted():  # where a visit has its time: it is for what its visitor asks for
        return False
    job = session().ahead
    if job is not None and job.is_done:
        session().ahead = None
        try:
            job.result()
        except JobCancelledError:
            pass  # somebody needed the server: it is tried again
        except (SciNetError, RuntimeError):
            return False  # the step will say what is wrong when it is chosen
    if session().ahead is None and missing:
        session().ahead = runs.start_when_idle(missing[0])
    return bool(missing)
