"""The tables of the page Benchmark, in HTML: the ranking at one GSD, the paper's, robustness, cities."""

from collections.abc import Sequence
from html import escape
from math import isnan

import pandas as pd
import streamlit as st

from pages.views.benchmark import paper
from pages.views.benchmark.paper import Printed
from pages.views.benchmark.selection import METRIC_HELP, METRIC_TITLES, Selection, System
from pages.views.explore.panels import DASH
from scinet.evaluation.bootstrap import LEVEL
from scinet.models.architectures import TITLES

NO_COST = "python -m training.costs measures it"


def ranking(chosen: Selection, table: pd.DataFrame, cm_per_px: float) -> list[System]:
    """The systems at one GSD, best first, with the interval of each and of its change against Sci-Net."""
    rows = table[(table["metric"] == chosen.metric) & (table["cm_per_px"] == cm_per_px)]
    by_name = {row.system: row for row in rows.itertuples()}
    ranked = sorted((s for s in chosen.systems if s.name in by_name), key=lambda s: -by_name[s.name].value)
    title = METRIC_TITLES[chosen.metric]
    body = [_head("", title, f"{LEVEL:.0%} interval", "Against Sci-Net", "Seeds", "Time", "GMACs", "On board")]
    for system in ranked:
        row, cost = by_name[system.name], chosen.benchmark.costs.get(system.architecture, {})
        body.append(
            _row(
                _name(system),
                f"<b>{row.value:.3f}</b>",
                f"{row.low:.3f} to {row.high:.3f}",
                _change(row, system),
                _seeds(row),
                _cost(cost, "seconds_1024_px", "{:.2f} s"),
                _cost(cost, "gmacs_1024_px", "{:,.0f}"),
                "yes" if system.cards else "no",
            )
        )
    timed = next((cost["timed_on"] for cost in chosen.benchmark.costs.values() if "timed_on" in cost), "")
    foot = (
        "An interval comes from drawing the tiles anew a thousand times; a change against Sci-Net is paired tile by "
        "tile. ▲▼ mark changes whose interval leaves out 0 and on which all seeds agree. "
        + (f"Time and GMACs: one image of 1024 px in one piece; {escape(timed)}." if timed else "")
    )
    if said := verdict(ranked, by_name):
        st.html(f'<div class="sn-answer">{said}</div>')
    _card(body, foot)
    return ranked


def verdict(ranked: Sequence[System], by_name: dict) -> str:
    """What can be said of the first and Sci-Net: their order, and what other tiles or another seed may change."""
    if len(ranked) < 2 or "sci-net" not in by_name:
        return ""
    best, ours = ranked[0], next(s for s in ranked if s.name == "sci-net")
    other = ranked[1] if best is ours else ours
    lead = by_name[other.name if best is ours else best.name]
    one, two = by_name[best.name], by_name[other.name]
    if abs(lead.change) < 0.0005:
        names = f"<b>{escape(best.title)}</b> and <b>{escape(other.title)}</b>"
        return f"{names} are level: {one.value:.3f} and {two.value:.3f}."
    text = f"<b>{escape(best.title)}</b> comes first. Its lead over {escape(other.title)} of {abs(lead.change):.3f} is "
    if lead.change_low <= 0 <= lead.change_high:
        return f"{text}no more than the choice of tiles may make."
    if lead.sure and min(one.seeds, two.seeds) > 1:
        return f"{text}more than the choice of tiles or another seed of the training explains."
    return f"{text}more than the choice of tiles explains, but another seed of the training may change the order."


def papers(chosen: Selection, table: pd.DataFrame, printed: dict[str, Printed], title: str) -> None:
    """A table of the paper, its figures beside ours on all test tiles at their own GSD."""
    scored = {(row.system, row.metric): row for row in table.itertuples()}
    systems = {system.name: system for system in chosen.systems}
    body = [_head("", *(f"{METRIC_TITLES[m]}" for m in METRIC_TITLES), "Parameters, M", "GMACs, 512 px")]
    slips: list[str] = []
    for name, row in printed.items():
        cells = []
        for column in Printed._fields:
            note = paper.SLIPS.get((name, column))
            mark = ""
            if note:
                slips.append(note)
                mark = f'<sup title="{escape(note)}">{len(slips)}</sup>'
            value = f"{getattr(row, column):.{2 if column in METRIC_TITLES else 1}f}{mark}"
            cells.append(f'{_ours(chosen, scored, name, column)}<small class="sn-printed">{value}</small>')
        label = _name(systems[name]) if name in systems else escape(TITLES[name])
        body.append(_row(label, *cells))
    notes = " ".join(f"<sup>{i}</sup> {escape(note)}" for i, note in enumerate(slips, 1))
    _card(body, f"<b>{title}.</b> Bold: ours; beside it, the paper's as printed. {notes}")


def _ours(chosen: Selection, scored: dict, name: str, column: str) -> str:
    cost = chosen.benchmark.costs.get(name, {})
    if column in METRIC_TITLES:
        row = scored.get((name, column))
        return f"<b>{100 * row.value:.2f}</b>" if row else f'<span title="not scored here yet">{DASH}</span>'
    if column == "parameters_million":
        return _cost({"m": cost["parameters"] / 1e6} if "parameters" in cost else {}, "m", "<b>{:.2f}</b>")
    return _cost(cost, "gmacs_512_px", "<b>{:.2f}</b>")


def robustness(chosen: Selection, table: pd.DataFrame) -> None:
    """How each system holds over the set's GSDs."""
    by_name = {row.system: row for row in table.itertuples()}
    body = [
        _head(
            "", "Area under the curve", f"{LEVEL:.0%} interval", "Best score", "at", "Finest / best", "Coarsest / best"
        )
    ]
    ranked = sorted((s for s in chosen.systems if s.name in by_name), key=lambda s: -by_name[s.name].area)
    for system in ranked:
        row = by_name[system.name]
        body.append(
            _row(
                _name(system),
                f"<b>{row.area:.3f}</b>",
                f"{row.area_low:.3f} to {row.area_high:.3f}",
                f"{row.best:.3f}",
                f"{row.best_at:g} cm/px",
                f"{row.finest:.0%}",
                f"{row.coarsest:.0%}",
            )
        )
    _card(
        body, f"{METRIC_TITLES[chosen.metric]} of {escape(chosen.tile_set)}, mean over log cm/px; 1 would be perfect."
    )


def cities(chosen: Selection, tables: dict[str, pd.DataFrame]) -> None:
    """A column a group of tiles, each tile at its own GSD; the best of a column stands out."""
    values = {
        (system.name, group): row
        for group, table in tables.items()
        for row in table[table["metric"] == chosen.metric].itertuples()
        for system in chosen.systems
        if row.system == system.name
    }
    counts = {group: int(table["tiles"].max()) for group, table in tables.items()}
    best = {
        group: max((row.value for (_, g), row in values.items() if g == group), default=float("nan"))
        for group in tables
    }
    body = [_head("", *(f"{escape(group)}<br><small>{counts[group]} tiles</small>" for group in tables))]
    for system in chosen.systems:
        cells = []
        for group in tables:
            row = values.get((system.name, group))
            if row is None:
                cells.append(DASH)
                continue
            number = f"<b>{row.value:.3f}</b>" if row.value == best[group] else f"{row.value:.3f}"
            cells.append(f'{number}<small class="sn-under">{row.low:.2f} to {row.high:.2f}</small>')
        body.append(_row(_name(system), *cells))
    _card(body, f"{METRIC_TITLES[chosen.metric]}: {METRIC_HELP[chosen.metric]}. Bold: the best of a column.")


# ---- cells


def _name(system: System) -> str:
    return f"{system.sign} {escape(system.title)}"


def _change(row, system: System) -> str:
    if system.name == "sci-net" or isnan(row.change):
        return DASH
    tone, arrow = ("sn-better", "▲ ") if row.change > 0 else ("sn-worse", "▼ ")
    number = f'<span class="{tone}">{arrow}{row.change:+.3f}</span>' if row.sure else f"{row.change:+.3f}"
    return f'{number}<small class="sn-printed">{row.change_low:+.3f} to {row.change_high:+.3f}</small>'


def _seeds(row) -> str:
    return "1" if row.seeds == 1 else f"{row.seeds}: {row.seed_low:.3f} to {row.seed_high:.3f}"


def _cost(cost: dict, name: str, form: str) -> str:
    return form.format(cost[name]) if name in cost else f'<span title="{NO_COST}">{DASH}</span>'


def _head(*cells: str) -> str:
    return f'<tr class="sn-head">{"".join(f"<th>{cell}</th>" for cell in cells)}</tr>'


def _row(name: str, *cells: str) -> str:
    return f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _card(rows: Sequence[str], foot: str) -> None:
    table = f'<table class="sn-table sn-wide">{"".join(rows)}</table>'
    st.html(f'<div class="sn-card">{table}<p class="sn-foot">{foot}</p></div>')
