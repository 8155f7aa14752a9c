"""Validation score and loss per epoch of a training, from the table next to a model's weights."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.app import charts, drawing
from scinet.models.card import Card, checkpoints_folder

PANELS = {"micro_iou": "Micro-IoU on validation tiles", "loss": "Loss"}


def read_curve(card: Card) -> pd.DataFrame | None:
    """The columns epoch, loss and micro_iou of a model's training; None if there is no `<name>.csv` with them."""
    path = checkpoints_folder() / f"{card.name}.csv"
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError):
        return None
    return table if {"epoch", *PANELS} <= set(table.columns) and len(table) else None


def show(cards: Sequence[Card]) -> None:
    """Draw the curves of the models that have one."""
    tables = {card.title: (card, table) for card in cards if (table := read_curve(card)) is not None}
    if not tables:
        st.caption(
            "There is no training curve: copy the training's metrics.csv to <name>.csv next to the weights to show it."
        )
        return
    with st.container(key="curves-cost"):
        for column, title in PANELS.items():
            figure = go.Figure()
            for i, (name, (card, table)) in enumerate(tables.items()):
                figure.add_scatter(
                    x=table["epoch"],
                    y=table[column],
                    mode="lines+markers",
                    name=name,
                    line={"color": drawing.model_colour(card.architecture), "dash": "solid" if i == 0 else "dash"},
                    marker={"symbol": list(charts.MARKERS)[i], "size": 8},
                    hovertemplate="%{y:.4f}<extra>" + name + "</extra>",
                )
            epochs = max(int(table["epoch"].max()) for _, table in tables.values())
            figure.update_xaxes(title={"text": "epoch", "standoff": 2}, title_font_size=11, dtick=-(-epochs // 12))
            figure.update_yaxes(nticks=6)
            figure.update_layout(
                height=240,
                margin={"l": 48, "r": 8, "t": 8, "b": 36},
                hovermode="x unified",
                showlegend=len(tables) > 1,
                legend={"orientation": "h", "y": 1.15},
            )
            with st.container(gap=None):
                st.html(f'<div class="sn-curve">{title}</div>')
                st.plotly_chart(figure, key=f"training-{column}", config=charts.CAMERA, alt=f"{title} per epoch")
