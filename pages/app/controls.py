"""Controls that pages share: which models see the image and how, and how a probability becomes a mask."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from pages.app import custom_models
from pages.app.runs import MaskSettings
from scinet.models.card import Card, Places
from scinet.segmentation.strategies import Strategy, StrategyName

STRATEGY_TITLES: dict[StrategyName, str] = {
    "best-scale": "Best scale",
    "direct": "Direct",
    "multi-scale": "Multi-scale",
}
STRATEGY_HELP = (
    "Best scale: the image is enlarged or reduced for the model by the factor that suits it at this resolution. "
    "Direct: the model sees the image as it is. Multi-scale: the mean of the two best scales."
)
USUAL_MIN_AREA_M2 = 1.0  # smaller components are specks, which nobody takes for buildings
PLACES_TITLES: dict[Places, str] = {"unknown": "Unknown place", "known": "Like its training"}
PLACES_HELP = (
    "Which scale is best depends on whether the model knows such places. The scales for unknown places were chosen "
    "where no model was trained; those for known ones on validation tiles next to its training tiles."
)


@dataclass(frozen=True)
class Models:
    """Which models see the image, and how."""

    cards: tuple[Card, ...]
    strategy: Strategy


def choose_models() -> Models:
    """Draw the widgets of models and strategy."""
    cards = choose_cards()
    return Models(cards, choose_strategy())


def choose_cards(at_first: int | None = 2) -> tuple[Card, ...]:
    """Draw the list of models, of which the first ones are chosen at first, or all if `at_first` is None."""
    by_name = {card.name: card for card in custom_models.all_cards()}
    names = st.multiselect(
        "Models",
        list(by_name),
        default=list(by_name)[:at_first],
        format_func=lambda name: by_name[name].title,
        key="models",
        bind="query-params",
        placeholder="Choose models" if by_name else "No models found",
        help="Each model runs once at each resolution. To add a custom one, see the page Models.",
    )
    return tuple(by_name[name] for name in names)


def choose_strategy() -> Strategy:
    """Draw the widgets of how the models see the image."""
    strategy = st.selectbox(
        "Strategy",
        list(STRATEGY_TITLES),
        format_func=lambda s: STRATEGY_TITLES.get(s, s),
        key="strategy",
        bind="query-params",
        help=STRATEGY_HELP,
    )
    places = st.selectbox(
        "Scales for",
        list(PLACES_TITLES),
        format_func=PLACES_TITLES.__getitem__,
        key="places",
        bind="query-params",
        disabled=strategy == "direct",
        help=PLACES_HELP,
    )
    flips = st.toggle(
        "Flips",
        key="flips",
        bind="query-params",
        help="The mean over all eight turns and reflections: a little better, eight times as slow.",
    )
    return Strategy(strategy, places, flips)


def choose_mask(width: int | Literal["stretch"] = "stretch", promised: float | None = None) -> MaskSettings:
    """Draw threshold and minimum area, side by side if the container is horizontal.

    Args:
        width: Of each widget.
        promised: The threshold if another widget has chosen it.
    """
    threshold = st.slider(
        "Threshold",
        0.05,
        0.95,
        0.5,
        0.05,
        key="threshold",
        bind="query-params",
        width=width,
        disabled=promised is not None,
        help="Pixels with a higher probability are building. No model runs again.",
    )
    min_area_m2 = st.number_input(
        "Min. area, m²",
        0.0,
        10_000.0,
        USUAL_MIN_AREA_M2,
        1.0,
        format="%g",
        key="min_area",
        bind="query-params",
        width=width,
        help="Smaller predicted components are specks: they are dropped from the mask and not counted. 0 keeps all.",
    )
    return MaskSettings(threshold if promised is None else promised, min_area_m2)
