"""Tiles by models, like the paper's Figure 6: each mask with its errors in colour, and its score."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.app import drawing, runs
from pages.app.controls import PLACES_TITLES, STRATEGY_TITLES
from pages.app.markdown import sentence
from pages.app.measures import PIXEL_TITLES
from pages.app.runs import MaskSettings, Run, Task
from pages.app.state import cache
from pages.app.subject import Subject
from pages.views.benchmark.mask_figure import CELL_PX, FigureCell, MaskFigure
from scinet.errors import SciNetError
from scinet.evaluation import scores
from scinet.evaluation.benchmark import THRESHOLD
from scinet.evaluation.grading import step_title
from scinet.models.card import Card
from scinet.segmentation.strategies import Strategy

SETTINGS = MaskSettings(THRESHOLD)


class TileRow(NamedTuple):
    """A tile, the resolution at which models see it, and the part of Explore's address that leads to it."""

    subject: Subject
    cm_per_px: float
    address: dict[str, str]


def show(rows: Sequence[TileRow], cards: Sequence[Card], strategy: Strategy, key: str) -> None:
    """Draw one row per tile: the image, the reference and one mask per model; what has not run yet can be run.

    The grid can be downloaded as one picture.
    """
    tasks = {
        (i, card.name): Task(row.subject, card, row.cm_per_px, _plain(strategy, card))
        for i, row in enumerate(rows)
        for card in cards
    }
    found = {at: runs.cached_run(task, THRESHOLD) for at, task in tasks.items()}
    missing = [at for at, run in found.items() if run is None]
    if missing:
        found |= _offer_runs({at: tasks[at] for at in missing}, key)
    _legend()
    titles = ["Image", "Reference", *(card.title for card in cards)]
    legend = {colour: PIXEL_TITLES[kind] for kind, colour in drawing.PIXEL_COLOURS.items()}
    figure = MaskFigure(titles, legend, sorted({row.subject.credit for row in rows if row.subject.credit}))
    with st.container(key=f"masks-{key}"):
        heads = st.columns(2 + len(cards), gap="small", wrap=False)
        for column, title in zip(heads, titles, strict=True):
            column.html(f'<div class="sn-step"><b>{escape(title)}</b></div>')
        for i, row in enumerate(rows):
            columns = st.columns(2 + len(cards), gap="small", wrap=False)
            cells = _pictures(columns[0], columns[1], row)
            for column, card in zip(columns[2:], cards, strict=True):
                cells.append(_mask(column, row, card, found[i, card.name], strategy))
            figure.rows.append(cells)
    st.download_button(
        "Download as PNG", figure.png, f"sci-net_{key}.png", "image/png", key=f"figure-{key}", on_click="ignore"
    )


def _plain(strategy: Strategy, card: Card) -> Strategy:
    """The usual strategy where it makes no difference: its results on sample tiles are on board."""
    return strategy if card.scales else Strategy()


def _offer_runs(tasks: dict[tuple[int, str], Task], key: str) -> dict[tuple[int, str], Run | None]:
    """Draw the button that runs what is missing, and run it; whatever has run stays, also if the user moves on."""
    found: dict[tuple[int, str], Run | None] = dict.fromkeys(tasks)
    count = f"{len(tasks)} {'mask' if len(tasks) == 1 else 'masks'}"
    slot = st.empty()
    if not slot.button(f"Draw the missing {count}", key=f"draw-{key}", type="primary"):
        return found
    for number, (at, task) in enumerate(tasks.items()):

        def report(done: float, number: int = number, task: Task = task) -> None:
            slot.progress((number + done) / len(tasks), f"{sentence(task.text)}, {number + 1} of {len(tasks)}")

        try:
            found[at] = runs.run(task, report, THRESHOLD)
        except SciNetError as error:
            st.error(sentence(str(error)))
            return found
    slot.empty()
    return found


def _legend() -> None:
    parts = [
        f'<span><i class="sn-dot" style="background:{colour}"></i>{PIXEL_TITLES[kind]}</span>'
        for kind, colour in drawing.PIXEL_COLOURS.items()
    ]
    st.html(f'<div class="sn-legend">{"".join(parts)}</div>')


def _pictures(image: DeltaGenerator, reference: DeltaGenerator, row: TileRow) -> list[FigureCell]:
    raster = runs.working_raster(row.subject, row.cm_per_px)
    key = ("picture", row.subject.key, row.cm_per_px)
    picture = cache("sweep").get_or_make(key, lambda: drawing.image_picture(raster, CELL_PX, CELL_PX), len)
    image.image(picture, width="stretch", alt=f"{row.subject.title} at {row.cm_per_px:.3g} cm/px")
    caption = f"{row.subject.title}, {row.cm_per_px:.3g} cm/px"
    image.html(f'<div class="sn-step">{escape(caption)}</div>')
    mask = None
    if row.subject.truth is not None:
        buildings = runs.truth_on(row.subject, raster) > 0
        key = ("reference", row.subject.key, row.cm_per_px)
        mask = cache("sweep").get_or_make(
            key, lambda: drawing.overlay_picture(raster, buildings.astype(np.uint8), ["#FFFFFF"], 0.75, CELL_PX), len
        )
        reference.image(mask, width="stretch", alt=f"Reference buildings of {row.subject.title}")
    return [FigureCell(picture, caption), FigureCell(mask)]


def _mask(column: DeltaGenerator, row: TileRow, card: Card, run: Run | None, strategy: Strategy) -> FigureCell:
    if run is None:
        column.html('<div class="sn-awaited">not run yet</div>')
        return FigureCell(caption="not run yet")
    evaluation = runs.evaluate(run, SETTINGS).evaluation
    if evaluation.diagnosis is None:
        return FigureCell()
    diagnosis = evaluation.diagnosis
    score = scores.iou(diagnosis.counts)

    def make() -> bytes:
        classes = drawing.pixel_classes(diagnosis, evaluation.prediction)
        return drawing.overlay_picture(evaluation.raster, classes, list(drawing.PIXEL_COLOURS.values()), 0.6, CELL_PX)

    picture = cache("sweep").get_or_make(("pixels", *run.task.key, *SETTINGS), make, len)
    column.image(picture, width="stretch", alt=f"Mask of {card.title} on {row.subject.title}, IoU {score:.2f}")
    native = row.subject.raster.cm_per_px
    column.page_link(
        "pages/explore.py",
        label=f"IoU {score:.2f} →",
        help=sentence(f"Open {row.subject.title} with {card.title} in Explore"),
        width="stretch",
        query_params={
            **row.address,
            "gsd": step_title(row.cm_per_px, native),
            "strategy": STRATEGY_TITLES[strategy.name],
            "places": PLACES_TITLES[strategy.places],
            "models": [card.title],
            "left_pane": card.title,
            "right_pane": "Image",
        },
    )
    return FigureCell(picture, f"IoU {score:.2f}")
