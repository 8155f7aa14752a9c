"""Figure 6 of the paper: the masks of all models side by side, on the sample tiles."""

import streamlit as st

from pages.sources.examples import read_sample
from pages.views.benchmark import mask_grid
from pages.views.benchmark.mask_grid import TileRow
from pages.views.benchmark.selection import Selection
from scinet.datasets import sample_results
from scinet.datasets.samples import samples
from scinet.evaluation.benchmark import BENCHMARK_STRATEGIES
from scinet.evaluation.grading import steps_around


def show(chosen: Selection) -> None:
    """Draw the choice of tiles, and their masks at the step nearest to the page's resolution."""
    by_title = {sample.title: sample for sample in samples()}
    at_first = [title for title, sample in by_title.items() if sample.tile.name in sample_results.TILES]
    titles = st.multiselect(
        "Sample tiles",
        list(by_title),
        default=at_first,
        key="figure_6_tiles",
        bind="query-params",
        help="The masks of three of them come with the package at the usual resolutions; the others are computed here.",
    )
    cards = [card for model in chosen.models for card in model.cards[:1]]
    if not cards or not titles:
        st.info("Choose a tile, and a model that is on board.")
        return
    rows = []
    for title in titles:
        subject = read_sample(by_title[title])
        step = min(steps_around(subject.raster.cm_per_px), key=lambda gsd: abs(gsd / chosen.cm_per_px - 1))
        rows.append(TileRow(subject, step, {"source": "Examples", "example": title}))
    mask_grid.show(rows, cards, BENCHMARK_STRATEGIES[chosen.strategy], "figure-6")
