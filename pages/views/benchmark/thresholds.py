"""The best threshold of each model at the resolution, with its precision and recall, beside the usual one."""

from collections.abc import Sequence
from html import escape
from math import isnan

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.app.html_table import DASH, HtmlTable
from pages.app.markdown import sentence
from pages.app.state import session
from pages.views.benchmark import calibration, downloads
from pages.views.benchmark.scored_models import ScoredModel
from pages.views.benchmark.selection import Selection, scored_by_all
from pages.views.benchmark.tables import WIDE
from scinet.evaluation.benchmark import THRESHOLD, read_threshold_rows, same_tiles
from scinet.evaluation.threshold_sums import (
    THRESHOLD_COLUMNS,
    best_threshold,
    has_threshold_sums,
    scores_by_threshold,
)

Scored = tuple[ScoredModel, pd.DataFrame]  # a model, and its rows
SCORES = {"iou": "IoU", "f1": "F1"}
COLUMNS = ["model", "image", "strategy", "native_cm_per_px", "cm_per_px", "true", *THRESHOLD_COLUMNS]
NO_SUMS = (
    "The rows of these models hold no sums at other thresholds: they were made before those were counted. Score the "
    "models again with python -m training.benchmark, or one of them on the tab My model."
)


def show(chosen: Selection) -> None:
    """Draw the table of best thresholds, the curves of precision and recall, and how right the probabilities are."""
    _show_thresholds(chosen)
    calibration.show(chosen)


def _show_thresholds(chosen: Selection) -> None:
    rows = rows_of(chosen)
    scored = [(model, rows[rows["model"] == model.trained_as]) for model in chosen.models]
    known = [(model, of_model) for model, of_model in scored if len(of_model)]
    if not known:
        st.info(NO_SUMS)
        return
    left, right = st.columns([5, 6], gap="medium")
    with left:
        table = _table(known, "f1" if chosen.metric.endswith("f1") else "iou")
        absent = [model.title for model, of_model in scored if of_model.empty]
        if absent:
            st.caption(f"Without sums at other thresholds: {sentence(', '.join(absent))}.")
    with right:
        _curves(known)
        downloads.show(chosen, table, "thresholds", has_figure=True)


def rows_of(chosen: Selection) -> pd.DataFrame:
    """The rows with sums at all thresholds of the chosen models, tiles and strategy, at the resolution."""
    own = [rows[rows["grid"] == "working"] for rows in session().own_tables.values() if has_threshold_sums(rows)]
    tables = [table[COLUMNS] for table in (_on_board(chosen.version.partition("|")[0]), *own) if len(table)]
    rows = pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS)
    names = {model.trained_as for model in chosen.models}
    rows = rows[rows["model"].isin(names) & rows["image"].isin(chosen.images) & (rows["strategy"] == chosen.strategy)]
    if rows.empty:
        return rows
    rows = same_tiles(scored_by_all(rows), chosen.benchmark.steps_cm_per_px)
    return rows[rows["cm_per_px"] == chosen.cm_per_px]


@st.cache_resource(max_entries=1, show_spinner="Reading the sums")
def _on_board(version: str) -> pd.DataFrame:
    """The rows of the benchmark that have sums; the version is that of its file."""
    rows = read_threshold_rows()
    return rows[COLUMNS] if has_threshold_sums(rows) else pd.DataFrame(columns=COLUMNS)


def _table(known: Sequence[Scored], score: str) -> pd.DataFrame:
    """Draw a row per model, the one that gains most first; returns the figures."""
    title = SCORES[score]
    shown, figures = HtmlTable(WIDE), []
    shown.head("", "Best threshold", f"{title} there", f"{title} at 0.5", "Gain, held out")
    found = [(model, rows, best_threshold(rows, score)) for model, rows in known]
    for model, rows, best in sorted(found, key=lambda each: -each[2].score):
        at_usual = scores_by_threshold(rows).set_index("threshold").loc[THRESHOLD, score]
        gain = best.held_out - best.usual
        cells = [
            f"<b>{best.threshold:g}</b>",
            f"{best.score:.3f}",
            f"{at_usual:.3f}",
            DASH if isnan(gain) else f"{gain:+.3f}",
        ]
        shown.row(f"{model.sign} {escape(model.title)}", cells)
        figures.append({"system": model.name, score: best.score, f"{score}_at_0.5": at_usual, **best._asdict()})
    shown.show(
        f"Micro-{title} of the chosen tiles, pooled, on the working grid. Held out: the threshold was chosen on one "
        "half of the tiles and used on the other, so this is what it is worth elsewhere."
    )
    return pd.DataFrame(figures)


def _curves(known: Sequence[Scored]) -> None:
    figure = go.Figure()
    for model, rows in known:
        table = scores_by_threshold(rows)
        figure.add_scatter(
            x=table["recall"],
            y=table["precision"],
            mode="lines+markers",
            name=escape(model.title),
            line={"color": model.colour, "width": 2, "dash": model.dash},
            marker={"symbol": model.symbol, "size": [12 if at == THRESHOLD else 5 for at in table["threshold"]]},
            customdata=table[["threshold", "f1", "iou"]].to_numpy(),
            hovertemplate="threshold %{customdata[0]:.2f}: precision %{y:.3f}, recall %{x:.3f}, "
            "F1 %{customdata[1]:.3f}, IoU %{customdata[2]:.3f}",
        )
    figure.update_xaxes(title={"text": "recall", "standoff": 4}, tickformat=".2f")
    figure.update_yaxes(title={"text": "precision", "standoff": 8}, tickformat=".2f")
    figure.update_layout(
        height=430,
        margin={"l": 64, "r": 12, "t": 30, "b": 40},
        legend={"orientation": "h", "y": -0.16, "x": 0},
        hovermode="closest",
    )
    alt = "Precision against recall over thresholds"
    st.plotly_chart(figure, key="precision-recall", config=downloads.camera(alt), alt=alt)
    st.caption("From the threshold 0.95 on the left to 0.05 on the right; the large marker is 0.5.")
