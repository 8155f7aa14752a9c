"""A model in two lines: what it is good for and at which resolutions, and what it was trained with."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from scinet.models.card import Card

TEST_SCORE, AT_NATIVE = "test micro-IoU, ", ", native GSD"


def show(cards: Sequence[Card]) -> None:
    """Draw the two lines of each card."""
    for card in cards:
        st.html(f"<p><b>{escape(card.title)}</b> {escape(good_for(card))}<br>{escape(trained_with(card))}</p>")


def good_for(card: Card) -> str:
    """The resolutions that its training saw, and its scores on test tiles."""
    low, high = card.gsd_range_cm_per_px
    text = f"finds buildings at {low:g} to {high:g} cm/px"
    scores = {
        name.removeprefix(TEST_SCORE).removesuffix(AT_NATIVE): value
        for name, value in card.scores.items()
        if name.startswith(TEST_SCORE) and name.endswith(AT_NATIVE) and isinstance(value, int | float)
    }
    if not scores:
        return f"{text}; the page Benchmark scores it on test tiles."
    places = ", ".join(f"{value:.2f} in {place}" for place, value in sorted(scores.items(), key=lambda each: -each[1]))
    return f"{text}: micro-IoU {places}, on test tiles at their native resolution."


def trained_with(card: Card) -> str:
    """The data sets and the number of tiles of its training."""
    if card.is_custom:
        file = card.settings.get("file", "")
        return f"Added in this session from the file {file}; what it was trained with is not known."
    counts = {
        str(data["dataset"]).capitalize(): data["tiles"]
        for data in card.data
        if "dataset" in data and isinstance(data.get("tiles"), int)
    }
    if not counts:
        return "Its card does not say what it was trained with."
    each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"Trained with {sum(counts.values()):,} tiles: {each}."
