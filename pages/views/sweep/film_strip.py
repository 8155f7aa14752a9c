"""The film strip: rows by resolution, columns by model, each cell a picture with its score."""

from collections.abc import Callable, Sequence
from io import BytesIO

import streamlit as st
from PIL import Image, ImageDraw, ImageFont

from pages.app.markdown import sentence
from pages.app.runs import MaskSettings, Run
from pages.views.sweep import rows
from scinet.evaluation.grading import step_title
from scinet.models.card import Card

Cells = dict[tuple[float, str], Run]  # by cm/px and the model's name
SHEET_PX, MARGIN_PX, LINE_PX = 360, 12, 26


def show(
    cells: Cells, gsds: Sequence[float], cards: Sequence[Card], settings: MaskSettings, caption: Callable[[Run], str]
) -> None:
    """Draw the strip; a cell's score links to the same image, model and resolution in Explore."""
    with st.container(key="strip"):
        for cm_per_px in gsds:
            columns = st.columns([1, *[4] * len(cards)], gap="small", wrap=False, vertical_alignment="center")
            columns[0].html(f'<div class="sn-step"><b>{cm_per_px:.3g}</b><br>cm/px</div>')
            for column, card in zip(columns[1:], cards, strict=True):
                run = cells.get((cm_per_px, card.name))
                if run is None:
                    column.html('<div class="sn-awaited">not run yet</div>')
                    continue
                column.image(rows.cell(run, settings), width="stretch", alt=f"{run.task.text}: {caption(run)}")
                # A link, as st.switch_page fails while widgets of the page are bound to the address
                column.page_link(
                    "pages/explore.py",
                    label=f"{sentence(card.title)} · {caption(run)} →",
                    help=f"Open {sentence(run.task.text)} in Explore",
                    query_params=_address(run, cards),
                    width="stretch",
                )


def _address(run: Run, cards: Sequence[Card]) -> dict[str, str]:
    """The part of Explore's address that the session does not keep: resolution and sides of the map."""
    native = run.task.subject.raster.cm_per_px
    other = next((card.title for card in cards if card.name != run.task.card.name), "Image")
    return {
        "gsd": step_title(run.task.cm_per_px, native),
        "left_pane": run.task.card.title,
        "right_pane": other,
    }


def sheet(
    cells: Cells, gsds: Sequence[float], cards: Sequence[Card], settings: MaskSettings, caption: Callable[[Run], str]
) -> bytes:
    """The strip as one PNG on white, for a report."""
    pictures = {key: Image.open(BytesIO(rows.cell(run, settings))).convert("RGB") for key, run in cells.items()}
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
