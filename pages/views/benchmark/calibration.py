"""Whether the models' probabilities are right: reliability at the resolution, and the calibration error by cm/px."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import plotly.graph_objects as go
import streamlit as st

from pages.app import page
from pages.app.charts import GREY, TICKS_CM_PER_PX
from pages.views.benchmark import downloads
from pages.views.benchmark.selection import Selection
from scinet.models.architectures import TITLES
from scinet.models.reliability import Reliability

CAPTION = (
    "Reliability: of the pixels with a probability of 0.7, 7 in 10 should be building; below the diagonal a model is "
    "too sure. The expected calibration error is the mean distance from the diagonal over all pixels. Lines in colour "
    "are each model on validation tiles of places that it knows; the dashed ones are places that were left out of "
    "training, where only the architecture that is named was trained. docs/training.md says how they were measured."
)


class Line(NamedTuple):
    """A model's curves by resolution, and how they are drawn."""

    title: str
    colour: str
    dash: str
    symbol: str
    curves: Sequence[Reliability]


def show(chosen: Selection) -> None:
    """Draw both charts, if the cards of the chosen models have what they show."""
    lines = list(lines_of(chosen))
    if not lines:
        return
    page.section("Calibration")
    left, right = st.columns(2, gap="medium")
    alt = f"Share of buildings against probability at {chosen.cm_per_px:.3g} cm/px"
    with left:
        st.plotly_chart(reliability(lines, chosen.cm_per_px), key="reliability", config=downloads.camera(alt), alt=alt)
    alt = "Expected calibration error against cm/px"
    with right:
        st.plotly_chart(errors(lines), key="calibration-error", config=downloads.camera(alt), alt=alt)
    st.caption(CAPTION)


def lines_of(chosen: Selection) -> Iterator[Line]:
    """Each model's own curves, then those of places that were left out, which models of one recipe share."""
    left_out: dict[tuple[Reliability, ...], str] = {}
    for model in chosen.models:
        calibration = model.cards[0].calibration if model.cards else None
        if calibration is None:
            continue
        if known := calibration.reliability.get("known"):
            yield Line(model.title, model.colour, model.dash, model.symbol, known)
        if unknown := calibration.reliability.get("unknown"):
            left_out[unknown] = calibration.measured_with
    for curves, architecture in left_out.items():
        title = f"{TITLES.get(architecture, architecture) or 'A model'} in places left out"
        yield Line(title, GREY, "dash", "circle-open", curves)


def reliability(lines: Sequence[Line], cm_per_px: float) -> go.Figure:
    """Share of buildings against probability, at the measured resolution nearest to the page's."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "width": 1}, showlegend=False)
    for line in lines:
        curve = min(line.curves, key=lambda each: abs(math.log(each.cm_per_px / cm_per_px)))
        probability, share, weight = zip(*curve.points, strict=True)
        figure.add_scatter(
            x=probability,
            y=share,
            customdata=weight,
            mode="lines+markers",
            name=escape(line.title),
            line={"color": line.colour, "width": 2, "dash": line.dash},
            marker={"symbol": line.symbol, "size": 7},
            hovertemplate=f"of probability %{{x:.2f}}, %{{y:.2f}} are building; %{{customdata:.1%}} of the pixels"
            f"<extra>{escape(line.title)}, {curve.cm_per_px:g} cm/px</extra>",
        )
    figure.update_xaxes(title={"text": "probability", "standoff": 4}, range=[0, 1], tickformat=".1f")
    figure.update_yaxes(title={"text": "share that is building", "standoff": 8}, range=[0, 1], tickformat=".1f")
    return _laid_out(figure)


def errors(lines: Sequence[Line]) -> go.Figure:
    """The expected calibration error against cm/px."""
    figure = go.Figure()
    for line in lines:
        figure.add_scatter(
            x=[curve.cm_per_px for curve in line.curves],
            y=[curve.error for curve in line.curves],
            mode="lines+markers",
            name=escape(line.title),
            line={"color": line.colour, "width": 2, "dash": line.dash},
            marker={"symbol": line.symbol, "size": 7},
            hovertemplate="%{y:.3f}",
        )
    figure.update_xaxes(
        type="log",
        tickvals=TICKS_CM_PER_PX,
        ticktext=[f"{tick}" for tick in TICKS_CM_PER_PX],
        title={"text": "cm/px", "standoff": 4},
    )
    figure.update_yaxes(title={"text": "calibration error", "standoff": 8}, rangemode="tozero", tickformat=".2f")
    return _laid_out(figure)


def _laid_out(figure: go.Figure) -> go.Figure:
    return figure.update_layout(
        height=380,
        margin={"l": 64, "r": 12, "t": 12, "b": 40},
        legend={"orientation": "h", "y": -0.18, "x": 0},
        hovermode="closest",
    )
