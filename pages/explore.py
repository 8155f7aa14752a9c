"""Explore: an image, its masks and their errors at any ground resolution."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages import sources
from pages.app import page, runs
from pages.app.markdown import sentence
from pages.app.runs import MaskSettings, Result, Run, Task
from pages.app.state import SOURCE, session
from pages.app.subject import Subject
from pages.map.contents import Contents
from pages.map.target import target_of
from pages.map.view import Stage, show_map
from pages.sources import scope
from pages.views.explore import ahead, band, controls, downloads, intro, numbers, pictures, worst_buildings
from pages.views.explore.ahead import Plan
from pages.views.explore.numbers import Shown
from pages.views.explore.resolution import steps
from pages.views.explore.thin_bar import ThinBar
from scinet.errors import SciNetError
from scinet.models.card import checkpoints_folder, list_models

# The numbers beside the map, where there is room for both
NUMBERS_BESIDE = """@media (min-width: 1000px) {
  .st-key-stage { display: grid !important; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); }
  .st-key-numbers_place { max-height: max(440px, 100vh - var(--sn-above, 238px)); overflow-y: auto; }
  .st-key-below_place { grid-column: 1 / -1; }
}"""


def show(subject: Subject) -> None:
    """Draw the controls above the map and all that follows them.

    Not a fragment: Streamlit lets the rerun of a fragment wait until the run before it has ended, and models take
    seconds in which the user may move on.
    """
    native = subject.raster.cm_per_px
    session().ahead = None  # somebody is here: what was computed ahead of time stops
    chosen = controls.choose(subject)
    band.show(
        subject,
        chosen.models.cards,
        chosen.models.strategy,
        chosen.mask,
        chosen.target,
        chosen.camera,
        steps(subject),
        chosen.cm_per_px,
    )
    notices = st.container()
    bar = ThinBar(st.container(key="thin_bar").empty())
    cm_per_px, cards, settings = chosen.cm_per_px, chosen.models.cards, chosen.mask
    try:
        raster = runs.working_raster(subject, cm_per_px)
    except SciNetError as error:
        notices.error(sentence(str(error)))
        cm_per_px, raster = native, subject.raster
    on_map, beside, below = lay_out(chosen.numbers_beside)
    with on_map:
        stage = show_map(subject, partial(scope.draw, subject))
    contents = Contents(subject, raster, cards, target=target_of(subject))
    tasks = [Task(subject, card, cm_per_px, chosen.models.strategy) for card in cards]
    plan = Plan(contents, chosen.view, settings, cm_per_px, tasks, steps(subject))
    show_masks(stage, plan, bar, notices)
    results = contents.in_order()
    with chosen.place:
        downloads.button(results)
    with below:
        worst_buildings.show(subject, results)
        page.section("Pictures")
        pictures.show(subject, raster, results)
    with beside:
        page.section("Numbers")
        place = st.empty()
    shown, missing = with_native(results, settings, native)
    with place.container():
        numbers.show(subject, shown, cm_per_px)
    # The change from native can wait until the masks are drawn. Once: a run too large to cache would never end.
    requested = session().requested_native
    missing = [task for task in missing if task.key not in requested]
    if missing:
        with closing(runs.as_they_finish(missing, bar.report, settings.threshold)) as finished:
            requested.update(task.key for task, found in finished if isinstance(found, Run))
        bar.clear()
        shown, _ = with_native(results, settings, native)
        with place.container():
            numbers.show(subject, shown, cm_per_px)
    ahead.send(plan, stage)


def show_masks(stage: Stage, plan: Plan, bar: ThinBar, notices: DeltaGenerator) -> None:
    """Show the image at once, with the masks that are known, and each other mask when its model is done."""
    contents = plan.contents
    known = [run for run in (runs.cached_run(task, plan.threshold) for task in plan.tasks) if run is not None]
    contents.results.update({run.task.card.title: runs.evaluate(run, plan.mask) for run in known})
    stage.show(plan.state())
    problems: dict[str, None] = {}
    awaited = [task for task in plan.tasks if task.card.title not in contents.results]
    with closing(runs.as_they_finish(awaited, bar.report, plan.threshold)) as finished:
        for task, found in finished:
            if isinstance(found, Run):
                contents.results[task.card.title] = runs.evaluate(found, plan.mask)
            else:
                contents.failed.append(task.card.title)
                problems[str(found)] = None
            stage.show(plan.state())
    bar.clear()
    for problem in problems:
        notices.error(sentence(problem))


def lay_out(beside: bool) -> tuple[DeltaGenerator, DeltaGenerator, DeltaGenerator]:
    """The places of the map, of the numbers and of what follows.

    Where the numbers stand is left to the style sheet: in another container the map would load again.
    """
    st.html(f"<style>{NUMBERS_BESIDE if beside else ''}</style>")
    with st.container(key="stage"):
        return st.container(key="map_place"), st.container(key="numbers_place"), st.container(key="below_place")


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
    # Whoever comes by a link to a source may have to choose there
    st.set_page_config(initial_sidebar_state="auto" if SOURCE in st.query_params else "collapsed")
    intro.decide()
    with st.sidebar:
        choice = scope.choose(sources.choose())
    with st.container():
        page.show_messages(choice)
        if not list_models():
            st.warning(
                f"There are no models in {checkpoints_folder()}. Train one with python -m training.train, "
                "or set SCINET_CHECKPOINTS to a folder that contains some."
            )
    with st.container(horizontal=True, vertical_alignment="center", key="headline"):
        if choice.subject is not None:
            page.image_facts(choice.subject)
        intro.button()
    intro.card()
    if choice.subject is not None:
        show(choice.subject)


main()
