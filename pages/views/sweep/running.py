"""Running a sweep: a few tasks at a time, and the page is drawn again with each of their results."""

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.app import runs
from pages.app.markdown import sentence
from pages.app.runs import Task
from pages.app.state import SweepRun, session
from pages.app.subject import Subject
from scinet.errors import SciNetError
from scinet.progress import time_left

REDRAW_S = 1.0  # the least time between two drawings of the results
USUAL_S_PER_PX = 1e-6  # UNet needs 0.74e-6 on two cores, see docs/benchmarks.md; others more
DRAW_BAR_S = 0.25  # and of the progress bar: drawing it takes processor time from the models


def running_sweep(subject: Subject) -> SweepRun | None:
    """The sweep of this image that is in progress."""
    sweep = session().sweep
    return sweep if sweep is not None and sweep.subject_key == subject.key else None


def run_button(subject: Subject, tasks: list[Task], missing: list[Task]) -> None:
    """Draw one button, to run or to cancel; nothing if all is done."""
    if not missing:
        _stop()
        return
    if running_sweep(subject):
        st.button("Cancel", key="run", help="Finished runs are kept.", on_click=_stop, shortcut="Ctrl+Enter")
        return
    left = f"{len(missing)} run{'s' * (len(missing) > 1)}"
    st.button(
        f"Run sweep ({left})" if len(missing) == len(tasks) else f"Continue ({left} left)",
        key="run",
        help="Each model runs once at each resolution. Finished runs are not repeated.",
        on_click=_start,
        args=(subject.key,),
        shortcut="Ctrl+Enter",
        type="primary",
    )


def time_text(missing: list[Task], known: list[Task]) -> str:
    """About how long the missing tasks take, told by those that have run on this server, else by a usual machine."""
    seconds = [(runs.seconds(task), _work(task)) for task in known]
    timed = [(found, work) for found, work in seconds if found is not None]
    pace = sum(found for found, _ in timed) / sum(work for _, work in timed) if timed else USUAL_S_PER_PX
    left_s = pace * sum(_work(task) for task in missing)
    return f"about {left_s:.0f} s" if left_s < 90 else f"about {left_s / 60:.0f} min"


def _start(subject_key: str) -> None:
    session().sweep = SweepRun(subject_key, time.monotonic())
    session().sweep_problems = {}


def _stop() -> None:
    session().sweep = None


def advance(tasks: list[Task], missing: list[Task], sweep: SweepRun, bar: DeltaGenerator) -> None:
    """Run tasks for a while, with progress over all of them, then draw the page again with their results."""
    total = sweep.done_work + sum(_work(each) for each in missing)
    drawn_s = started_s = time.monotonic()
    for number, task in enumerate(missing):

        def report(share: float, task: Task = task, number: int = number) -> None:
            nonlocal drawn_s
            now = time.monotonic()
            if share and now - drawn_s < DRAW_BAR_S:
                return
            drawn_s = now
            done = min(1.0, (sweep.done_work + share * _work(task)) / total)
            run_number = len(tasks) - len(missing) + number + 1
            parts = (sentence(task.text), f"run {run_number} of {len(tasks)}", time_left(done, now - sweep.started_s))
            bar.progress(done, text=" · ".join(filter(None, parts)))

        report(0.0)
        try:
            runs.run(task, report)
        except SciNetError as error:
            session().sweep_problems[task.key] = str(error)
        sweep.done_work += _work(task)
        if not running_sweep(task.subject):
            break
        if time.monotonic() - started_s > REDRAW_S:
            if number + 1 < len(missing):
                sweep.ahead = runs.start_background(missing[number + 1])  # while the page is drawn
            break
    st.rerun()


def _work(task: Task) -> float:
    """What a task's time is proportional to: the pixels that it segments, at least a quarter of a window."""
    subject = task.subject
    pixels = subject.raster.valid.size * (subject.raster.cm_per_px / task.cm_per_px) ** 2
    return max(pixels, task.card.window_px**2 / 4)
