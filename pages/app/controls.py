"""Controls that the pages share: which models see the image and how, and what makes a mask of a probability."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from pages.app import custom_models
from pages.app.runs import MaskSettings
from scinet.models.card import Card
from scinet.segmentation.strategies import STRATEGIES, Strategy

STRATEGY_TITLES = {"direct": "Direct", "canonical": "Canonical", "multi-scale": "Multi-scale"}
STRATEGY_HELP = (
    "Direct: the image as it is at the chosen resolution. Canonical: brought to the resolution the model was "
    "trained at, and the result back. Multi-scale: the mean of 0.5x, 1x and 2x."
)


@dataclass(frozen=True)
class Models:
    """Which models see the image, and how."""

    cards: tuple[Card, ...]
    strategy: Strategy


def choose_models() -> Models:
    """Checkpoints and strategy, for the sidebar."""
    by_name = {card.name: card for card in custom_models.all_cards()}
    names = st.multiselect(
        "Models",
        list(by_name),
        default=list(by_name)[:2],
        format_func=lambda name: by_name[name].title,
        key="models",
        bind="query-params",
        placeholder="Choose models" if by_name else "No checkpoints found",
        help="Each model runs once at each resolution. The page Models adds one of your own.",
    )
    strategy = st.selectbox(
        "Strategy",
        STRATEGIES,
        format_func=lambda s: STRATEGY_TITLES.get(s, s),
        key="strategy",
        bind="query-params",
        help=STRATEGY_HELP,
    )
    return Models(tuple(by_name[name] for name in names), strategy)


def choose_mask(width: int | Literal["stretch"] = "stretch") -> MaskSettings:
    """Threshold and minimum area, side by side where the container is horizontal."""
    threshold = st.slider(
        "Threshold",
        0.05,
        0.95,
        0.5,
        0.05,
        key="threshold",
        bind="query-params",
        width=width,
        help="Probability in 0 to 1: pixels of a higher one are building. No model runs again.",
    )
    min_area_m2 = st.number_input(
        "Min. area, m²",
        0.0,
        10_000.0,
        0.0,
        1.0,
        format="%g",
        key="min_area",
        bind="query-params",
        width=width,
        help="Minimum area in m²: predicted components of less are dropped from the mask. 0 keeps them all.",
    )
    return MaskSettings(threshold, min_area_m2)
