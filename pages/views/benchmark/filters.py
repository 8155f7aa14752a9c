"""The choices of the page Benchmark: models, strategy and grid in the sidebar, the rest above the tabs."""

from dataclasses import replace
from typing import NamedTuple

import streamlit as st

from pages.app.benchmark_file import VersionedBenchmark
from pages.app.measures import GRID_HELP
from pages.app.state import RANKED_AT, SYSTEMS, session
from pages.views.benchmark.metrics import METRIC_HELP, METRIC_TITLES, SCORE_TITLES, STRATEGY_HELP, STRATEGY_TITLES
from pages.views.benchmark.places import tile_sets
from pages.views.benchmark.scored_models import ScoredModel, by_another_recipe, models_of
from pages.views.benchmark.selection import Selection
from scinet.evaluation.benchmark import Benchmark
from scinet.models.card import Card, list_models

USUAL_CM_PER_PX = 15.0
USUAL_TARGET = 0.7


def choose(found: VersionedBenchmark) -> Selection:
    """Draw all widgets; the resolution is left out where the models have no scores."""
    scored, version = found
    cards = list_models()
    facts = _facts("|".join([version, *(f"{card.name} {card.sha256}" for card in cards)]), scored, cards)
    with st.sidebar:
        models, strategy, grid = _choose_models(facts)
    ground, places, score, least = st.columns([3.2, 2.6, 2, 1.2], vertical_alignment="bottom")
    sets = facts.sets
    tile_set = places.selectbox(
        "Kind of place",
        list(sets),
        format_func=lambda name: f"{name} · {len(sets[name])} {'tile' if len(sets[name]) == 1 else 'tiles'}",
        key="tiles_of",
        bind="query-params",
        help="Test tiles, which no training used. Scores are of the resolutions that all of them have.",
    )
    metric = score.selectbox(
        "Score",
        list(SCORE_TITLES) if scored.has_objects else list(METRIC_TITLES),
        format_func=SCORE_TITLES.__getitem__,
        key="metric",
        bind="query-params",
        help="Scores of objects count buildings instead of pixels. "
        + "; ".join(f"{METRIC_TITLES[m]}: {t}" for m, t in METRIC_HELP.items()),
    )
    target = least.number_input(
        "Target",
        0.0,
        1.0,
        USUAL_TARGET,
        0.05,
        format="%.2f",
        key="pass_mark",  # Sweep has another "target"
        bind="query-params",
        help="The score that your work needs: what reaches it passes.",
    )
    images = tuple(sets[tile_set])
    chosen = Selection(scored, version, models, tile_set, images, strategy, grid, metric, target)
    gsds = sorted(chosen.resampled["cm_per_px"].unique().tolist()) if models else []
    with ground:
        return replace(chosen, cm_per_px=_choose_resolution(gsds)) if gsds else chosen


class _Facts(NamedTuple):
    """What the widgets offer: the trainings and strategies that were scored, and the images of each set of tiles.

    usual_strategy is best-scale where all models were scored by it, but for those of former recipes.
    """

    trainings: list[str]
    strategies: list[str]
    usual_strategy: str
    sets: dict[str, list[str]]


@st.cache_resource(max_entries=4, show_spinner=False)
def _facts(key: str, _scored: Benchmark, _cards: list[Card]) -> _Facts:
    trainings = [str(name) for name in _scored.tiles["model"].unique()]
    current = {name for model in models_of(trainings).values() if not model.is_former for name in model.seeds}
    by_best_scale = set(_scored.tiles.loc[_scored.tiles["strategy"] == "best-scale", "model"])
    usual = "best-scale" if by_best_scale >= current else _scored.strategies[0]
    return _Facts(trainings, _scored.strategies, usual, tile_sets(_scored.tiles, _cards, session().benchmark_images))


def _choose_models(facts: _Facts) -> tuple[tuple[ScoredModel, ...], str, str]:
    models = models_of(facts.trainings)
    names = st.multiselect(
        "Models",
        list(models),
        default=[name for name, model in models.items() if not model.is_former],
        format_func=lambda name: models[name].title,
        key=SYSTEMS,
        bind="query-params",
        help="Of a model that was trained with several seeds, the mean is shown.",
    )
    if others := by_another_recipe(models[name] for name in names):
        st.caption(f"Trained by another recipe than the rest: {', '.join(model.title for model in others)}.")
    strategies = facts.strategies
    strategy = st.selectbox(
        "Strategy",
        strategies,
        index=strategies.index(facts.usual_strategy),
        format_func=STRATEGY_TITLES.__getitem__,
        key="scored_by",
        bind="query-params",
        help=STRATEGY_HELP,
    )
    grid = st.segmented_control(
        "Grid",
        ["Working", "Native"],
        default="Working",
        key="score_grid",
        bind="query-params",
        required=True,
        width="stretch",
        help=GRID_HELP,
    )
    return tuple(models[name] for name in names), strategy, (grid or "Working").lower()


def _choose_resolution(gsds: list[float]) -> float:
    nearest = min(gsds, key=lambda gsd: abs(gsd - USUAL_CM_PER_PX))
    if st.session_state.get(RANKED_AT) not in (None, *gsds):
        st.session_state[RANKED_AT] = nearest
    if len(gsds) == 1:
        st.caption(f"All tiles were scored at {gsds[0]:g} cm/px alone.")
        return gsds[0]
    chosen: float = st.select_slider(
        "Ground resolution of your images",
        gsds,
        value=nearest,
        format_func=lambda gsd: f"{gsd:g} cm/px",
        key=RANKED_AT,
        bind="query-params",
        help="The test tiles are resampled to this resolution.",
    )
    return chosen
