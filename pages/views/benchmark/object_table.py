"""The object scores of all models at one resolution, and what scale and architecture buy there."""

from collections.abc import Mapping
from html import escape
from math import isnan, nan
from typing import Any

import pandas as pd
import streamlit as st

from pages.app.html_table import DASH, HtmlTable
from pages.views.benchmark.metrics import COUNT_ERROR, OBJECT_HELP, OBJECT_TITLES, SCORE_TITLES, STRATEGY_TITLES
from pages.views.benchmark.scored_models import ScoredModel
from pages.views.benchmark.selection import Selection
from scinet.evaluation.bootstrap import LEVEL

WIDE = "sn-wide"
HEADS = ("F1", "Precision", "Recall", "AP", "PQ", "Boundary IoU", "<20 m²", "20 to 50", "50 to 200", ">200 m²")


def objects(chosen: Selection, table: pd.DataFrame, cm_per_px: float) -> None:
    """Draw one row per model with its object scores at a resolution, from a table of `estimates`."""
    rows = table[table["cm_per_px"] == cm_per_px]
    values = {(row.system, row.metric): row.value for row in rows.itertuples()}
    scored = [model for model in chosen.models if (model.name, "object_f1") in values]
    if not scored:
        st.info("Run python -m training.benchmark again: these rows were made before objects were counted.")
        return
    shown = HtmlTable(WIDE)
    heads = [
        f'<span title="{escape(f"{OBJECT_TITLES[metric]}: {OBJECT_HELP[metric]}")}">{escape(head)}</span>'
        for metric, head in zip(OBJECT_TITLES, HEADS, strict=True)
    ]
    shown.head("", *heads, '<span title="(components - buildings) / buildings">Count error</span>')
    for model in sorted(scored, key=lambda model: -values[model.name, "object_f1"]):
        cells = [_score(values.get((model.name, metric), nan)) for metric in OBJECT_TITLES]
        count = values.get((model.name, COUNT_ERROR), nan)
        shown.row(f"{model.sign} {escape(model.title)}", [*cells, DASH if isnan(count) else f"{count:+.0%}"])
    shown.show(
        f"{escape(chosen.tile_set)} at {cm_per_px:g} cm/px, {chosen.grid} grid, {STRATEGY_TITLES[chosen.strategy]}. "
        "A building and a component match at IoU over 0.5. AP: average precision; PQ: panoptic quality; then recall by "
        "the building's area. Count error: predicted components against buildings."
    )


def gains(chosen: Selection, table: pd.DataFrame, by_strategy: Mapping[str, pd.DataFrame], cm_per_px: float) -> None:
    """Draw what the scale buys each model, and what the choice of the model buys at each strategy.

    Args:
        chosen: The choices of the sidebar.
        table: `scale_gains` over cm/px.
        by_strategy: `estimates` over cm/px, by the strategies "direct" and the best scale's.
        cm_per_px: The resolution.
    """
    rows = table[(table["metric"] == chosen.metric) & (table["cm_per_px"] == cm_per_px)]
    gained = {row.system: row for row in rows.itertuples()}
    against = {
        (strategy, row.system): row
        for strategy, found in by_strategy.items()
        for row in found[(found["metric"] == chosen.metric) & (found["cm_per_px"] == cm_per_px)].itertuples()
    }
    models = [model for model in chosen.models if model.name in gained]
    shown = HtmlTable(WIDE)
    shown.head(
        "",
        "Direct",
        "Best scale",
        "What scale buys",
        *(f"Against Sci-Net, {'direct' if strategy == 'direct' else 'best scale'}" for strategy in by_strategy),
    )
    for model in sorted(models, key=lambda model: -gained[model.name].best):
        row = gained[model.name]
        cells = [f"{row.direct:.3f}", f"<b>{row.best:.3f}</b>", _change(row.gain, row.gain_low, row.gain_high)]
        for strategy in by_strategy:
            change = against.get((strategy, model.name))
            if model.name == "sci-net" or change is None:
                cells.append(DASH)
            else:
                cells.append(_change(change.change, change.change_low, change.change_high))
        shown.row(f"{model.sign} {escape(model.title)}", cells)
    st.html(f'<div class="sn-answer">{in_words(models, gained, against, tuple(by_strategy))}</div>')
    shown.show(
        f"{SCORE_TITLES[chosen.metric]} of {escape(chosen.tile_set)} at {cm_per_px:g} cm/px, {chosen.grid} grid, with "
        f"{LEVEL:.0%} intervals over tiles, paired tile by tile."
    )


def in_words(
    models: list[ScoredModel],
    gained: Mapping[str, Any],
    against: Mapping[tuple[str, str], Any],
    strategies: tuple[str, ...],
) -> str:
    """The mean gain of scale, and the lead of the best model over Sci-Net at the last strategy."""
    if not models:
        return ""
    mean = sum(gained[model.name].gain for model in models) / len(models)
    text = f"Scale buys <b>{mean:+.3f}</b> on average over {len(models)} models."
    leads = [(against.get((strategies[-1], model.name)), model.title) for model in models if model.name != "sci-net"]
    known = [(row.change, title) for row, title in leads if row is not None and not isnan(row.change)]
    if not known:
        return text
    lead, title = max(known)
    return f"{text} Architecture buys <b>{max(lead, 0.0):+.3f}</b>: at best scale, the first is " + (
        f"{escape(title)}, compared with Sci-Net." if lead > 0 else "Sci-Net itself."
    )


def _score(value: float) -> str:
    return DASH if isnan(value) else f"{value:.3f}"


def _change(change: float, low: float, high: float) -> str:
    if isnan(change):
        return DASH
    is_sure = low > 0 or high < 0
    tone = "sn-better" if change > 0 else "sn-worse"
    number = f'<span class="{tone}">{change:+.3f}</span>' if is_sure else f"{change:+.3f}"
    return number if isnan(low) else f'{number}<small class="sn-printed">{low:+.3f} to {high:+.3f}</small>'
