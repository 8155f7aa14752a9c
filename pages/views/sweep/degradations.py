"""A sweep of what else a sensor or a program does to an image, at one resolution: pictures, curves and drops."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan

import numpy as np
import pandas as pd
import streamlit as st

from pages.app import charts, drawing, runs
from pages.app.charts import Curve
from pages.app.measures import OBJECT_TITLES, SCORE_TITLES
from pages.app.runs import MaskSettings, Run, Task
from pages.app.state import cache
from pages.app.subject import Subject
from pages.views.sweep import film_strip, rows
from scinet.errors import SciNetError
from scinet.evaluation.degradation_sweep import rows_of
from scinet.evaluation.grading import step_title, steps_around
from scinet.evaluation.sweep_rows import OBJECT_COLUMNS, SweepPoint
from scinet.models.card import Card
from scinet.raster.degrade import AMOUNTS, UNITS, Amount, Degradation, DegradationName
from scinet.segmentation.strategies import Strategy

TITLES: dict[DegradationName, str] = {"blur": "Blur", "noise": "Noise", "jpeg": "JPEG", "kernel": "Kernel"}
OVER_RESOLUTION = "Resolution"
OVER_HELP = (
    "Resolution: the image at many resolutions. Blur, noise and JPEG: at one resolution, what a worse sensor does. "
    "Kernel: how the image was made coarser: by area means, as a sensor does, or as other programs do."
)
INTRODUCTION = (
    "Each model sees the image at one resolution, worse from column to column. You get its masks, the curves of its "
    "scores and by how much they drop."
)
SCORES = (
    Curve("iou", *SCORE_TITLES["iou"], top=1.0),
    Curve("f1", *SCORE_TITLES["f1"], top=1.0),
    Curve(OBJECT_COLUMNS["f1"], *OBJECT_TITLES["f1"], top=1.0),
)
_DROP = "(as it is - degraded) / as it is"
DROPS = (
    Curve("drop_iou", "Relative drop of IoU", _DROP, ".0%"),
    Curve("drop_f1", "Relative drop of F1", _DROP, ".0%"),
    Curve("drop_object_f1", "Relative drop of object F1", _DROP, ".0%"),
)
RECALL = Curve("recall", *SCORE_TITLES["recall"], top=1.0)
AREA = Curve("building_area_m2", "Building area, m²", "predicted building area", ",.0f")
_POINT_BYTES = 5000  # about


def choose(native_cm_per_px: float) -> tuple[DegradationName | None, float]:
    """Draw the widgets: what is swept, None for the resolution; and at which resolution anything else is."""
    by_title = {title: name for name, title in TITLES.items()}
    chosen = st.selectbox("Sweep over", [OVER_RESOLUTION, *by_title], key="over", bind="query-params", help=OVER_HELP)
    name = by_title.get(chosen or OVER_RESOLUTION)
    if name is None:
        return None, native_cm_per_px
    steps = [step for step in steps_around(native_cm_per_px) if step >= native_cm_per_px]
    steps = steps[1:] if name == "kernel" else steps  # at its own resolution the image is not resampled
    at = st.selectbox(
        "At",
        steps,
        key=f"over_at_{'coarser' if name == 'kernel' else 'any'}",
        format_func=lambda step: step_title(step, native_cm_per_px),
        help="The resolution at which the models see the image.",
    )
    return name, float(at)


def tasks(
    subject: Subject, name: DegradationName, cm_per_px: float, cards: Sequence[Card], strategy: Strategy
) -> list[Task]:
    """What there is to run, the image as it is first."""
    return [
        Task(subject, card, cm_per_px, strategy, Degradation(name, amount))
        for amount in AMOUNTS[name]
        for card in cards
    ]


def show(
    subject: Subject, name: DegradationName, of_all: Sequence[Task], known: Sequence[Run], mask: MaskSettings
) -> None:
    """Draw what is known: pictures and masks, the curves of scores and of their drops, and the table to download.

    Args:
        subject: The image.
        name: What is degraded.
        of_all: What there is to run.
        known: What has run.
        mask: What makes masks of probabilities.
    """
    cards = list({task.card.name: task.card for task in of_all}.values())
    cells = {(run.task.degradation.amount, run.task.card.name): run for run in known if run.task.degradation}
    points = [(amount, _point(run, mask)) for (amount, _), run in cells.items()]
    table = pd.DataFrame(rows_of(name, points))
    captions = {(row["amount"], row["model"]): _caption(row) for row in table.to_dict("records")}
    _strip(name, of_all, cards, cells, mask, captions)
    if table.empty:
        return
    st.download_button(
        "Table as CSV",
        lambda: table.to_csv(index=False),
        f"{name}-{subject.key[:12]}.csv",
        "text/csv",
        on_click="ignore",
        help="All scores, shares and drops, one row per model and amount",
    )
    charts.legend(cards, ())
    labels = [_label(amount) for amount in AMOUNTS[name]]
    table["amount"] = table["amount"].map(_label)
    if subject.truth is None:
        charts.multiples_by_amount(table, cards, (AREA,), labels, UNITS[name], key="curves-large")
    elif subject.truth.is_partial:
        charts.multiples_by_amount(table, cards, (RECALL,), labels, UNITS[name], key="curves-large")
    else:
        charts.multiples_by_amount(table, cards, (*SCORES, *DROPS), labels, UNITS[name], key="curves-large")


def _strip(
    name: DegradationName,
    of_all: Sequence[Task],
    cards: Sequence[Card],
    cells: Mapping[tuple[Amount, str], Run],
    mask: MaskSettings,
    captions: Mapping[tuple[Amount, str], str],
) -> None:
    """Columns by amount; rows are the image and the models."""
    amounts = AMOUNTS[name]
    of_first = {task.degradation.amount: task for task in reversed(of_all) if task.degradation}
    with st.container(key="strip"):
        for place, amount in zip(film_strip.row("", len(amounts)), amounts, strict=True):
            below = "as it is" if amount == amounts[0] else ""
            place.html(f'<div class="sn-step">{TITLES[name]} <b>{_label(amount)}</b><small>{below}</small></div>')
        for place, amount in zip(film_strip.row("Image", len(amounts)), amounts, strict=True):
            try:
                place.image(_picture(of_first[amount]), width="stretch", alt=f"Image, {TITLES[name]} {_label(amount)}")
            except SciNetError as error:
                place.html(f'<div class="sn-awaited">{escape(str(error))}</div>')
        for card in cards:
            colour = drawing.model_colour(card.architecture)
            for place, amount in zip(film_strip.row(card.title, len(amounts), colour), amounts, strict=True):
                run = cells.get((amount, card.name))
                if run is None:
                    place.html('<div class="sn-awaited">not run yet</div>')
                else:
                    caption = captions[amount, card.title]
                    place.image(rows.cell(run, mask), caption, width="stretch", alt=f"{run.task.text}: {caption}")
    if cells and next(iter(cells.values())).task.subject.truth is not None:
        st.html(film_strip.legend("Captions: the score, and by how much it differs from the image as it is."))


def _picture(task: Task) -> bytes:
    def make() -> bytes:
        raster = runs.seen_raster(task)
        return drawing.overlay_picture(raster, np.zeros(raster.shape, np.uint8), [], side_px=rows.CELL_PX)

    key = ("degraded", task.subject.key, task.cm_per_px, task.degradation)
    return cache("sweep").get_or_make(key, make, len)


def _point(run: Run, mask: MaskSettings) -> SweepPoint:
    def make() -> SweepPoint:
        task, found = run.task, runs.evaluate(run, mask).evaluation
        is_partial = task.subject.truth is not None and task.subject.truth.is_partial
        return SweepPoint.of(
            task.card.title, task.cm_per_px, {"working": found, "native": found}, is_partial=is_partial
        )

    return cache("sweep").get_or_make(("point", *run.task.scored_key, *mask), make, lambda _: _POINT_BYTES)


def _caption(row: Mapping[str, float]) -> str:
    """A score with its change, such as "IoU 0.71 (-12 %)"; the area without a reference."""
    if isnan(row["iou"]):
        return f"{row['building_area_m2']:,.0f} m²" if isnan(row["recall"]) else f"Recall {row['recall']:.3f}"
    percent = 0 if isnan(row["drop_iou"]) else round(-100 * row["drop_iou"])
    return f"IoU {row['iou']:.3f}" + (f" ({percent:+d} %)" if percent else "")


def _label(amount: Amount) -> str:
    return amount.capitalize() if isinstance(amount, str) else f"{amount:g}"
