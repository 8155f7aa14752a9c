"""Benchmark: the scores of all models on test tiles, with their intervals, for the resolution of one's own images."""

import streamlit as st

from pages.app import navigation
from pages.app.benchmark_file import versioned_benchmark
from pages.app.markdown import sentence
from pages.app.state import SECTION, session
from pages.views.benchmark import (
    answer,
    by_resolution,
    costs,
    figure_6,
    filters,
    own_models,
    scenarios,
    tables_tab,
    thresholds,
    tile_list,
)
from pages.views.benchmark.selection import Selection
from scinet.errors import BenchmarkError

NO_BENCHMARK = "There is no benchmark.json next to the models: python -m training.benchmark writes it."
SECTIONS = {
    "Answer": answer.show,
    "By resolution": by_resolution.show,
    "Tables": tables_tab.show,
    "Figure 6": figure_6.show,
    "Scenarios": scenarios.show,
    "Threshold": thresholds.show,
    "Cost": costs.show,
    "Tiles": tile_list.show,
    "My model": own_models.show,
}


def has_scores(chosen: Selection) -> bool:
    """Whether there is anything to show; if not, says what to choose."""
    if not chosen.models:
        st.info("Choose a model in the sidebar.")
        return False
    if chosen.resampled.empty:
        st.info("There are no scores of these models here; choose other models, strategy or kind of place.")
        return False
    return True


def main() -> None:
    """Draw the page."""
    navigation.through_app()
    try:
        found = versioned_benchmark()
    except BenchmarkError as error:
        st.error(sentence(str(error)))
        return
    if found is None:
        st.info(NO_BENCHMARK)
        return
    session().benchmark_images = frozenset(found.benchmark.tiles["image"].unique())
    chosen = filters.choose(own_models.merged(found))
    tabs = st.tabs(list(SECTIONS), key=SECTION, on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, SECTIONS.values(), strict=True):
        if tab.open:
            with tab:
                if show is own_models.show or has_scores(chosen):
                    show(chosen)


main()
