"""The tables of the page Benchmark: the ranking at one resolution, the paper's, robustness, groups of tiles."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan, nan
from typing import Any

import pandas as pd

from pages.app.html_table import DASH, HtmlTable
from pages.views.benchmark import paper
from pages.views.benchmark.metrics import METRIC_TITLES, SCORE_HELP, SCORE_TITLES
from pages.views.benchmark.paper import Printed
from pages.views.benchmark.scored_models import ScoredModel
from pages.views.benchmark.selection import Selection
from scinet.evaluation import yardstick
from scinet.evaluation.bootstrap import LEVEL
from scinet.models.architectures import TITLES

NO_COST = "python -m training.costs measures it"
WIDE = "sn-wide"


def ranking(chosen: Selection, ranked: Sequence[ScoredModel], by_name: Mapping[str, Any]) -> None:
    """Draw the models at one resolution with the interval of each and of its change from Sci-Net.

    Args:
        chosen: The choices of the page.
        ranked: The models, the best first.
        by_name: Their rows of `estimates`.
    """
    shown = HtmlTable(WIDE)
    reaches = [f"Reaches {chosen.target:g}"] if chosen.target else []
    columns = [SCORE_TITLES[chosen.metric], f"{LEVEL:.0%} interval", *reaches, "Against Sci-Net", "Seeds"]
    shown.head("", *columns, "Time", "GMACs", "On board")
    for model in ranked:
        row, cost = by_name[model.name], chosen.benchmark.costs.get(model.architecture, {})
        cells = [
            f"<b>{row.value:.3f}</b>",
            DASH if isnan(row.low) else f"{row.low:.3f} to {row.high:.3f}",
            *([target_mark(row, chosen.target)] if chosen.target else []),
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
        shown.row(name, [f"<b>{published:.3f}</b>", *[DASH] * (6 + len(reaches))], is_emphasized=True)
    timed = next((cost["timed_on"] for cost in chosen.benchmark.costs.values() if "timed_on" in cost), "")
    foot = (
        "One image, so there are no intervals. The published model saw it at 53 cm/px. "
        if isnan(by_name[ranked[0].name].low)
        else "Intervals are bootstrapped over tiles; changes from Sci-Net are paired tile by tile. "
        "▲▼ mark changes whose interval excludes 0 and on which all seeds agree. "
    ) + (f"Time and GMACs: one image of 1024 px in one piece; {escape(timed)}." if timed else "")
    shown.show(foot)


def target_mark(row: Any, target: float) -> str:
    """Whether a score reaches the target, as HTML: surely or surely not where the whole interval says so."""
    low, high = (row.value, row.value) if isnan(row.low) else (row.low, row.high)
    if low >= target:
        return '<span class="sn-better">yes</span>'
    if high < target:
        return '<span class="sn-worse">no</span>'
    return "likely" if row.value >= target else "unlikely"


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
