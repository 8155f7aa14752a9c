"""Sweep: an image at many ground resolutions, curves of its scores and a film strip of its masks."""

import time
from dataclasses import dataclass
from html import escape

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages import sources
from pages.app import charts, controls, drawing, navigation, runs
from pages.app.charts import Curve
from pages.app.runs import MaskSettings, Run, Task
from pages.sources import Subject
from pages.views.explore import panels
from pages.views.sweep import film_strip, results
from scinet.errors import SciNetError
from scinet.evaluation.grading import HOLDS_SHARE, holds_to, step_title, steps_around
from scinet.evaluation.scores import iou
from scinet.models.card import Card
from scinet.segmentation.strategies import Strategy

DENSITIES = {"Fine": 1, "Medium": 2, "Coarse": 3}  # every step, every second, every third
GRID_CHOICES = {"Working": ("working",), "Native": ("native",), "Both": ("working", "native")}
COARSEST_CM_PER_PX = 63.0
REDRAW_S = 1.0  # at least, from one drawing of the results to the next while a sweep runs
SCORE_CURVES = (
    Curve("iou", "IoU", "intersection over union of building pixels", top=1.0),
    Curve("f1", "F1", "harmonic mean of precision and recall", top=1.0),
)
SHARE_CURVES = tuple(
    Curve(name, title, tip, ".1%", drawing.SHARE_COLOURS[name]) for name, (title, tip) in panels.SHARE_TITLES.items()
)
AGREEMENT = Curve("agreement", "Agreement with native", "IoU with the model's own mask at the native GSD", top=1.0)
AREA = Curve("building_area_m2", "Building area, m²", "predicted building area", ",.0f")
COMPONENTS = Curve("components", "Components", "4-connected components of the mask", ",.0f")


@dataclass(frozen=True)
class Settings:
    """The sidebar below the source."""

    cards: tuple[Card, ...]
    strategy: Strategy
    mask: MaskSettings
    steps_cm_per_px: tuple[float, ...]  # coarse to fine: what is quick comes first


def choose_settings(subject: Subject) -> Settings:
    models = controls.choose_models()
    native = subject.raster.cm_per_px
    options = steps_around(native)
    coarsest = max(native, max(step for step in options if step <= COARSEST_CM_PER_PX * 1.001))
    if st.session_state.get("sweep.steps_of") not in (None, subject.key):
        st.session_state["steps"] = (native, coarsest)
    st.session_state["sweep.steps_of"] = subject.key
    low, high = st.select_slider(
        "Resolutions from, to",
        options,
        value=(native, coarsest),
        key="steps",
        bind="query-params",
        format_func=lambda v: step_title(v, native),
        help="Ground sample distance in cm per pixel. The native resolution always takes part.",
    )
    density = st.segmented_control(
        "Steps",
        list(DENSITIES),
        default="Medium",
        key="density",
        bind="query-params",
        required=True,
        width="stretch",
        help="A factor of about 1.25, 1.6 or 2 from one resolution to the next.",
    )
    between = [step for step in options if low <= step <= high and step != native]
    chosen = {native, *between[:: DENSITIES[density or "Medium"]]}
    with st.container(horizontal=True):
        mask = controls.choose_mask()
    return Settings(models.cards, models.strategy, mask, tuple(sorted(chosen, reverse=True)))


# ---- running


@dataclass
class Sweep:
    """What a session runs at the moment: kept while the page is run again after every task."""

    of: str  # the subject's key
    begun_s: float
    done_work: float = 0.0


def work(task: Task) -> float:
    """The pixels that a task segments, at least a window: what its time goes with."""
    subject = task.subject
    pixels = subject.raster.valid.size * (subject.raster.cm_per_px / task.cm_per_px) ** 2
    return max(pixels, task.card.window_px**2 / 4)


def start(of: str) -> None:
    st.session_state["sweep.running"] = Sweep(of, time.monotonic())
    st.session_state["sweep.problems"] = {}


def stop(of: str) -> None:
    st.session_state.pop("sweep.running", None)


def running(subject: Subject) -> Sweep | None:
    sweep = st.session_state.get("sweep.running")
    return sweep if sweep is not None and sweep.of == subject.key else None


def run_button(subject: Subject, tasks: list[Task], missing: list[Task]) -> None:
    """One button, to run or to cancel; nothing where all is done."""
    if not missing:
        stop(subject.key)
        return
    done = len(tasks) - len(missing)
    if running(subject):
        label, tip, act = "Cancel", "Finished runs are kept.", stop
    else:
        label = f"Go on: {len(missing)} of {len(tasks)} runs are missing" if done else f"Run {len(tasks)} times"
        tip, act = "Each model once at each resolution; what has run before is not run again.", start
    st.button(
        label,
        key="run",
        help=tip,
        on_click=act,
        args=(subject.key,),
        shortcut="Ctrl+Enter",
        type="secondary" if act is stop else "primary",
    )


def advance(tasks: list[Task], missing: list[Task], sweep: Sweep, bar: DeltaGenerator) -> None:
    """Run tasks for a while, with progress over all of them, then the page anew with what they gave."""
    total = sweep.done_work + sum(work(each) for each in missing)
    drawn = began = time.monotonic()
    for number, task in enumerate(missing, len(tasks) - len(missing) + 1):

        def report(share: float, task: Task = task, number: int = number) -> None:
            nonlocal drawn
            now = time.monotonic()
            if share and now - drawn < runs.Progress.EVERY_S:
                return
            drawn = now
            done = sweep.done_work + share * work(task)
            elapsed = now - sweep.begun_s
            known = done > 0.02 * total and elapsed > 1
            left = f" · about {elapsed * (total - done) / done:.0f} s left" if known else ""
            bar.progress(min(1.0, done / total), text=f"{task.text} · run {number} of {len(tasks)}{left}")

        report(0.0)
        try:
            runs.run(task, report)
        except SciNetError as error:
            st.session_state["sweep.problems"][task.key] = str(error)
        sweep.done_work += work(task)
        if not running(task.subject):
            break
        if time.monotonic() - began > REDRAW_S:
            for following in missing[missing.index(task) + 1 :][:1]:
                runs.begin(following)
            break
    st.rerun()


# ---- showing


def figure_of(run: Run, mask: MaskSettings) -> str:
    """A cell's caption: IoU on the working grid, or the building area where there is no truth."""
    own = results.figures(run, mask)
    if "working" in own.tallies:
        return f"IoU {iou(own.tallies['working'].counts):.3f}"
    return f"{own.building_area_m2:,.0f} m²"


def verdicts(table: pd.DataFrame, settings: Settings, native: float, column: str) -> None:
    """How far each model holds: the page's answer in a line a model."""
    lines = []
    for card in settings.cards:
        rows = table[(table["model"] == card.title) & (table["grid"] == "working")]
        scores = dict(zip(rows["cm_per_px"], rows[column], strict=True))
        held = holds_to(scores, native)
        if held is None or len(scores) < 2:
            continue
        coarsest = max(scores)
        what = "IoU" if column == "iou" else "agreement"
        colour = drawing.model_colour(card.architecture)
        reach = f"all the way to {held:.3g}" if held == coarsest else f"to {held:.3g}"
        at_end = f"{scores[native]:.2f} at {native:.3g} cm/px, {scores[held]:.2f} at {held:.3g}" + (
            "" if held == coarsest else f", {scores[coarsest]:.2f} at {coarsest:.3g}"
        )
        lines.append(
            f'<div class="sn-verdict" style="border-color:{colour}"><b>{escape(card.title)}</b> holds {reach} cm/px'
            f"<small>{what} {at_end}</small></div>"
        )
    if lines:
        st.html(
            f'<div class="sn-verdicts">{"".join(lines)}</div>'
            f'<p class="sn-foot">To hold is to keep {HOLDS_SHARE:.0%} of the native value at every step.</p>'
        )


def curves(table: pd.DataFrame, subject: Subject, settings: Settings) -> None:
    native = subject.raster.cm_per_px
    if subject.truth is None:
        charts.legend(settings.cards, ("working",))
        charts.multiples(table, settings.cards, (AGREEMENT, AREA, COMPONENTS), ("working",), native, key="curves-large")
        return
    left, right = st.columns([3, 2], vertical_alignment="center")
    grid = right.segmented_control(
        "Grid",
        list(GRID_CHOICES),
        default="Working",
        key="grid",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
        width="stretch",
        help="Working: the truth is brought to the model's grid, what the model can be blamed for. "
        "Native: the mask is brought back to the image's grid, what is lost by flying higher.",
    )
    grids = GRID_CHOICES[grid or "Working"]
    with left:
        charts.legend(settings.cards, grids)
    charts.multiples(table, settings.cards, SCORE_CURVES, grids, native, key="curves-large")
    charts.multiples(table, settings.cards, SHARE_CURVES, grids, native, key="curves-small")


def downloads(table: pd.DataFrame, cells: film_strip.Cells, subject: Subject, settings: Settings) -> None:
    gsds, mask = sorted({gsd for gsd, _ in cells}), settings.mask
    left, right, _ = st.columns([1, 1, 3])
    left.download_button(
        "Table as CSV",
        table.to_csv(index=False),
        f"sweep-{subject.key[:12]}.csv",
        "text/csv",
        on_click="ignore",
        width="stretch",
        help="Every score and share, a row a model, cm/px and grid",
    )
    right.download_button(
        "Film strip as PNG",
        lambda: film_strip.sheet(cells, gsds, settings.cards, mask, lambda run: figure_of(run, mask)),
        f"sweep-{subject.key[:12]}.png",
        "image/png",
        on_click="ignore",
        width="stretch",
        help="All cells on one page. The curves have a camera button each.",
    )


def main() -> None:
    navigation.through_app()
    panels.style()
    with st.sidebar:
        choice = sources.choose()
        settings = choose_settings(choice.subject) if choice.subject else None
    if choice.problem:
        st.error(choice.problem)
    if choice.hint:
        st.info(choice.hint)
    if choice.subject is None or settings is None:
        return
    subject = choice.subject
    panels.facts(subject)
    if not settings.cards:
        st.info("Choose a model in the sidebar.")
        return
    problems: dict[runs.Key, str] = st.session_state.setdefault("sweep.problems", {})
    tasks = [Task(subject, card, gsd, settings.strategy) for gsd in settings.steps_cm_per_px for card in settings.cards]
    known = [run for run in map(runs.known_run, tasks) if run is not None]
    done = {run.task.key for run in known}
    missing = [task for task in tasks if task.key not in done and task.key not in problems]
    run_button(subject, tasks, missing)
    bar = st.container(key="progress").empty()
    for problem in dict.fromkeys(problems[task.key] for task in tasks if task.key in problems):
        st.error(problem)
    show(subject, settings, known)
    sweep = running(subject)
    if sweep and missing:
        advance(tasks, missing, sweep, bar)


def show(subject: Subject, settings: Settings, known: list[Run]) -> None:
    if not known:
        return
    table = results.table(known, settings.mask)
    verdicts(table, settings, subject.raster.cm_per_px, "agreement" if subject.truth is None else "iou")
    curves(table, subject, settings)
    cells = {(run.task.cm_per_px, run.task.card.name): run for run in known}
    gsds = sorted({gsd for gsd, _ in cells})
    downloads(table, cells, subject, settings)
    film_strip.show(cells, gsds, settings.cards, settings.mask, lambda run: figure_of(run, settings.mask))


main()
