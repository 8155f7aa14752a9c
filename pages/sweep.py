"""Sweep: an image at many ground resolutions, with curves of its scores and a film strip of its masks."""

from dataclasses import dataclass

import streamlit as st

from pages import sources
from pages.app import controls, navigation, page, runs, target
from pages.app.markdown import sentence
from pages.app.runs import MaskSettings, Run, Task
from pages.app.state import STEPS, session
from pages.app.subject import Subject
from pages.sources import scope
from pages.views.sweep import curves, degradations, downloads, film_strip, rows, running, verdicts
from scinet.camera.camera import Camera
from scinet.evaluation.grading import Grid, step_title, steps_around
from scinet.evaluation.parts import FigureName, figure_of
from scinet.evaluation.scores import Scores
from scinet.evaluation.sweep_rows import SweepPoint, unlike_note
from scinet.evaluation.target import Target, estimated_figure
from scinet.models.card import Card
from scinet.raster.degrade import DegradationName
from scinet.segmentation.strategies import Strategy

DENSITIES = {"Fine": 1, "Medium": 2, "Coarse": 3}  # every step, every second, every third
COARSEST_CM_PER_PX = 63.0
INTRODUCTION = (
    "Each model runs at each resolution, coarse ones first. You get its masks side by side in the strip below, down to "
    "which resolution it keeps your target, and the curves of its scores and errors."
)
SHORT_TITLES: dict[FigureName, str] = {"iou": "IoU", "f1": "F1", "object_f1": "Object F1", "found_over_20_m2": "Found"}


@dataclass(frozen=True)
class Settings:
    """The sidebar below the source."""

    cards: tuple[Card, ...]
    strategy: Strategy
    mask: MaskSettings
    target: Target
    camera: Camera | None
    steps_cm_per_px: tuple[float, ...]  # coarse to fine: what is quick comes first; of a degradation the only one
    degradation: DegradationName | None = None  # what is swept in place of the resolution

    def tasks(self, subject: Subject) -> list[Task]:
        """All that is to run."""
        if self.degradation is not None:
            (at,) = self.steps_cm_per_px
            return degradations.tasks(subject, self.degradation, at, self.cards, self.strategy)
        return [Task(subject, card, gsd, self.strategy) for gsd in self.steps_cm_per_px for card in self.cards]


def choose_settings(subject: Subject) -> Settings:
    """Draw the widgets of the sidebar below the source."""
    native = subject.raster.cm_per_px
    degradation, at = degradations.choose(native)
    aim = target.choose_target()
    camera = target.choose_valid_camera(subject.camera)
    models = controls.choose_models()
    steps = (at,) if degradation else choose_steps(subject)
    with st.container(horizontal=True):
        mask = controls.choose_mask()
    return Settings(models.cards, models.strategy, mask, aim, camera, steps, degradation)


def choose_steps(subject: Subject) -> tuple[float, ...]:
    """Draw the widgets of the resolutions; returns them, coarse to fine."""
    native = subject.raster.cm_per_px
    options = steps_around(native)
    coarsest = max(native, max(step for step in options if step <= COARSEST_CM_PER_PX * 1.001))
    if session().steps_of not in (None, subject.key):
        st.session_state[STEPS] = (native, coarsest)
    session().steps_of = subject.key
    low, high = st.select_slider(
        "Resolutions from, to",
        options,
        value=(native, coarsest),
        key=STEPS,
        bind="query-params",
        format_func=lambda v: step_title(v, native),
        help="Ground resolutions in cm/px. The native resolution is always included.",
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
    return tuple(sorted({native, *between[:: DENSITIES[density or "Medium"]]}, reverse=True))


def main() -> None:
    """Draw the page."""
    navigation.through_app()
    with st.sidebar:
        choice = scope.choose(sources.choose())
        settings = choose_settings(choice.subject) if choice.subject else None
    page.show_messages(choice)
    if choice.subject is None or settings is None:
        return
    subject = choice.subject
    page.image_facts(subject)
    if not settings.cards:
        st.info("Choose a model in the sidebar.")
        return
    problems = session().sweep_problems
    tasks = settings.tasks(subject)
    known = [run for run in map(runs.cached_run, tasks) if run is not None]
    done = {run.task.key for run in known}
    missing = [task for task in tasks if task.key not in done and task.key not in problems]
    running.run_button(subject, tasks, missing)
    bar = st.container(key="progress").empty()
    for problem in dict.fromkeys(problems[task.key] for task in tasks if task.key in problems):
        st.error(sentence(problem))
    if missing and not running.running_sweep(subject):
        time = running.time_text(missing, [run.task for run in known])
        introduction = degradations.INTRODUCTION if settings.degradation else INTRODUCTION
        st.caption(f"{introduction} The missing runs take {time} where nothing else runs.")
    if settings.degradation:
        degradations.show(subject, settings.degradation, tasks, known, settings.mask)
    else:
        show(subject, settings, known)
    sweep = running.running_sweep(subject)
    if sweep and missing:
        running.advance(tasks, missing, sweep, bar)


def show(subject: Subject, settings: Settings, known: list[Run]) -> None:
    """Draw what is known of a sweep: the strip always, the verdict on a model once all its steps have run."""
    native, mask, aim = subject.raster.cm_per_px, settings.mask, settings.target
    points = rows.points(known, mask)
    for note in (*unlike_note(points), *rows.note(known, mask)):
        st.warning(sentence(note))
    verdict_place = st.container()
    cells = {(run.task.cm_per_px, run.task.card.name): run for run in known}
    gsds = sorted(settings.steps_cm_per_px)

    def caption(run: Run) -> str:
        return cell_caption(rows.point(run, mask), aim)

    film_strip.show(subject, cells, gsds, settings.cards, mask, caption, settings.camera)
    if not known:
        return
    table = rows.table(points)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        downloads.buttons(
            subject,
            points,
            sheet=lambda: film_strip.sheet(subject, cells, gsds, settings.cards, mask, caption),
            share=lambda: downloads.report(subject, known, mask, points, aim, settings.camera),
            target=aim,
        )
    if subject.truth is None:
        curves.show_without_reference(table, native, settings.cards, aim)
        grid: Grid = "working"
    else:
        counted, grids = curves.choose_counted_and_grid()
        curves.show_curves(table, native, settings.cards, counted, grids, aim)
        grid = grids[0]
    with verdict_place:
        verdicts.show(points, settings.cards, settings.steps_cm_per_px, native, aim, settings.camera, grid)


def cell_caption(point: SweepPoint, aim: Target) -> str:
    """The caption of a cell: the target's figure on the working grid, or the building area without a reference."""
    if "working" not in point.parts:
        return estimated_caption(point, aim) or f"{point.building_area_m2:,.0f} m²"
    if point.is_partial and aim.figure != "found_over_20_m2":
        return f"Recall {Scores.of(point.tallies['working'].counts).recall:.3f}"
    value = float(figure_of(point.parts["working"].sum(axis=0), aim.figure))
    return f"{SHORT_TITLES[aim.figure]} {value:.3f}"


def estimated_caption(point: SweepPoint, aim: Target) -> str:
    """The target's figure as it is estimated without a reference, with its interval; "" where it is not."""
    estimate = estimated_figure(point.estimates, aim.figure)
    if estimate is None:
        return ""
    return f"about {estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"  # longer ones are cut off


main()
