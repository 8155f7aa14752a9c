"""Explore: an image, its masks and their errors at any ground resolution."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.explorer import panels, runs, sources
from pages.explorer.map import STYLES, show_map
from scinet.checkpoint import Card, checkpoints_folder, list_cards
from scinet.errors import SciNetError
from scinet.resolution import STEPS_CM_PER_PX
from scinet.segment import STRATEGIES

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
    strategy: str
    threshold: float
    left: str
    right: str
    style: str


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
    )
    chosen = tuple(by_name[name] for name in names)
    left, right = st.columns([5, 4])
    strategy = left.selectbox(
        "Strategy", STRATEGIES, format_func=lambda s: STRATEGY_TITLES.get(s, s), key="strategy",
        bind="query-params", help=STRATEGY_HELP,
    )  # fmt: skip
    threshold = right.slider(
        "Threshold", 0.05, 0.95, 0.5, 0.05, key="threshold", help="Pixels of a higher probability are building."
    )
    panes = [IMAGE, *(card.title for card in chosen)]
    left, right = st.columns(2)
    left_pane = left.selectbox("Left of the divider", panes, index=min(1, len(panes) - 1) if len(panes) > 2 else 0)
    right_pane = right.selectbox("Right of the divider", panes, index=min(2, len(panes) - 1))
    style = st.segmented_control(
        "Errors drawn as", STYLES, default=STYLES[0], key="style", required=True, width="stretch"
    )
    return Settings(chosen, strategy, threshold, left_pane, right_pane, style or STYLES[0])


def choose_resolution(subject: sources.Subject) -> float:
    """The slider; a new image starts at its native resolution, which is one of the steps."""
    native = subject.raster.cm_per_px
    options = sorted([step for step in STEPS_CM_PER_PX if abs(step / native - 1) > 0.02] + [native])
    former = st.session_state.get("explore.slider_of")
    if former not in (None, subject.key):
        st.session_state["gsd"] = native
    st.session_state["explore.slider_of"] = subject.key
    return st.select_slider(
        "Ground resolution",
        options,
        value=native,
        format_func=lambda v: f"{v:.3g} cm/px native" if v == native else f"{v:g} cm/px",
        key="gsd",
        bind="query-params",
        help="The image is resampled to this ground sample distance before the models see it.",
    )


def compute(
    subject: sources.Subject, settings: Settings, cm_per_px: float, slot: DeltaGenerator
) -> tuple[list[panels.Shown], list[str]]:
    """Each model's verdict here and at the native resolution; and what went wrong, in sentences."""
    native = subject.raster.cm_per_px
    wanted = [(card, gsd) for card in settings.cards for gsd in dict.fromkeys((cm_per_px, native))]
    unknown = [w for w in wanted if not runs.is_known(subject, w[0], w[1], settings.strategy)]
    bar = runs.Progress(slot, len(unknown))
    shown, problems = [], []
    for card in settings.cards:
        verdicts = {}
        try:
            for gsd in dict.fromkeys((cm_per_px, native)):
                if (card, gsd) in unknown:
                    bar.begin(f"{card.title} at {gsd:.3g} cm/px")
                run = runs.run(subject, card, gsd, settings.strategy, bar.report)
                verdicts[gsd] = runs.judge(subject, card, run, settings.threshold)
                if (card, gsd) in unknown:
                    bar.end()
        except SciNetError as error:
            problems.append(str(error))
            continue
        shown.append(panels.Shown(verdicts[cm_per_px], verdicts[native]))
    slot.empty()
    return shown, list(dict.fromkeys(problems))


@st.fragment
def show(subject: sources.Subject, settings: Settings) -> None:
    """The slider and all that follows it; a step reruns this part alone."""
    cm_per_px = choose_resolution(subject)
    notices, slot = st.container(), st.empty()
    try:
        raster = runs.working_raster(subject, cm_per_px)
    except SciNetError as error:
        notices.error(str(error))
        cm_per_px, raster = subject.raster.cm_per_px, subject.raster
    shown, problems = compute(subject, settings, cm_per_px, slot)
    for problem in problems:
        notices.error(problem)
    sides = {s.verdict.card.title: s.verdict for s in shown}
    left, right = st.columns([3, 2], gap="small")
    with left:
        show_map(
            subject, raster, sides.get(settings.left), sides.get(settings.right), settings.style, settings.threshold
        )
        panels.pictures(subject, raster, shown, settings.threshold)
    with right:
        show_numbers(subject, shown, cm_per_px)


def show_numbers(subject: sources.Subject, shown: Sequence[panels.Shown], cm_per_px: float) -> None:
    at_native = cm_per_px == subject.raster.cm_per_px
    if not shown:
        st.info("Choose a model in the sidebar to see its mask and its errors.")
    elif subject.truth is None:
        panels.areas(shown, at_native=at_native)
    else:
        panels.scores_and_shares(shown, cm_per_px, at_native=at_native)
    for text in dict.fromkeys(panels.outside_training(s.verdict.card, cm_per_px) for s in shown):
        if text:
            st.caption(text)
    if subject.credit:
        st.caption(subject.credit)


def main() -> None:
    panels.style()
    with st.sidebar:
        choice = sources.choose()
        settings = choose_settings()
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


main()
