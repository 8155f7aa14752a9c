"""The tables of the page Benchmark: the ranking at one resolution, the paper's, robustness, groups of tiles."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan, nan
from typing import Any

import pandas as pd
import streamlit as st

from pages.app.html_table import DASH, HtmlTable
from pages.views.benchmark import paper
from pages.views.benchmark.metrics import METRIC_TITLES, SCORE_HELP, SCORE_TITLES
from pages.views.benchmark.paper import Printed
from pages.views.benchmark.selection import ScoredModel, Selection
from scinet.evaluation import yardstick
from scinet.evaluation.bootstrap import LEVEL
from scinet.models.architectures import TITLES

NO_COST = "python -m training.costs measures it"
WIDE = "sn-wide"


def ranking(chosen: Selection, table: pd.DataFrame, cm_per_px: float) -> list[ScoredModel]:
    """Draw the models at one resolution with the interval of each and of its change from Sci-Net; returns them.

    Both the table and the list have the best model first.
    """
    rows = table[(table["metric"] == chosen.metric) & (table["cm_per_px"] == cm_per_px)]
    by_name = {row.system: row for row in rows.itertuples()}
    ranked = sorted((m for m in chosen.models if m.name in by_name), key=lambda m: -by_name[m.name].value)
    title = SCORE_TITLES[chosen.metric]
    shown = HtmlTable(WIDE)
    shown.head("", title, f"{LEVEL:.0%} interval", "Against Sci-Net", "Seeds", "Time", "GMACs", "On board")
    for model in ranked:
        row, cost = by_name[model.name], chosen.benchmark.costs.get(model.architecture, {})
        cells = [
            f"<b>{row.value:.3f}</b>",
            DASH if isnan(row.low) else f"{row.low:.3f} to {row.high:.3f}",
            _change(row, model),
            _seeds(row),
            _cost(cost, "seconds_1024_px", "{:.2f} s"),
            _cost(cost, "gmacs_1024_px", "{:,.0f}"),
            "yes" if model.cards else "no",
        ]
        shown.row(_name(model), cells)
    published = chosen.published.get(chosen.metric)
    if published is not None:
        name = f'<a href="{yardstick.SOURCE}">{escape(yardstick.PUBLISHED_BY)}</a>'
        shown.row(name, [f"<b>{published:.3f}</b>", *[DASH] * 6], is_emphasized=True)
    timed = next((cost["timed_on"] for cost in chosen.benchmark.costs.values() if "timed_on" in cost), "")
    foot = (
        "One image, so there are no intervals. The published model saw it at 53 cm/px. "
        if ranked and isnan(by_name[ranked[0].name].low)
        else "Intervals are bootstrapped over tiles; changes from Sci-Net are paired tile by tile. "
        "▲▼ mark changes whose interval excludes 0 and on which all seeds agree. "
    ) + (f"Time and GMACs: one image of 1024 px in one piece; {escape(timed)}." if timed else "")
    if answer := lead_in_words(ranked, by_name):
        st.html(f'<div class="sn-answer">{answer}</div>')
    shown.show(foot)
    return ranked


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
    text = f"<b>{escape(best.title)}</b> comes first. Its lead over {escape(other.title)} of {abs(lead.change):.3f} is "
    if isnan(lead.change_low):
        return f"{text[:-4]}, on a single image: nothing says what other images would show."
    if lead.change_low <= 0 <= lead.change_high:
        return f"{text}no larger than the choice of tiles explains."
    if lead.sure and min(one.seeds, two.seeds) > 1:
        return f"{text}larger than the choice of tiles or another training seed explains."
    return f"{text}larger than the choice of tiles explains, but another training seed may change the order."


def papers(chosen: Selection, table: pd.DataFrame, printed: dict[str, Printed], title: str) -> None:
    """Draw a table of the paper, with our figures on all test tiles at native resolution next to the paper's."""
    scored = {(row.system, row.metric): row for row in table.itertuples()}
    models = {model.name: model for model in chosen.models}
    shown = HtmlTable(WIDE)
    shown.head("", *METRIC_TITLES.values(), "Parameters, M", "GMACs, 512 px")
    notes: list[str] = []
    for name, row in printed.items():
        cells = []
        for column in Printed._fields:
            note = paper.SLIPS.get((name, column))
            mark = ""
            if note:
                notes.append(note)
                mark = f'<sup title="{escape(note)}">{len(notes)}</sup>'
            value = f"{getattr(row, column):.{2 if column in METRIC_TITLES else 1}f}{mark}"
            cells.append(f'{_ours(chosen, scored, name, column)}<small class="sn-printed">{value}</small>')
        shown.row(_name(models[name]) if name in models else escape(TITLES[name]), cells)
    footnotes = " ".join(f"<sup>{i}</sup> {escape(note)}" for i, note in enumerate(notes, 1))
    shown.show(f"<b>{title}.</b> Bold: ours; next to it, the paper's as printed. {footnotes}")


def _ours(chosen: Selection, scored: Mapping[tuple[str, str], Any], name: str, column: str) -> str:
    cost = chosen.benchmark.costs.get(name, {})
    if column in METRIC_TITLES:
        row = scored.get((name, column))
        return f"<b>{100 * row.value:.2f}</b>" if row else f'<span title="not scored here yet">{DASH}</span>'
    if column == "parameters_million":
        return _cost({"m": cost["parameters"] / 1e6} if "parameters" in cost else {}, "m", "<b>{:.2f}</b>")
    return _cost(cost, "gmacs_512_px", "<b>{:.2f}</b>")


def robustness(chosen: Selection, table: pd.DataFrame) -> None:
    """Draw how each model's score changes over the set's resolutions."""
    by_name = {row.system: row for row in table.itertuples()}
    interval = f"{LEVEL:.0%} interval"
    shown = HtmlTable(WIDE)
    shown.head("", "Area under the curve", interval, "Best score", "at", "Finest / best", "Coarsest / best")
    for model in sorted((m for m in chosen.models if m.name in by_name), key=lambda m: -by_name[m.name].area):
        row = by_name[model.name]
        cells = [
            f"<b>{row.area:.3f}</b>",
            DASH if isnan(row.area_low) else f"{row.area_low:.3f} to {row.area_high:.3f}",
            f"{row.best:.3f}",
            f"{row.best_at:g} cm/px",
            DASH if isnan(row.finest) else f"{row.finest:.0%}",
            DASH if isnan(row.coarsest) else f"{row.coarsest:.0%}",
        ]
        shown.row(_name(model), cells)
    shown.show(f"{SCORE_TITLES[chosen.metric]} of {escape(chosen.tile_set)}, mean over log cm/px; 1 would be perfect.")


def groups(chosen: Selection, tables: Mapping[str, pd.DataFrame]) -> None:
    """Draw one column per group of tiles, each tile at its native resolution; the best of a column stands out."""
    values = {
        (row.system, group): row
        for group, table in tables.items()
        for row in table[table["metric"] == chosen.metric].itertuples()
    }
    names = {model.name for model in chosen.models}
    best = {
        group: max((row.value for (name, g), row in values.items() if g == group and name in names), default=nan)
        for group in tables
    }
    shown = HtmlTable(WIDE)
    counts = {group: int(table["tiles"].max()) for group, table in tables.items()}
    shown.head("", *(f"{escape(group)}<br><small>{counts[group]} tiles</small>" for group in tables))
    for model in chosen.models:
        cells = []
        for group in tables:
            row = values.get((model.name, group))
            if row is None:
                cells.append(DASH)
                continue
            number = f"<b>{row.value:.3f}</b>" if row.value == best[group] else f"{row.value:.3f}"
            cells.append(f'{number}<small class="sn-under">{row.low:.2f} to {row.high:.2f}</small>')
        shown.row(_name(model), cells)
    shown.show(f"{SCORE_TITLES[chosen.metric]}: {SCORE_HELP[chosen.metric]}. Bold: the best of a column.")


# ---- cells


def _name(model: ScoredModel) -> str:
    return f"{model.sign} {escape(model.title)}"


def _change(row: Any, model: ScoredModel) -> str:
    if model.name == "sci-net" or isnan(row.change):
        return DASH
    tone, arrow = ("sn-better", "▲ ") if row.change > 0 else ("sn-worse", "▼ ")
    number = f'<span class="{tone}">{arrow}{row.change:+.3f}</span>' if row.sure else f"{row.change:+.3f}"
    if isnan(row.change_low):
        return number
    return f'{number}<small class="sn-printed">{row.change_low:+.3f} to {row.change_high:+.3f}</small>'


def _seeds(row: Any) -> str:
    return "1" if row.seeds == 1 else f"{row.seeds}: {row.seed_low:.3f} to {row.seed_high:.3f}"


def _cost(cost: Mapping[str, float], name: str, form: str) -> str:
    return form.format(cost[name]) if name in cost else f'<span title="{NO_COST}">{DASH}</span>'
