"""Explore: an image, its masks and their errors at any ground resolution."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.explorer import downloads, intro, panels, runs, sources, worst
from pages.explorer.map import COMPARISONS, Look, show_map
from pages.explorer.outlines import STYLES
from pages.explorer.runs import Run, Task
from pages.explorer.sources import Subject
from scinet.checkpoint import Card, checkpoints_folder, list_cards
from scinet.errors import SciNetError
from scinet.raster import Raster
from scinet.segment import STRATEGIES, Strategy
from scinet.sweep import step_title, steps_around

IMAGE = "Image"
STRATEGY_TITLES = {"direct": "Direct", "canonical": "Canonical", "multi-scale": "Multi-scale"}
STRATEGY_HELP = (
    "Direct: the image as it is at the chosen resolution. Canonical: brought to the resolution the model was "
    "trained at, and the result back. Multi-scale: the mean of 0.5x, 1x and 2x."
)


@dataclass(frozen=True)
class Settings:
    """The sidebar below the source."""

    cards: tuple[Card, ...]
    strategy: Strategy
    threshold: float
    min_area_m2: float
    left: str
    right: str
    look: Look


def choose_settings() -> Settings:
    cards = list_cards()
    by_name = {card.name: card for card in cards}
    names = st.multiselect(
        "Models",
        list(by_name),
        default=list(by_name)[:2],
        format_func=lambda name: by_name[name].title,
        key="models",
        bind="query-params",
        placeholder="Choose models" if cards else "No checkpoints found",
        help="Each model runs once at each resolution; the map shows two of them.",
    )
    chosen = tuple(by_name[name] for name in names)
    strategy = st.selectbox(
        "Strategy", STRATEGIES, format_func=lambda s: STRATEGY_TITLES.get(s, s), key="strategy",
        bind="query-params", help=STRATEGY_HELP,
    )  # fmt: skip
    left, right = st.columns([4, 5])
    threshold = left.slider(
        "Threshold", 0.05, 0.95, 0.5, 0.05, key="threshold", bind="query-params",
        help="Probability in 0 to 1: pixels of a higher one are building.",
    )  # fmt: skip
    min_area_m2 = right.number_input(
        "Min. area, m²", 0.0, 10_000.0, 0.0, 1.0, format="%g", key="min_area", bind="query-params",
        help="Minimum area in m²: predicted components of less are dropped from the mask. 0 keeps them all.",
    )  # fmt: skip
    panes = [IMAGE, *(card.title for card in chosen)]
    left, right = st.columns(2)
    left_pane = left.selectbox(
        "Left", panes, index=1 if len(panes) > 2 else 0, key="left_pane", bind="query-params",
        help="Left side of the map: a model's mask, or the image alone.",
    )  # fmt: skip
    right_pane = right.selectbox(
        "Right", panes, index=min(2, len(panes) - 1), key="right_pane", bind="query-params",
        help="Right side of the map: a model's mask, or the image alone.",
    )  # fmt: skip
    style = st.segmented_control(
        "Display", STYLES, default=STYLES[0], key="style", bind="query-params", required=True, width="stretch",
        help="Fill: every pixel in the colour of its error. Outlines: true footprints by kind, and false areas. "
        "Probability: how sure the model is, from 0 to 1.",
    )  # fmt: skip
    compare = st.segmented_control(
        "Compare by", COMPARISONS, default=COMPARISONS[0], key="compare", bind="query-params", required=True,
        width="stretch", help="Swipe: one map with a divider. Side by side: two maps that move together.",
    )  # fmt: skip
    look = Look(style or STYLES[0], compare or COMPARISONS[0], threshold)
    return Settings(chosen, strategy, threshold, min_area_m2, left_pane, right_pane, look)


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
    bar = runs.Progress(slot, sum(runs.known_run(task) is None for task in tasks))
    for task in tasks:
        known = runs.known_run(task)
        if known is None:
            bar.begin(task)
            try:
                known = runs.run(task, bar.report)
            except SciNetError as error:
                problems.append(str(error))
            bar.end()
        if known is not None:
            results.append(known)
    slot.empty()
    return results, list(dict.fromkeys(problems))


@st.fragment
def show(subject: Subject, settings: Settings) -> None:
    """The slider and all that follows it; a step reruns this part alone."""
    native = subject.raster.cm_per_px
    cm_per_px = choose_resolution(subject)
    notices, slot, preview = st.container(), st.container(key="progress").empty(), st.empty()
    try:
        raster = runs.working_raster(subject, cm_per_px)
    except SciNetError as error:
        notices.error(str(error))
        cm_per_px, raster = native, subject.raster
    if "explore.seen" not in st.session_state:  # the first runs take a while: something to look at meanwhile
        preview.image(panels.picture(subject, raster), width=480)

    results, problems = compute([Task(subject, c, cm_per_px, settings.strategy) for c in settings.cards], slot)
    for problem in problems:
        notices.error(problem)
    shown, lacking = [], []
    for result in results:
        reference = None
        if cm_per_px != native:
            task = replace(result.task, cm_per_px=native)
            known = runs.known_run(task)
            if known is None:
                lacking.append(task)
            else:
                reference = runs.judge(known, settings.threshold, settings.min_area_m2)
        verdict = runs.judge(result, settings.threshold, settings.min_area_m2)
        shown.append(panels.Shown(verdict, reference))
    preview.empty()
    show_results(subject, raster, shown, settings, cm_per_px)
    st.session_state["explore.seen"] = True
    # The change against native can wait until the masks are there. Once: a run too large to keep comes back.
    awaited: set[runs.Key] = st.session_state.setdefault("explore.awaited", set())
    lacking = [task for task in lacking if task.key not in awaited]
    if lacking and not compute(lacking, slot)[1]:
        awaited.update(task.key for task in lacking)
        st.rerun()


def show_results(
    subject: Subject,
    raster: Raster,
    shown: Sequence[panels.Shown],
    settings: Settings,
    cm_per_px: float,
) -> None:
    sides = {s.verdict.card.title: s.verdict for s in shown}
    left, right = st.columns([3, 2], gap="small")
    target = worst.target_of(subject)
    with left:
        show_map(subject, raster, sides.get(settings.left), sides.get(settings.right), settings.look, target)
        worst.show(subject, [s.verdict for s in shown])
        panels.pictures(subject, raster, shown)
    with right:
        show_numbers(subject, shown, cm_per_px)


def show_numbers(subject: Subject, shown: Sequence[panels.Shown], cm_per_px: float) -> None:
    if not shown:
        st.info("Choose a model in the sidebar to see its mask and its errors.")
    elif subject.truth is None:
        panels.areas(shown)
    else:
        panels.scores_and_shares(shown, cm_per_px)
    if shown:
        downloads.button([s.verdict for s in shown])
    remark = panels.outside_training([s.verdict.card for s in shown], cm_per_px)
    if remark:
        st.caption(remark)
    if subject.credit:
        st.caption(subject.credit)


def main() -> None:
    panels.style()
    with st.sidebar:
        choice = sources.choose()
        settings = choose_settings()
    picture = intro.open_card()
    notices = st.container()
    if choice.problem:
        notices.error(choice.problem)
    if choice.hint:
        notices.info(choice.hint)
    if not settings.cards and not list_cards():
        notices.warning(
            f"There are no checkpoints in {checkpoints_folder()}. Train one with python -m training.train, "
            "or set SCINET_CHECKPOINTS to a folder that holds some."
        )
    if choice.subject is None:
        return
    panels.facts(choice.subject)
    show(choice.subject, settings)
    intro.fill(picture)


main()
