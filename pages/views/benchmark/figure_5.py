"""Figure 5 of the paper: four scores against cm/px, one line per model, with intervals and points to click."""

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.app import charts
from pages.app.state import session
from pages.views.benchmark.metrics import SCORE_HELP, family
from pages.views.benchmark.selection import ScoredModel, Selection
from scinet.evaluation import yardstick
from scinet.evaluation.bootstrap import LEVEL


def figure_5(chosen: Selection, table: pd.DataFrame, key: str) -> None:
    """Draw the panels of a table of `estimates`, of pixels or of objects; a click on a point lists its tiles below."""
    several = any(len(model.seeds) > 1 for model in chosen.models)
    legend(chosen.models, "<i class='sn-range'></i>", "lowest to highest seed" if several else "")
    with st.container(key="curves-large"):
        for metric, title in family(chosen.metric).items():
            with st.container(gap=None):
                st.html(f'<div class="sn-curve" title="{escape(SCORE_HELP[metric])}">{title}</div>')
                st.plotly_chart(
                    panel(table[table["metric"] == metric], chosen.models, chosen.published.get(metric)),
                    key=f"{key}-{metric}",
                    on_select=lambda metric=metric: take(st.session_state[f"{key}-{metric}"], metric),
                    selection_mode="points",
                    config={**charts.CAMERA, "toImageButtonOptions": {"filename": f"sci-net {title}", "scale": 2}},
                    alt=f"{title} against cm/px",
                )


def take(event: dict[str, Any], metric: str) -> None:
    """Remember the clicked point for the list of tiles."""
    points = event["selection"]["points"]
    if points and points[0].get("customdata"):
        name, cm_per_px, *_ = points[0]["customdata"]
        session().clicked_point = str(name), float(cm_per_px), metric


def legend(models: Sequence[ScoredModel], interval: str, bar: str = "") -> None:
    """Draw the models' markers and names, and the signs of intervals.

    Args:
        models: The models.
        interval: The sign of an interval over tiles, as HTML.
        bar: What a bar spans, as text; blank if there are none.
    """
    parts = [
        f"<span>{model.sign} <b>{escape(model.title)}</b>"
        + ("" if model.cards else " <small>not on board</small>")
        + (f" <small>{len(model.seeds)} seeds</small>" if len(model.seeds) > 1 else "")
        + "</span>"
        for model in models
    ]
    parts.append(f"<span>{interval}{LEVEL:.0%} interval over tiles</span>")
    if bar:
        parts.append(f"<span>┃ {bar}</span>")
    st.html(f'<div class="sn-legend">{"".join(parts)}</div>')


def panel(table: pd.DataFrame, models: Sequence[ScoredModel], published: float | None = None) -> go.Figure:
    """A score against cm/px: bands over tiles, bars over seeds where there are several, a published score as a line."""
    figure = go.Figure()
    for model in models:
        rows = table[table["system"] == model.name].sort_values("cm_per_px")
        gsds = rows["cm_per_px"].tolist()
        figure.add_scatter(
            x=[*gsds, *reversed(gsds)],
            y=[*rows["high"], *reversed(rows["low"].tolist())],
            fill="toself",
            fillcolor=_faint(model.colour, len(models)),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        )
    for model in models:
        rows = table[table["system"] == model.name].sort_values("cm_per_px")
        figure.add_scatter(
            x=rows["cm_per_px"],
            y=rows["value"],
            mode="lines+markers",
            name=model.title,
            line={"color": model.colour, "width": 2, "dash": model.dash},
            marker={"symbol": model.symbol, "size": 9},
            error_y=_bars(rows),
            customdata=rows.assign(name=model.name)[["name", "cm_per_px", "low", "high"]].to_numpy(),
            hovertemplate="%{y:.3f}"
            + (" (%{customdata[2]:.3f} to %{customdata[3]:.3f})" if rows["low"].notna().any() else "")
            + f"<extra>{escape(model.title)}</extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
        )
    if published is not None:
        figure.add_hline(
            published,
            line={"color": charts.GREY, "dash": "dot"},
            annotation={
                "text": f"published: {published:.3f}",
                "font": {"size": 11},
                "hovertext": yardstick.PUBLISHED_BY,
            },
        )
    gsds = table["cm_per_px"]
    low, high = (gsds.min() / 1.12, gsds.max() * 1.12) if len(gsds) else (5.0, 60.0)
    figure.update_xaxes(
        type="log",
        tickvals=charts.TICKS_CM_PER_PX,
        ticktext=[f"{v}" for v in charts.TICKS_CM_PER_PX],
        range=charts.log_range(low, high),
        showgrid=False,
        title={"text": "cm/px", "standoff": 2},
        title_font_size=11,
    )
    figure.update_yaxes(tickformat=".2f", nticks=6, range=_span(table, published))
    figure.update_layout(  # space at the top, as the buttons there must not cover a point
        height=310,
        margin={"l": 44, "r": 8, "t": 30, "b": 36},
        showlegend=False,
        hovermode="closest",
        hoverlabel={"namelength": -1},
        dragmode=False,
        clickmode="event+select",
    )
    return figure


def _span(table: pd.DataFrame, published: float | None = None) -> list[float]:
    """From below the lowest bound to above the highest, wide enough that equal scores look equal."""
    low, high = table[["low", "seed_low"]].min().min(), table[["high", "seed_high"]].max().max()
    if published is not None:
        low, high = min(low, published), max(high, published)
    room = max(0.06 * (high - low), 0.01)
    return [max(0.0, low - room) - 0.002, min(1.0, high + room) + 0.002]


def _bars(rows: pd.DataFrame) -> dict[str, Any]:
    several = bool((rows["seeds"] > 1).any())
    return {
        "type": "data",
        "symmetric": False,
        "visible": several,
        "thickness": 1.5,
        "width": 4,
        "array": rows["seed_high"] - rows["value"],
        "arrayminus": rows["value"] - rows["seed_low"],
    }


def _faint(colour: str, models: int) -> str:
    """The colour of a band: fainter if many bands overlap."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgba({red},{green},{blue},{0.16 if models <= 3 else 0.06})"
