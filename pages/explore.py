"""Explore: an image, its masks and their errors at any ground resolution."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages import sources
from pages.app import runs
from pages.app.controls import Models, choose_mask, choose_models
from pages.app.runs import MaskSettings, Run, Task, Verdict
from pages.map.layers import STYLES
from pages.map.view import COMPARISONS, MapView, show_map
from pages.sources import Subject
from pages.views.explore import downloads, intro, panels, worst_buildings
from scinet.errors import SciNetError
from scinet.evaluation.grading import step_title, steps_around
from scinet.models.card import Card, checkpoints_folder, list_models

IMAGE = "Image"


def choose_resolution(subject: Subject) -> float:
    """The slider; a new image starts at its native resolution, which is one of the steps."""
    native = subject.raster.cm_per_px
    options = steps_around(native)
    former = st.session_state.get("explore.slider_of")
    if former not in (None, subject.key):
        st.session_state["gsd"] = native
    st.session_state["explore.slider_of"] = subject.key
    return st.select_slider(
        "Ground resolution",
        options,
        value=native,
        format_func=lambda v: step_title(v, native),
        key="gsd",
        bind="query-params",
        help="Ground sample distance in cm/px: the image is resampled to it before the models see it.",
    )


def compute(tasks: Sequence[Task], slot: DeltaGenerator) -> tuple[list[Run], list[str]]:
    """The tasks' results, and what went wrong, in sentences."""
    results: list[Run] = []
    problems: list[str] = []
    unknown = [task for task in tasks if runs.known_run(task) is None]
    bar = runs.Progress(slot, unknown)
    with runs.begun(unknown[1:]):
        for task in tasks:

            def report(_: float, task: Task = task) -> None:
                bar.report(task)

            try:
                results.append(runs.known_run(task) or runs.run(task, report))
            except SciNetError as error:
                problems.append(str(error))
    slot.empty()
    return results, list(dict.fromkeys(problems))


def choose_look(cards: Sequence[Card]) -> tuple[str, str, MapView]:
    """What the map shows on its left and right, and how."""
    panes = [IMAGE, *(card.title for card in cards)]
    left = st.selectbox(
        "Left",
        panes,
        index=1 if len(panes) > 2 else 0,
        key="left_pane",
        bind="query-params",
        width=132,
        help="Left side of the map: a model's mask, or the image alone.",
    )
    right = st.selectbox(
        "Right",
        panes,
        index=min(2, len(panes) - 1),
        key="right_pane",
        bind="query-params",
        width=132,
        help="Right side of the map: a model's mask, or the image alone.",
    )
    compare = st.segmented_control(
        "Compare by",
        COMPARISONS,
        default=COMPARISONS[0],
        key="compare",
        bind="query-params",
        required=True,
        help="Swipe: one map with a divider, by mouse, finger or arrow keys. Side by side: two maps in step.",
    )
    style = st.segmented_control(
        "Display",
        STYLES,
        default=STYLES[0],
        key="style",
        bind="query-params",
        required=True,
        help="Fill: every pixel in the colour of its error. Outlines: true footprints by kind, and false areas. "
        "Probability: how sure the model is, from 0 to 1.",
    )
    return left, right, MapView(style or STYLES[0], compare or COMPARISONS[0])


@st.fragment
def show(subject: Subject, models: Models) -> None:
    """The controls above the map and all that follows them; a step reruns this part alone."""
    native = subject.raster.cm_per_px
    with st.container(horizontal=True, key="tuning"):
        cm_per_px = choose_resolution(subject)
        settings = choose_mask(width=150)
    toolbar = st.container(horizontal=True, vertical_alignment="bottom", key="toolbar")
    with toolbar:
        left, right, look = choose_look(models.cards)
    above = st.container(gap=None)  # one place in the page's rhythm, mostly empty
    notices, slot, preview = above.container(), above.container(key="progress").empty(), above.empty()
    try:
        raster = runs.working_raster(subject, cm_per_px)
    except SciNetError as error:
        notices.error(str(error))
        cm_per_px, raster = native, subject.raster
    if "explore.seen" not in st.session_state:  # the first runs take a while: something to look at meanwhile
        preview.image(panels.picture(subject, raster), width=480)

    results, problems = compute([Task(subject, card, cm_per_px, models.strategy) for card in models.cards], slot)
    for problem in problems:
        notices.error(problem)
    verdicts = [runs.judge(result, settings) for result in results]
    preview.empty()
    with toolbar:
        downloads.button(verdicts)
    sides = {verdict.card.title: verdict for verdict in verdicts}
    wide, narrow = st.columns([3, 2], gap="small")
    with wide:
        show_map(subject, raster, sides.get(left), sides.get(right), look, worst_buildings.target_of(subject))
        worst_buildings.show(subject, verdicts)
        panels.pictures(subject, raster, verdicts)
    numbers = narrow.empty()
    shown, lacking = beside_native(verdicts, settings, native)
    show_numbers(numbers.container(), subject, shown, cm_per_px)
    st.session_state["explore.seen"] = True
    # The change against native can wait until the masks are there. Once: a run too large to keep comes back.
    awaited: set[runs.Key] = st.session_state.setdefault("explore.awaited", set())
    lacking = [task for task in lacking if task.key not in awaited]
    if lacking and not compute(lacking, slot)[1]:
        awaited.update(task.key for task in lacking)
        # Drawn again in place: with st.rerun() the address as it was would win over a slider moved meanwhile.
        shown, _ = beside_native(verdicts, settings, native)
        show_numbers(numbers.container(), subject, shown, cm_per_px)


def beside_native(
    verdicts: Sequence[Verdict], settings: MaskSettings, native: float
) -> tuple[list[panels.Shown], list[Task]]:
    """Each verdict with the one at native resolution where that has run, and the tasks that have not."""
    shown, lacking = [], []
    for verdict in verdicts:
        task = verdict.run.task
        at_native = None
        if task.cm_per_px != native:
            task = replace(task, cm_per_px=native)
            known = runs.known_run(task)
            if known is None:
                lacking.append(task)
            else:
                at_native = runs.judge(known, settings)
        shown.append(panels.Shown(verdict, at_native))
    return shown, lacking


def show_numbers(place: DeltaGenerator, subject: Subject, shown: Sequence[panels.Shown], cm_per_px: float) -> None:
    with place:
        if not shown:
            st.info("Choose a model in the sidebar to see its mask and its errors.")
        elif subject.truth is None:
            panels.areas(shown, cm_per_px)
        else:
            panels.scores_and_shares(shown, cm_per_px)
        remark = panels.outside_training([s.verdict.card for s in shown], cm_per_px)
        if remark:
            st.caption(remark)
        if subject.credit:
            st.caption(subject.credit)


def main() -> None:
    panels.style()
    with st.sidebar:
        choice = sources.choose()
        models = choose_models()
    notices = st.container()
    if choice.problem:
        notices.error(choice.problem)
    if choice.hint:
        notices.info(choice.hint)
    if not models.cards and not list_models():
        notices.warning(
            f"There are no checkpoints in {checkpoints_folder()}. Train one with python -m training.train, "
            "or set SCINET_CHECKPOINTS to a folder that holds some."
        )
    with st.container(horizontal=True, vertical_alignment="center", key="headline"):
        if choice.subject is not None:
            panels.facts(choice.subject)
        intro.button()
    picture = intro.open_card()
    if choice.subject is not None:
        show(choice.subject, models)
    intro.fill(picture)


main()
