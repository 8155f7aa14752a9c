"""A score against cm/px: one line per model, of which one stands out."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.app import charts
from pages.app.state import RANKED_AT, SECTION, TILES_AT, TILES_BY, TILES_MODEL, session
from pages.views.benchmark.metrics import IOU, WRONG_AREA
from pages.views.benchmark.scored_models import ScoredModel
from scinet.evaluation.bootstrap import LEVEL

GREY_LINE = "#9AA5B1"


class Look(NamedTuple):
    """How the lines are drawn.

    Attributes:
        stands_out: The name of the model in colour; "" for all of them.
        is_difference: Whether the lines are differences from Sci-Net.
        has_intervals: Whether the intervals over tiles are drawn.
        height: In px.
        has_legend: Whether the chart has one.
    """

    stands_out: str = ""
    is_difference: bool = False
    has_intervals: bool = False
    height: int = 470
    has_legend: bool = True


class Line(NamedTuple):
    """A horizontal line with its label."""

    value: float
    text: str


def figure(
    table: pd.DataFrame,
    models: Sequence[ScoredModel],
    look: Look,
    title: str,
    lines: Sequence[Line] = (),
    cm_per_px: float | None = None,
) -> go.Figure:
    """The chart of the rows of `estimates` of one score.

    Args:
        table: The rows.
        models: Those to draw.
        look: How.
        title: Of the vertical axis.
        lines: Across the chart, such as the target.
        cm_per_px: The chosen resolution, marked by a vertical line.
    """
    drawn = [model for model in models if not (look.is_difference and model.name == "sci-net")]
    drawn.sort(key=lambda model: model.name == look.stands_out)  # the last one is on top
    chart = go.Figure()
    if look.has_intervals:
        for model in drawn:
            if look.stands_out in ("", model.name):
                chart.add_trace(_band(_of(table, model), model, look, len(drawn)))
    for model in drawn:
        chart.add_trace(_line(_of(table, model), model, look))
    for line in lines:
        note = {"text": line.text, "font": {"size": 11}, "xanchor": "right"}
        chart.add_hline(line.value, line={"color": charts.GREY, "dash": "dot", "width": 1.5}, annotation=note)
    if look.is_difference:
        chart.add_hline(
            0, line={"color": charts.GREY, "width": 1}, annotation={"text": "Sci-Net", "font": {"size": 11}}
        )
    if cm_per_px is not None:
        chart.add_vline(cm_per_px, line={"color": charts.GREY, "dash": "dash", "width": 1})
    _lay_out(chart, table, look, title, lines)
    return chart


def take(event: dict[str, Any], stands_out: str, metric: str) -> None:
    """Go to the tiles of the clicked point: of the model that stands out, if it is at that resolution."""
    points = [point["customdata"] for point in event["selection"]["points"] if point.get("customdata")]
    if points:
        name, cm_per_px, *_ = next((point for point in points if point[0] == stands_out), points[0])
        state = st.session_state
        state[SECTION], state[TILES_MODEL] = "Tiles", str(name)
        state[RANKED_AT] = state[TILES_AT] = float(cm_per_px)
        state[TILES_BY] = IOU if metric.startswith("macro") else WRONG_AREA
        session().tiles_shown = 0


def legend(models: Sequence[ScoredModel], interval: str, bar: str = "") -> None:
    """Draw the models' markers and names, and the signs of intervals.

    Args:
        models: The models.
        interval: The sign of an interval over tiles, as HTML; blank if there are none.
        bar: What a bar spans, as text; blank if there are none.
    """
    parts = [
        f"<span>{model.sign} <b>{escape(model.title)}</b>"
        + ("" if model.cards else " <small>not on board</small>")
        + (f" <small>{len(model.seeds)} seeds</small>" if len(model.seeds) > 1 else "")
        + "</span>"
        for model in models
    ]
    if interval:
        parts.append(f"<span>{interval}{LEVEL:.0%} interval over tiles</span>")
    if bar:
        parts.append(f"<span>┃ {bar}</span>")
    st.html(f'<div class="sn-legend">{"".join(parts)}</div>')


def _of(table: pd.DataFrame, model: ScoredModel) -> pd.DataFrame:
    return table[table["system"] == model.name].sort_values("cm_per_px")


def _columns(look: Look) -> tuple[str, str, str]:
    return ("change", "change_low", "change_high") if look.is_difference else ("value", "low", "high")


def _colour(model: ScoredModel, look: Look) -> str:
    return model.colour if look.stands_out in ("", model.name) else GREY_LINE


def _band(rows: pd.DataFrame, model: ScoredModel, look: Look, models: int) -> go.Scatter:
    _, low, high = _columns(look)
    gsds = rows["cm_per_px"].tolist()
    red, green, blue = bytes.fromhex(_colour(model, look)[1:])
    opacity = 0.16 if look.stands_out or models <= 3 else 0.06  # fainter where many bands overlap
    return go.Scatter(
        x=[*gsds, *reversed(gsds)],
        y=[*rows[high], *reversed(rows[low].tolist())],
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},{opacity})",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=model.name,
    )


def _line(rows: pd.DataFrame, model: ScoredModel, look: Look) -> go.Scatter:
    value, low, high = _columns(look)
    form = "+.3f" if look.is_difference else ".3f"
    is_prominent = look.stands_out == model.name
    has_interval = bool(rows[low].notna().any())
    return go.Scatter(
        x=rows["cm_per_px"],
        y=rows[value],
        mode="lines+markers",
        name=escape(model.title),
        legendgroup=model.name,
        line={"color": _colour(model, look), "width": 3.5 if is_prominent else 1.75, "dash": model.dash},
        marker={"symbol": model.symbol, "size": 10 if is_prominent else 8},
        error_y=_seed_bars(rows) if look.has_intervals and not look.is_difference and is_prominent else None,
        customdata=rows.assign(name=model.name)[["name", "cm_per_px", low, high]].to_numpy(),
        hovertemplate=f"%{{y:{form}}}" + (f" (%{{customdata[2]:{form}}} to %{{customdata[3]:{form}}})" * has_interval),
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _seed_bars(rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "visible": bool((rows["seeds"] > 1).any()),
        "thickness": 1.5,
        "width": 5,
        "array": rows["seed_high"] - rows["value"],
        "arrayminus": rows["value"] - rows["seed_low"],
    }


def _lay_out(chart: go.Figure, table: pd.DataFrame, look: Look, title: str, lines: Sequence[Line]) -> None:
    gsds = table["cm_per_px"]
    ends = (gsds.min() / 1.12, gsds.max() * 1.12) if len(gsds) else (5.0, 60.0)
    chart.update_xaxes(
        type="log",
        tickvals=sorted(gsds.unique()),
        ticktext=[f"{gsd:g}" for gsd in sorted(gsds.unique())],
        range=charts.log_range(*ends),
        showgrid=False,
        title={"text": "resolution, cm/px", "standoff": 4},
        title_font_size=12,
        unifiedhovertitle={"text": "<b>%{x:.3g} cm/px</b>"},
    )
    chart.update_yaxes(
        tickformat="+.2f" if look.is_difference else ".2f",
        nticks=7,
        range=_span(table, look, lines),
        title={"text": title, "standoff": 10},
        title_font_size=12,
    )
    chart.update_layout(  # space at the top, as the buttons there must not cover a point
        height=look.height,
        margin={"l": 64, "r": 12, "t": 30, "b": 40},
        showlegend=look.has_legend,
        legend={"orientation": "h", "y": -0.14, "x": 0, "font": {"size": 12}},
        hovermode="x unified",
        hoverlabel={"namelength": -1},
        dragmode=False,
        clickmode="event+select",
    )


def _span(table: pd.DataFrame, look: Look, lines: Sequence[Line]) -> list[float]:
    """From below the lowest value to above the highest, wide enough that equal scores look equal."""
    value, low, high = _columns(look)
    columns = [value, low, high] if look.has_intervals else [value]
    values = [table[columns].min().min(), table[columns].max().max(), *(line.value for line in lines)]
    if look.is_difference:
        values.append(0.0)
    least, most = min(values), max(values)
    room = max(0.06 * (most - least), 0.01)
    if look.is_difference:
        return [least - room, most + room]
    return [max(0.0, least - room) - 0.002, min(1.0, most + room) + 0.002]
