"""The film strip: rows by resolution, columns by model, each cell a picture with its score."""

from collections.abc import Callable, Sequence
from io import BytesIO

import streamlit as st
from PIL import Image, ImageDraw, ImageFont

from pages.explorer import steps
from pages.explorer.runs import Run
from scinet.checkpoint import Card

Cells = dict[tuple[float, str], Run]  # by cm/px and the checkpoint's name
SHEET_PX, MARGIN_PX, LINE_PX = 360, 12, 26


def show(
    cells: Cells, gsds: Sequence[float], cards: Sequence[Card], threshold: float, caption: Callable[[Run], str]
) -> Run | None:
    """The strip; returns the run whose button was clicked."""
    clicked = None
    with st.container(key="strip"):
        for cm_per_px in gsds:
            columns = st.columns([1, *[4] * len(cards)], gap="small", wrap=False, vertical_alignment="center")
            columns[0].html(f'<div class="sn-step"><b>{cm_per_px:.3g}</b><br>cm/px</div>')
            for column, card in zip(columns[1:], cards, strict=True):
                run = cells.get((cm_per_px, card.name))
                if run is None:
                    column.html('<div class="sn-awaited">not run yet</div>')
                    continue
                column.image(steps.cell(run, threshold), width="stretch", alt=f"{run.task.text}: {caption(run)}")
                pressed = column.button(
                    f"{card.title} · {caption(run)}",
                    key=f"open-{cm_per_px:.4g}-{card.name}",
                    help=f"Open {run.task.text} in Explore",
                    width="stretch",
                )
                clicked = run if pressed else clicked
    return clicked


def sheet(
    cells: Cells, gsds: Sequence[float], cards: Sequence[Card], threshold: float, caption: Callable[[Run], str]
) -> bytes:
    """The strip as one PNG on white, for a report."""
    pictures = {key: Image.open(BytesIO(steps.cell(run, threshold))).convert("RGB") for key, run in cells.items()}
    for picture in pictures.values():
        picture.thumbnail((SHEET_PX, SHEET_PX))
    cell_height = max((picture.height for picture in pictures.values()), default=SHEET_PX)
    left = 110
    width = left + len(cards) * (SHEET_PX + MARGIN_PX) + MARGIN_PX
    row = cell_height + LINE_PX + MARGIN_PX
    page = Image.new("RGB", (width, LINE_PX + 2 * MARGIN_PX + len(gsds) * row), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(17)
    for i, card in enumerate(cards):
        pen.text((left + i * (SHEET_PX + MARGIN_PX), MARGIN_PX), card.title, "black", font)
    for j, cm_per_px in enumerate(gsds):
        top = LINE_PX + 2 * MARGIN_PX + j * row
        pen.text((MARGIN_PX, top + cell_height // 2), f"{cm_per_px:.3g} cm/px", "black", font)
        for i, card in enumerate(cards):
            run = cells.get((cm_per_px, card.name))
            if run is None:
                continue
            x = left + i * (SHEET_PX + MARGIN_PX)
            page.paste(pictures[cm_per_px, card.name], (x, top))
            pen.text((x, top + cell_height + 2), caption(run), "black", font)
    buffer = BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()
