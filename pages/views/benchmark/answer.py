"""The page's answer: which model to use at a resolution, in a kind of place, for a target."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan
from typing import Any

import pandas as pd
import streamlit as st

from pages.views.benchmark import downloads, tables
from pages.views.benchmark.metrics import SCORE_TITLES
from pages.views.benchmark.places import places_in_words
from pages.views.benchmark.scored_models import ScoredModel
from pages.views.benchmark.selection import Selection


def show(chosen: Selection) -> None:
    """Draw the answer in words, and the ranking behind it."""
    rows = chosen.at_resolution
    by_name = {row.system: row for row in rows.itertuples()}
    ranked = sorted((m for m in chosen.models if m.name in by_name), key=lambda m: -by_name[m.name].value)
    if not ranked:
        st.info("None of these models was scored here: choose other models, another kind of place or score.")
        return
    st.html(f'<div class="sn-answer">{in_words(chosen, ranked, by_name)}</div>')
    tables.ranking(chosen, ranked, by_name)
    left, right = st.columns([3, 1], vertical_alignment="center")
    titles = [model.cards[0].title for model in ranked if model.cards][:2]
    if titles:
        left.page_link(
            "pages/explore.py", label=f"See {' and '.join(titles)} on an image →", query_params={"models": titles}
        )
    with right:
        downloads.show(chosen, rows, "ranking")


def in_words(chosen: Selection, ranked: Sequence[ScoredModel], by_name: Mapping[str, Any]) -> str:
    """The answer as HTML: the first model with its interval, who reaches the target, how far, and how sure it is."""
    best = ranked[0]
    row = by_name[best.name]
    interval = "" if isnan(row.low) else f" ({row.low:.3f} to {row.high:.3f})"
    places = escape(places_in_words(chosen.tile_set))
    first = (
        f"At {chosen.cm_per_px:g} cm/px in {places}, use <b>{escape(best.title)}</b>: "
        f"{SCORE_TITLES[chosen.metric]} {row.value:.3f}{interval}."
    )
    return " ".join(filter(None, (first, _target_in_words(chosen, ranked, by_name), lead_in_words(ranked, by_name))))


def _target_in_words(chosen: Selection, ranked: Sequence[ScoredModel], by_name: Mapping[str, Any]) -> str:
    """Who reaches the target here, and up to which resolution the first model does."""
    target = chosen.target
    if not target:
        return ""
    surely = [model for model in ranked if by_name[model.name].low >= target]
    likely = [model for model in ranked if model not in surely and by_name[model.name].value >= target]
    count = len(ranked)
    if surely or likely:
        text = f"The target of {target:g} is reached by {len(surely) + len(likely)} of {count} models"
        text += f", by {len(surely)} of them for sure." if surely else ", though by none for sure."
    else:
        text = f"No model reaches the target of {target:g}."
    held = coarsest_reached(chosen.table, ranked[0].name, chosen.metric, target)
    if held is None:
        return f"{text} {escape(ranked[0].title)} reaches it at no resolution here."
    return f"{text} {escape(ranked[0].title)} reaches it up to {held:g} cm/px."


def coarsest_reached(table: pd.DataFrame, system: str, metric: str, target: float) -> float | None:
    """The coarsest resolution at which a model's score reaches the target; None if there is none."""
    rows = table[(table["system"] == system) & (table["metric"] == metric) & (table["value"] >= target)]
    return float(rows["cm_per_px"].max()) if len(rows) else None


def lead_in_words(ranked: Sequence[ScoredModel], by_name: Mapping[str, Any]) -> str:
    """Who leads, the best model or Sci-Net, and whether other tiles or another seed could change the order."""
    if len(ranked) < 2 or "sci-net" not in by_name:
        return ""
    best, ours = ranked[0], next(model for model in ranked if model.name == "sci-net")
    other = ranked[1] if best is ours else ours
    lead = by_name[other.name if best is ours else best.name]
    one, two = by_name[best.name], by_name[other.name]
    if abs(lead.change) < 0.0005:
        names = f"<b>{escape(best.title)}</b> and <b>{escape(other.title)}</b>"
        return f"{names} are level: {one.value:.3f} and {two.value:.3f}."
    text = f"Its lead over {escape(other.title)} of {abs(lead.change):.3f} is "
    if isnan(lead.change_low):
        return f"{text[:-4]}, on a single image: nothing says what other images would show."
    if lead.change_low <= 0 <= lead.change_high:
        return f"{text}no larger than the choice of tiles explains."
    if lead.sure and min(one.seeds, two.seeds) > 1:
        return f"{text}larger than the choice of tiles or another training seed explains."
    return f"{text}larger than the choice of tiles explains, but another training seed may change the order."
