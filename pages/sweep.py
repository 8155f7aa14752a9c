"""Sweep: an image at many ground resolutions, with curves of its scores and a film strip of its masks."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages import sources
from pages.app import controls, navigation, page, runs
from pages.app.markdown import sentence
from pages.app.runs import MaskSettings, Run, Task
from pages.app.state import STEPS, session
from pages.app.subject import Subject
from pages.views.sweep import curves, film_strip, rows, running
from scinet.evaluation.grading import step_title, steps_around
from scinet.evaluation.scores import iou
from scinet.models.card import Card
from scinet.segmentation.strategies import Strategy

DENSITIES = {"Fine": 1, "Medium": 2, "Coarse": 3}  # every step, every second, every third
COARSEST_CM_PER_PX = 63.0
INTRODUCTION = (
    "A sweep runs each model at each resolution. It shows how scores and errors change with the resolution, how far "
    "each model holds, and the masks side by side."
)


@dataclass(frozen=True)
class Settings:
    """The sidebar below the source."""

    cards: tuple[Card, ...]
    strategy: Strategy
    mask: MaskSettings
    steps_cm_per_px: tuple[float, ...]  # coarse to fine: what is quick comes first


def choose_settings(subject: Subject) -> Settings:
    """Draw the widgets of the sidebar below the source."""
    models = controls.choose_models()
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
    chosen = {native, *between[:: DENSITIES[density or "Medium"]]}
    with st.container(horizontal=True):
        mask = controls.choose_mask()
    return Settings(models.cards, models.strategy, mask, tuple(sorted(chosen, reverse=True)))


def main() -> None:
    """Draw the page."""
    navigation.through_app()
    with st.sidebar:
        choice = sources.choose()
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
    tasks = [Task(subject, card, gsd, settings.strategy) for gsd in settings.steps_cm_per_px for card in settings.cards]
    known = [run for run in map(runs.cached_run, tasks) if run is not None]
    done = {run.task.key for run in known}
    missing = [task for task in tasks if task.key not in done and task.key not in problems]
    running.run_button(subject, tasks, missing)
    bar = st.container(key="progress").empty()
    for problem in dict.fromkeys(problems[task.key] for task in tasks if task.key in problems):
        st.error(sentence(problem))
    if known:
        show(subject, settings, known, is_complete=not missing)
    else:
        st.caption(INTRODUCTION)
    sweep = running.running_sweep(subject)
    if sweep and missing:
        running.advance(tasks, missing, sweep, bar)


def show(subject: Subject, settings: Settings, known: list[Run], *, is_complete: bool) -> None:
    """Draw what is known of a sweep; how far models hold only once it is complete."""
    table = rows.table(known, settings.mask)
    if is_complete:
        curves.show_limits(table, settings.cards, subject.raster.cm_per_px)
    curves.show_curves(table, subject, settings.cards)
    cells = {(run.task.cm_per_px, run.task.card.name): run for run in known}
    gsds = sorted({gsd for gsd, _ in cells})
    downloads(table, cells, subject, settings)
    film_strip.show(cells, gsds, settings.cards, settings.mask, lambda run: caption(run, settings.mask))


def caption(run: Run, mask: MaskSettings) -> str:
    """The caption of a cell: IoU on the working grid, or the building area if there is no reference."""
    point = rows.point(run, mask)
    if "working" in point.tallies:
        return f"IoU {iou(point.tallies['working'].counts):.3f}"
    return f"{point.building_area_m2:,.0f} m²"


def downloads(table: pd.DataFrame, cells: film_strip.Cells, subject: Subject, settings: Settings) -> None:
    """Draw the download buttons of the table and the film strip."""
    gsds, mask = sorted({gsd for gsd, _ in cells}), settings.mask
    left, right, _ = st.columns([1, 1, 3])
    left.download_button(
        "Table as CSV",
        table.to_csv(index=False),
        f"sweep-{subject.key[:12]}.csv",
        "text/csv",
        on_click="ignore",
        width="stretch",
        help="All scores and shares, one row per model, resolution and grid",
    )
    right.download_button(
        "Film strip as PNG",
        lambda: film_strip.sheet(cells, gsds, settings.cards, mask, lambda run: caption(run, mask)),
        f"sweep-{subject.key[:12]}.png",
        "image/png",
        on_click="ignore",
        width="stretch",
        help="All cells on one page. The curves have a camera button each.",
    )


main()
