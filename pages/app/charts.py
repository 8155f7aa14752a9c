"""Curves against the ground resolution: small multiples with the same axis, one line per model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.app import drawing
from scinet.models.card import Card

TICKS_CM_PER_PX = (2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200)
MARKERS = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "x": "✖",
    "star": "★",
    "cross": "✚",
    "triangle-down": "▼",
    "pentagon": "⬟",
    "hexagon": "⬢",
    "bowtie": "⧓",
}
DASHES = {"working": "solid", "native": "dot"}
GREY = "#808A94"
CAMERA = {"displaylogo": False, "modeBarButtonsToRemove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut"]}


@dataclass(frozen=True)
class Curve:
    """A column of the sweep's table and how it is drawn."""

    column: str
    title: str
    help: str
    form: str = ".3f"
    colour: str | None = None  # of the error share, as in tables
    top: float | None = None  # end of the axis, which then begins near the lowest value
    has_interval: bool = False  # whether the columns with _low and _high after its name are its ends


def legend(cards: Sequence[Card], grids: Sequence[str]) -> None:
    """Draw one legend for all curves: models by colour and marker, grids by line; no grids where none is told."""
    parts = []
    for card, shape in zip(cards, cycle(MARKERS.values()), strict=False):
        low, high = card.gsd_range_cm_per_px
        parts.append(
            f'<span><i style="color:{drawing.model_colour(card.architecture)}">{shape}</i> <b>{escape(card.title)}</b>'
            f" <small>trained at {low:g} to {high:g} cm/px</small></span>"
        )
    if len(grids) > 1:
        parts.append("<span>— working grid</span><span>⋯ native grid</span>")
    if grids:
        parts.append("<span>╎ native resolution</span><span><i class='sn-range'></i>trained at</span>")
    st.html(f'<div class="sn-legend">{"".join(parts)}</div>')


def curve(
    table: pd.DataFrame,
    cards: Sequence[Card],
    shown: Curve,
    grids: Sequence[str],
    native: float,
    least: float | None = None,
) -> go.Figure:
    """One column of the sweep's table against cm/px, with native resolution, training ranges and a target marked."""
    figure = go.Figure()
    for low, high in sorted({card.gsd_range_cm_per_px for card in cards}):
        figure.add_vrect(low, high, fillcolor=GREY, opacity=0.08, line_width=0, layer="below")
    figure.add_vline(native, line={"color": GREY, "width": 1, "dash": "dash"})
    if least is not None:
        figure.add_hline(
            least,
            line={"color": GREY, "width": 2, "dash": "longdash"},
            annotation={"text": "your target", "font": {"size": 11}, "xanchor": "right"},
        )
    for card, marker in zip(cards, cycle(MARKERS), strict=False):
        for grid in grids:
            rows = table[(table["model"] == card.title) & (table["grid"] == grid)]
            colour = drawing.model_colour(card.architecture)
            figure.add_scatter(
                x=rows["cm_per_px"],
                y=rows[shown.column],
                mode="lines+markers",
                name=card.title,
                line={"color": colour, "width": 2, "dash": DASHES[grid]},
                error_y=_interval(rows, shown),
                marker={"symbol": marker, "size": 7 if grid == "working" else 5},
                hovertemplate=f"%{{y:{shown.form}}}<extra>{escape(card.title)}, {grid} grid</extra>",
            )
    steps = table["cm_per_px"]
    low, high = (steps.min(), steps.max()) if len(steps) else (native, native)
    figure.update_xaxes(
        type="log",
        tickvals=TICKS_CM_PER_PX,
        ticktext=[f"{v}" for v in TICKS_CM_PER_PX],
        autorange=False,
        range=log_range(min(low, native) / 1.12, max(high, native) * 1.12),
        showgrid=False,
        title={"text": "cm/px", "standoff": 2},
        title_font_size=11,
    )
    _finish(figure, table[f"{shown.column}_low" if shown.has_interval else shown.column], shown, least)
    return figure


def curve_by_amount(
    table: pd.DataFrame, cards: Sequence[Card], shown: Curve, labels: Sequence[str], unit: str
) -> go.Figure:
    """One column of a degradation's table against its amounts, which are evenly spaced.

    Args:
        table: Has the columns model and amount, whose values are of `labels`.
        cards: The models.
        shown: The column.
        labels: All amounts in order.
        unit: Theirs.
    """
    figure = go.Figure()
    for card, marker in zip(cards, cycle(MARKERS), strict=False):
        rows = table[table["model"] == card.title]
        figure.add_scatter(
            x=rows["amount"],
            y=rows[shown.column],
            mode="lines+markers",
            name=card.title,
            line={"color": drawing.model_colour(card.architecture), "width": 2},
            marker={"symbol": marker, "size": 7},
            hovertemplate=f"%{{y:{shown.form}}}<extra>{escape(card.title)}</extra>",
        )
    order = {"type": "category", "categoryorder": "array", "categoryarray": list(labels)}
    figure.update_xaxes(
        **order,
        range=[-0.3, len(labels) - 0.7],
        showgrid=False,
        title={"text": unit, "standoff": 2},
        title_font_size=11,
    )
    _finish(figure, table[shown.column], shown)
    return figure


def _finish(figure: go.Figure, values: pd.Series, shown: Curve, least: float | None = None) -> None:
    """Give a curve its vertical axis and its margins."""
    low, high = _span(values, shown)
    figure.update_yaxes(
        range=[low if least is None else min(low, least - 0.05), high], tickformat=_ticks(shown.form), nticks=6
    )
    figure.update_layout(
        height=240,
        margin={"l": 44, "r": 8, "t": 8, "b": 36},
        showlegend=False,
        hovermode="x unified",
        hoverlabel={"namelength": -1},
    )


def _interval(rows: pd.DataFrame, shown: Curve) -> dict[str, Any] | None:
    """The ends of the values' intervals, as Plotly draws them."""
    if not shown.has_interval:
        return None
    value, low, high = (rows[f"{shown.column}{end}"] for end in ("", "_low", "_high"))
    ends = {"symmetric": False, "array": high - value, "arrayminus": value - low}
    return {"type": "data", "thickness": 1, "width": 4, **ends}


def multiples(
    table: pd.DataFrame,
    cards: Sequence[Card],
    curves: Sequence[Curve],
    grids: Sequence[str],
    native: float,
    key: str,
    least: Mapping[str, float] | None = None,
) -> None:
    """Draw the curves side by side, as many per row as fit, each with a camera button that saves it as PNG.

    `least` has the target by column, where there is one.
    """
    with st.container(key=key):
        for shown in curves:
            figure = curve(table, cards, shown, grids, native, (least or {}).get(shown.column))
            _draw(shown, figure, f"{key}-{shown.column}", "cm/px")


def multiples_by_amount(
    table: pd.DataFrame, cards: Sequence[Card], curves: Sequence[Curve], labels: Sequence[str], unit: str, key: str
) -> None:
    """As `multiples`, against the amounts of a degradation; the other arguments are those of `curve_by_amount`."""
    with st.container(key=key):
        for shown in curves:
            figure = curve_by_amount(table, cards, shown, labels, unit)
            _draw(shown, figure, f"{key}-{shown.column}-{unit}", unit)


def _draw(shown: Curve, figure: go.Figure, key: str, against: str) -> None:
    with st.container(gap=None):
        dot = f'<i class="sn-dot" style="background:{shown.colour}"></i>' if shown.colour else ""
        st.html(f'<div class="sn-curve" title="{escape(shown.help)}">{dot}{escape(shown.title)}</div>')
        st.plotly_chart(
            figure,
            key=key,
            config={**CAMERA, "toImageButtonOptions": {"filename": f"sci-net {shown.title}", "scale": 2}},
            alt=f"{shown.title} against {against}",
        )


def _span(values: pd.Series, shown: Curve) -> list[float]:
    """The range of the axis: scores from a tenth below the lowest, shares and areas from 0, shares to at least 5 %."""
    if shown.top is not None:
        low = values.min() if values.notna().any() else 0.0
        return [max(0.0, math.floor(10 * low - 0.5) / 10), shown.top]
    high = values.max() if values.notna().any() else 0.0
    low = min(0.0, 1.08 * values.min()) if values.notna().any() else 0.0  # a drop may be a gain
    return [low, max(1.08 * high, 0.05 if "%" in shown.form else 1.0)]


def log_range(low: float, high: float) -> list[float]:
    """The range of a logarithmic axis."""
    return [math.log10(low), math.log10(high)]


def _ticks(form: str) -> str:
    return ".0%" if "%" in form else (".2f" if form == ".3f" else "~s")
