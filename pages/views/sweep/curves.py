"""Scores and error shares against the resolution."""

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
from scinet.evaluation.grading import Grid
from scinet.evaluation.parts import LARGE_M2, FigureName
from scinet.evaluation.smallest_found import FOUND_SHARE, LEAST_BUILDINGS
from scinet.evaluation.sweep_rows import OBJECT_COLUMNS
from scinet.evaluation.target import Target
from scinet.models.card import Card

GRID_CHOICES: dict[str, tuple[Grid, ...]] = {
    "Working": ("working",),
    "Native": ("native",),
    "Both": ("working", "native"),
}
SCORE_CURVES = tuple(Curve(name, *SCORE_TITLES[name], top=1.0) for name in ("iou", "f1"))
SHARE_CURVES = tuple(
    Curve(name, title, tip, ".1%", drawing.SHARE_COLOURS[name]) for name, (title, tip) in SHARE_TITLES.items()
)
TOUCHING = Curve(OBJECT_COLUMNS["merging_touching"], *TOUCHING_TITLE, ".1%", drawing.SHARE_COLOURS["merging"])
OBJECT_CURVES = tuple(Curve(OBJECT_COLUMNS[name], *titles, top=1.0) for name, titles in OBJECT_TITLES.items())
SIZE_CURVES = tuple(Curve(OBJECT_COLUMNS[name], *titles, top=1.0) for name, titles in SIZE_TITLES.items())
FOUND = Curve(
    "found_over_20_m2",
    f"Found of buildings over {LARGE_M2:g} m²",
    "share of these reference buildings that are found, or merged with buildings that they touch alone",
    top=1.0,
)
TARGET_CURVES: dict[FigureName, Curve] = {
    "iou": SCORE_CURVES[0],
    "f1": SCORE_CURVES[1],
    "object_f1": OBJECT_CURVES[0],
    "found_over_20_m2": FOUND,
}
SMALLEST = Curve(
    "smallest_found_m2",
    "Smallest building that is still found, m²",
    f"smallest area A of which {FOUND_SHARE:.0%} of the buildings from A to 2 A are found; "
    f"needs {LEAST_BUILDINGS} buildings of about one size",
    ",.0f",
)
ESTIMATED_HELP = (
    "what the model's own probabilities make likely, with the interval that held the score of 9 in 10 images of places "
    "where it was not trained"
)
PIXELS, BUILDINGS = "Pixels", "Buildings"
AGREEMENT = Curve(
    "agreement", "Agreement with native", "IoU with the model's own mask at the native resolution", top=1.0
)
ESTIMATED_CURVES: dict[FigureName, Curve] = {
    "iou": Curve("estimated_iou", "IoU, estimated", ESTIMATED_HELP, top=1.0, has_interval=True),
    "object_f1": Curve("estimated_object_f1", "Object F1, estimated", ESTIMATED_HELP, top=1.0, has_interval=True),
}
AREA = Curve("building_area_m2", "Building area, m²", "predicted building area", ",.0f")
COMPONENTS = Curve("components", "Components", "4-connected components of the mask", ",.0f")


def choose_counted_and_grid() -> tuple[str, tuple[Grid, ...]]:
    """Draw the widgets above the curves: what is counted, and on which grids."""
    left, right, _ = st.columns([2, 3, 3], vertical_alignment="bottom")
    counted = left.segmented_control(
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
    return counted or PIXELS, GRID_CHOICES[grid or "Working"]


def show_without_reference(table: pd.DataFrame, native: float, cards: tuple[Card, ...], target: Target) -> None:
    """Draw the curves of an image without reference buildings: of estimated scores, the agreement and areas."""
    charts.legend(cards, ("working",))
    estimated = tuple(curve for curve in ESTIMATED_CURVES.values() if curve.column in table)
    aimed_at = ESTIMATED_CURVES.get(target.figure)
    charts.multiples(
        table,
        cards,
        (*estimated, AGREEMENT, AREA, COMPONENTS),
        ("working",),
        native,
        key="curves-large",
        least={aimed_at.column: target.least} if aimed_at else {},
    )


def show_curves(
    table: pd.DataFrame, native: float, cards: tuple[Card, ...], counted: str, grids: tuple[Grid, ...], target: Target
) -> None:
    """Draw the curves of scores and shares, the one that the target speaks of with a line at its least value."""
    charts.legend(cards, grids)
    aimed_at = TARGET_CURVES[target.figure]
    least = {aimed_at.column: target.least}
    if counted == BUILDINGS:
        smallest = (SMALLEST,) if table[SMALLEST.column].notna().any() else ()
        large = (OBJECT_CURVES[0], *smallest)
        small = (*OBJECT_CURVES[1:], FOUND, *SIZE_CURVES)
    else:
        touching = (TOUCHING,) if table[TOUCHING.column].max() > 0 else ()
        smallest = (SMALLEST,)
        large, small = SCORE_CURVES, (*SHARE_CURVES, *touching)
    large = (aimed_at, *(curve for curve in large if curve != aimed_at))
    charts.multiples(table, cards, large, grids, native, key="curves-large", least=least)
    if not smallest:
        st.caption(
            f"The smallest building that is still found is not known: at no resolution are {FOUND_SHARE:.0%} of "
            f"at least {LEAST_BUILDINGS} buildings of about one size found."
        )
    small = tuple(curve for curve in small if curve != aimed_at)
    charts.multiples(table, cards, small, grids, native, key="curves-small")
