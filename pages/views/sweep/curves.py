"""Scores and error shares against the resolution, and how far each model holds."""

from html import escape

import pandas as pd
import streamlit as st

from pages.app import charts, drawing
from pages.app.charts import Curve
from pages.app.measures import (
    GRID_HELP,
    OBJECT_TITLES,
    SCORE_TITLES,
    SHARE_TITLES,
    SIZE_TITLES,
    TOUCHING_TITLE,
)
from pages.app.subject import Subject
from scinet.evaluation.grading import HOLDS_SHARE
from scinet.evaluation.smallest_found import FOUND_SHARE, LEAST_BUILDINGS
from scinet.evaluation.sweep import OBJECT_COLUMNS, resolutions_held
from scinet.models.card import Card

GRID_CHOICES = {"Working": ("working",), "Native": ("native",), "Both": ("working", "native")}
SCORE_CURVES = tuple(Curve(name, *SCORE_TITLES[name], top=1.0) for name in ("iou", "f1"))
SHARE_CURVES = tuple(
    Curve(name, title, tip, ".1%", drawing.SHARE_COLOURS[name]) for name, (title, tip) in SHARE_TITLES.items()
)
TOUCHING = Curve(OBJECT_COLUMNS["merging_touching"], *TOUCHING_TITLE, ".1%", drawing.SHARE_COLOURS["merging"])
OBJECT_CURVES = tuple(Curve(OBJECT_COLUMNS[name], *titles, top=1.0) for name, titles in OBJECT_TITLES.items())
SIZE_CURVES = tuple(Curve(OBJECT_COLUMNS[name], *titles, top=1.0) for name, titles in SIZE_TITLES.items())
SMALLEST = Curve(
    "smallest_found_m2",
    "Smallest building that is still found, m²",
    f"smallest area A of which {FOUND_SHARE:.0%} of the buildings from A to 2 A are found; "
    f"needs {LEAST_BUILDINGS} buildings of about one size",
    ",.0f",
)
PIXELS, BUILDINGS = "Pixels", "Buildings"
AGREEMENT = Curve(
    "agreement", "Agreement with native", "IoU with the model's own mask at the native resolution", top=1.0
)
AREA = Curve("building_area_m2", "Building area, m²", "predicted building area", ",.0f")
COMPONENTS = Curve("components", "Components", "4-connected components of the mask", ",.0f")


def show_limits(table: pd.DataFrame, cards: tuple[Card, ...], native: float) -> None:
    """Draw how far each model holds, in one line per model."""
    held_at = resolutions_held(table.to_dict("records"), native)
    column, title = ("agreement", "agreement") if table["iou"].isna().all() else ("iou", "IoU")
    lines = []
    for card in cards:
        rows = table[(table["model"] == card.title) & (table["grid"] == "working")]
        scores = dict(zip(rows["cm_per_px"], rows[column], strict=True))
        held = held_at.get(card.title)
        if held is None or len(scores) < 2:
            continue
        coarsest = max(scores)
        reach = f"all the way to {held:.3g}" if held == coarsest else f"to {held:.3g}"
        steps = dict.fromkeys((native, held, coarsest))
        text = ", ".join(f"{scores[step]:.2f} at {step:.3g}" for step in steps)
        lines.append(
            f'<div class="sn-verdict" style="border-color:{drawing.model_colour(card.architecture)}">'
            f"<b>{escape(card.title)}</b> holds {reach} cm/px<small>{title} {text} cm/px</small></div>"
        )
    if lines:
        st.html(
            f'<div class="sn-verdicts">{"".join(lines)}</div>'
            f'<p class="sn-foot">A model holds as long as it keeps {HOLDS_SHARE:.0%} of its {title} at the native '
            "resolution at every step.</p>"
        )


def show_curves(table: pd.DataFrame, subject: Subject, cards: tuple[Card, ...]) -> None:
    """Draw the curves: of scores and shares, or of the agreement and areas if there is no reference."""
    native = subject.raster.cm_per_px
    if subject.truth is None:
        charts.legend(cards, ("working",))
        charts.multiples(table, cards, (AGREEMENT, AREA, COMPONENTS), ("working",), native, key="curves-large")
        return
    left, middle, right = st.columns([3, 1, 2], vertical_alignment="bottom")
    counted = middle.segmented_control(
        "Scores of",
        [PIXELS, BUILDINGS],
        default=PIXELS,
        key="counted",
        bind="query-params",
        required=True,
        width="stretch",
        help="Pixels: the paper's scores and error shares. Buildings: how many are found, by size.",
    )
    grid = right.segmented_control(
        "Grid",
        list(GRID_CHOICES),
        default="Working",
        key="grid",
        bind="query-params",
        required=True,
        width="stretch",
        help=GRID_HELP,
    )
    grids = GRID_CHOICES[grid or "Working"]
    with left:
        charts.legend(cards, grids)
    if counted == BUILDINGS:
        smallest = (SMALLEST,) if table[SMALLEST.column].notna().any() else ()
        charts.multiples(table, cards, (OBJECT_CURVES[0], *smallest), grids, native, key="curves-large")
        if not smallest:
            st.caption(
                f"The smallest building that is still found is not known: at no resolution are {FOUND_SHARE:.0%} of "
                f"at least {LEAST_BUILDINGS} buildings of about one size found."
            )
        charts.multiples(table, cards, (*OBJECT_CURVES[1:], *SIZE_CURVES), grids, native, key="curves-small")
        return
    touching = (TOUCHING,) if table[TOUCHING.column].max() > 0 else ()
    charts.multiples(table, cards, SCORE_CURVES, grids, native, key="curves-large")
    charts.multiples(table, cards, (*SHARE_CURVES, *touching), grids, native, key="curves-small")
