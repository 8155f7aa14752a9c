"""Scores against computing costs, and Figure 4 of the paper: the number of tiles at each native resolution."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.app import charts, drawing
from pages.views.benchmark import downloads
from pages.views.benchmark.curves import legend
from pages.views.benchmark.metrics import SCORE_TITLES
from pages.views.benchmark.selection import Selection
from scinet.evaluation.benchmark import native_gsd

AXES = {"gmacs_1024_px": "GMACs at 1024 px", "seconds_1024_px": "Seconds for 1024 px on a CPU"}
CITY_COLOURS = (drawing.BLUE, drawing.ORANGE, drawing.PURPLE, drawing.VERMILION, charts.GREY)


def show(chosen: Selection) -> None:
    """Draw the score at the resolution against multiply-adds and against time; bars are intervals over tiles."""
    costs = chosen.benchmark.costs
    if not costs:
        st.info("Run python -m training.costs to measure the time and multiply-adds of the models.")
        return
    rows = chosen.at_resolution.set_index("system")
    legend(chosen.models, "┃ ")
    with st.container(key="curves-cost"):
        for axis, title in AXES.items():
            figure = go.Figure()
            for model in chosen.models:
                cost = costs.get(model.architecture, {}).get(axis)
                if cost is None or model.name not in rows.index:
                    continue
                row = rows.loc[model.name]
                figure.add_scatter(
                    x=[cost],
                    y=[row["value"]],
                    mode="markers",
                    name=model.title,
                    marker={"symbol": model.symbol, "size": 11, "color": model.colour},
                    error_y={
                        "type": "data",
                        "symmetric": False,
                        "array": [row["high"] - row["value"]],
                        "arrayminus": [row["value"] - row["low"]],
                        "color": model.colour,
                        "thickness": 1,
                        "width": 3,
                    },
                    hovertemplate="%{y:.3f} at %{x:.4g}<extra>" + model.title + "</extra>",
                )
            figure.update_xaxes(title={"text": title, "standoff": 4}, title_font_size=12, rangemode="tozero")
            figure.update_yaxes(tickformat=".2f", nticks=6, title={"text": SCORE_TITLES[chosen.metric], "standoff": 6})
            figure.update_layout(height=420, margin={"l": 60, "r": 12, "t": 28, "b": 40}, showlegend=False)
            with st.container(gap=None):
                st.html(f'<div class="sn-curve">{SCORE_TITLES[chosen.metric]} against {title}</div>')
                st.plotly_chart(
                    figure,
                    key=f"cost-{axis}",
                    config=downloads.camera(f"score against {title}"),
                    alt=f"Score against {title}",
                )
    downloads.show(chosen, _with_costs(chosen), "cost", has_figure=True)


def _with_costs(chosen: Selection) -> pd.DataFrame:
    """The rows of the scores at the resolution, with the costs of each model's architecture."""
    rows = chosen.at_resolution
    architectures = {model.name: model.architecture for model in chosen.models}
    costs = pd.DataFrame([chosen.benchmark.costs.get(architectures[name], {}) for name in rows["system"]])
    return pd.concat([rows.reset_index(drop=True), costs], axis=1)


def figure_4(chosen: Selection) -> None:
    """Draw the test tiles by native resolution, stacked by city."""
    tiles = chosen.native.drop_duplicates("image")
    groups = tiles.groupby([native_gsd(tiles).rename("gsd"), "city"]).size().unstack(fill_value=0)
    figure = go.Figure()
    for colour, city in zip(CITY_COLOURS * 4, groups.columns, strict=False):
        figure.add_bar(
            x=[f"{gsd:g}" for gsd in groups.index],
            y=groups[city],
            name=str(city),
            marker={"color": colour},
            hovertemplate="%{y} tiles of %{x} cm/px<extra>" + str(city) + "</extra>",
        )
    figure.update_xaxes(title={"text": "native resolution, cm/px", "standoff": 4}, title_font_size=12, type="category")
    figure.update_yaxes(title={"text": "test tiles", "standoff": 4}, title_font_size=12)
    figure.update_layout(
        barmode="stack",
        height=280,
        margin={"l": 44, "r": 12, "t": 28, "b": 40},
        legend={"orientation": "h", "y": 1.12, "x": 0},
    )
    st.plotly_chart(figure, key="figure-4", config=charts.CAMERA, alt="Test tiles by native resolution and city")
