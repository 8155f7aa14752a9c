"""Explore: an image, its masks and their errors at any ground resolution."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages import sources
from pages.app import page, runs
from pages.app.controls import Models, choose_mask, choose_models
from pages.app.markdown import sentence
from pages.app.runs import MaskSettings, Result, Run, Task
from pages.app.state import RESOLUTION, session
from pages.app.subject import Subject
from pages.map.layers import PROBABILITY, STYLES
from pages.map.target import target_of
from pages.map.view import COMPARISONS, MapView, show_map
from pages.views.explore import downloads, intro, numbers, pictures, worst_buildings
from pages.views.explore.numbers import Shown
from scinet.errors import SciNetError
from scinet.evaluation.grading import step_title, steps_around
from scinet.models.card import Card, checkpoints_folder, list_models

IMAGE = "Image"


def choose_resolution(subject: Subject) -> float:
    """Draw the slider; a new image starts at its native resolution, which is one of the steps."""
    native = subject.raster.cm_per_px
    options = steps_around(native)
    if session().slider_of not in (None, subject.key):
        st.session_state[RESOLUTION] = native
    session().slider_of = subject.key
    return st.select_slider(
        "Ground resolution",
        options,
        value=native,
        format_func=lambda v: step_title(v, native),
        key=RESOLUTION,
        bind="query-params",
        help="In cm/px. The image is resampled to this resolution before the models see it.",
    )


def choose_view(cards: Sequence[Card]) -> tuple[str, str, MapView]:
    """Draw the widgets of the map; returns what its left and right side show, and how."""
    panes = [IMAGE, *(card.title for card in cards)]
    left = st.selectbox(
        "Left",
        panes,
        index=1 if len(panes) > 2 else 0,
        key="left_pane",
        bind="query-params",
        width=132,
        help="Left side of the map: a model's mask, or only the image.",
    )
    right = st.selectbox(
        "Right",
        panes,
        index=min(2, len(panes) - 1),
        key="right_pane",
        bind="query-params",
        width=132,
        help="Right side of the map: a model's mask, or only the image.",
    )
    compare = st.segmented_control(
        "Compare by",
        COMPARISONS,
        default=COMPARISONS[0],
        key="compare",
        bind="query-params",
        required=True,
        help="Swipe: one map with a divider, moved by mouse, finger or arrow keys. Side by side: two linked maps.",
    )
    style = st.segmented_control(
        "Display",
        STYLES,
        default=STYLES[0],
        key="style",
        bind="query-params",
        required=True,
        help="Errors: which pixels are right, missed or invented. Buildings: which buildings are found, missed, merged "
        "or fragmented, and false areas. Outlines: the same without the fill. Probability: how certain the model is.",
    )
    return left, right, MapView(style or STYLES[0], compare or COMPARISONS[0])


def compute(tasks: Sequence[Task], slot: DeltaGenerator, threshold: float | None) -> tuple[list[Run], list[str]]:
    """The results of tasks, and what went wrong, in sentences. With a threshold, masks on board will do."""
    results: list[Run] = []
    problems: list[str] = []
    with runs.in_background([task for task in tasks if runs.cached_run(task, threshold) is None]) as jobs:
        bar = runs.Progress(slot, jobs)
        for task in tasks:

            def report(_: float, task: Task = task) -> None:
                bar.report(sentence(task.text))

            try:
                results.append(runs.run(task, report, threshold))
            except SciNetError as error:
                problems.append(str(error))
    slot.empty()
    return results, list(dict.fromkeys(problems))


@st.fragment
def show(subject: Subject, models: Models) -> None:
    """Draw the controls above the map and all that follows them; a step reruns only this part."""
    native = subject.raster.cm_per_px
    with st.container(horizontal=True, key="tuning"):
        cm_per_px = choose_resolution(subject)
        settings = choose_mask(width=150)
    toolbar = st.container(horizontal=True, vertical_alignment="bottom", key="toolbar")
    with toolbar:
        left, right, view = choose_view(models.cards)
    above = st.container(gap=None)  # one place in the page's rhythm, mostly empty
    notices, slot, preview = above.container(), above.container(key="progress").empty(), above.empty()
    try:
        raster = runs.working_raster(subject, cm_per_px)
    except SciNetError as error:
        notices.error(sentence(str(error)))
        cm_per_px, raster = native, subject.raster
    if not session().has_shown_masks:  # the first runs take a while: something to look at until then
        preview.image(pictures.image_picture(subject, raster), width=480)

    threshold = None if view.style == PROBABILITY else settings.threshold
    tasks = [Task(subject, card, cm_per_px, models.strategy) for card in models.cards]
    found, problems = compute(tasks, slot, threshold)
    for problem in problems:
        notices.error(sentence(problem))
    results = [runs.evaluate(each, settings) for each in found]
    preview.empty()
    with toolbar:
        downloads.button(results)
    sides = {result.card.title: result for result in results}
    on_map, beside, below = lay_out(len(models.cards))
    with on_map:
        show_map(subject, raster, sides.get(left), sides.get(right), view, target_of(subject))
    with below:
        worst_buildings.show(subject, results)
        pictures.show(subject, raster, results)
    place = beside.empty()
    shown, missing = with_native(results, settings, native)
    with place.container():
        numbers.show(subject, shown, cm_per_px)
    session().has_shown_masks = True
    # The change from native can wait until the masks are drawn. Once: a run too large to cache would never end.
    requested = session().requested_native
    missing = [task for task in missing if task.key not in requested]
    if missing and not compute(missing, slot, settings.threshold)[1]:
        requested.update(task.key for task in missing)
        # Drawn again in place: after st.rerun() the old address would win over a slider moved since.
        shown, _ = with_native(results, settings, native)
        with place.container():
            numbers.show(subject, shown, cm_per_px)


def lay_out(models: int) -> tuple[DeltaGenerator, DeltaGenerator, DeltaGenerator]:
    """The places of the map, of the numbers and of what follows: the numbers of many models need the whole width."""
    if models > numbers.MAX_COLUMNS:
        return st.container(), st.container(), st.container()
    with st.container(key="stage"):
        wide, narrow = st.columns([3, 2], gap="small")
    return wide, narrow, st.container()


def with_native(results: Sequence[Result], settings: MaskSettings, native: float) -> tuple[list[Shown], list[Task]]:
    """Each result with the one at native resolution if that has run, and the tasks that have not."""
    shown, missing = [], []
    for result in results:
        task = result.run.task
        at_native = None
        if task.cm_per_px != native:
            task = replace(task, cm_per_px=native)
            known = runs.cached_run(task, settings.threshold)
            if known is None:
                missing.append(task)
            else:
                at_native = runs.evaluate(known, settings)
        shown.append(Shown(result, at_native))
    return shown, missing


def main() -> None:
    """Draw the page."""
    intro.decide()
    with st.sidebar:
        choice = sources.choose()
        models = choose_models()
    with st.container():
        page.show_messages(choice)
        if not models.cards and not list_models():
            st.warning(
                f"There are no models in {checkpoints_folder()}. Train one with python -m training.train, "
                "or set SCINET_CHECKPOINTS to a folder that contains some."
            )
    with st.container(horizontal=True, vertical_alignment="center", key="headline"):
        if choice.subject is not None:
            page.image_facts(choice.subject)
        intro.button()
    picture = intro.open_card()
    if choice.subject is not None:
        show(choice.subject, models)
    intro.fill(picture)


main()
