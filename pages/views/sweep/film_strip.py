"""The film strip: columns by resolution; rows are the image, the reference and the models, each cell with its score."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from io import BytesIO

import streamlit as st
from PIL import Image, ImageDraw, ImageFont
from streamlit.delta_generator import DeltaGenerator

from pages.app import drawing
from pages.app.markdown import sentence
from pages.app.measures import KIND_HELP, KIND_TITLES
from pages.app.runs import MaskSettings, Run
from pages.app.subject import Subject
from pages.app.target import height_text
from pages.views.sweep import rows
from scinet.camera.camera import Camera
from scinet.evaluation.grading import step_title
from scinet.models.card import Card

Cells = Mapping[tuple[float, str], Run]  # by cm/px and the model's name
Caption = Callable[[Run], str]
TITLE_PX, CELL_PX, MARGIN_PX, LINE_PX = 150, 280, 10, 24  # on the sheet


def show(
    subject: Subject,
    cells: Cells,
    gsds: Sequence[float],
    cards: Sequence[Card],
    settings: MaskSettings,
    caption: Caption,
    camera: Camera | None,
) -> None:
    """Draw the strip, from fine to coarse; a cell's score links to the same image, model and resolution in Explore.

    Args:
        subject: The image.
        cells: The runs that are done.
        gsds: The resolutions in cm/px.
        cards: The models.
        settings: What makes masks of their probabilities.
        caption: The score of a cell.
        camera: Whose flying heights stand below the resolutions.
    """
    with st.container(key="strip"):
        for place, step in zip(row("", len(gsds)), gsds, strict=True):
            height = height_text(camera, step)
            below = " · ".join(filter(None, ("native" if step == subject.raster.cm_per_px else "", height)))
            place.html(f'<div class="sn-step"><b>{step:.3g}</b> cm/px<small>{below}</small></div>')
        for title, picture in rows.context_rows(subject).items():
            for place, step in zip(row(title, len(gsds)), gsds, strict=True):
                content = picture(step)
                if content is None:
                    place.html('<div class="sn-awaited">does not fit in memory</div>')
                else:
                    place.image(content, width="stretch", alt=f"{title} at {step:.3g} cm/px")
        for card in cards:
            for place, step in zip(
                row(card.title, len(gsds), drawing.model_colour(card.architecture)), gsds, strict=True
            ):
                _cell(place, cells.get((step, card.name)), cards, settings, caption)
    if subject.truth is not None and cells:
        st.html(legend("A score opens its mask in Explore."))


def legend(last: str) -> str:
    """What the colours mean, and a last sentence."""
    kinds = "".join(
        f'<span title="{escape(KIND_HELP[kind])}"><i class="sn-dot" style="background:{colour}"></i>'
        f"{KIND_TITLES[kind]}</span>"
        for kind, colour in drawing.KIND_COLOURS.items()
    )
    return f'<div class="sn-legend">{kinds}<span>{escape(last)}</span></div>'


def row(title: str, count: int, colour: str | None = None) -> list[DeltaGenerator]:
    """A row's places after its title."""
    head, *places = st.columns([1, *[1] * count], gap="small", wrap=False, vertical_alignment="center")
    dot = f'<i class="sn-dot" style="background:{colour}"></i>' if colour else ""
    head.html(f'<div class="sn-row">{dot}{escape(title)}</div>')
    return places


def _cell(
    place: DeltaGenerator, run: Run | None, cards: Sequence[Card], settings: MaskSettings, caption: Caption
) -> None:
    if run is None:
        place.html('<div class="sn-awaited">not run yet</div>')
        return
    place.image(rows.cell(run, settings), width="stretch", alt=f"{run.task.text}: {caption(run)}")
    # A link, as st.switch_page fails while widgets of the page are bound to the address
    place.page_link(
        "pages/explore.py",
        label=caption(run),
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
    subject: Subject,
    cells: Cells,
    gsds: Sequence[float],
    cards: Sequence[Card],
    settings: MaskSettings,
    caption: Caption,
) -> bytes:
    """The strip as one PNG on white, for a report; arguments as for `show`."""
    strip: list[tuple[str, list[tuple[bytes | None, str]]]] = [
        (title, [(picture(step), "") for step in gsds]) for title, picture in rows.context_rows(subject).items()
    ]
    for card in cards:
        found = [cells.get((step, card.name)) for step in gsds]
        strip.append((card.title, [(rows.cell(run, settings), caption(run)) if run else (None, "") for run in found]))
    pictures = [[_thumbnail(content) for content, _ in row] for _, row in strip]
    cell_height = max((each.height for row in pictures for each in row if each), default=CELL_PX)
    row_height = cell_height + LINE_PX + MARGIN_PX
    width = TITLE_PX + len(gsds) * (CELL_PX + MARGIN_PX)
    page = Image.new("RGB", (width, LINE_PX + 2 * MARGIN_PX + len(strip) * row_height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(17)
    for i, step in enumerate(gsds):
        pen.text((TITLE_PX + i * (CELL_PX + MARGIN_PX), MARGIN_PX), f"{step:.3g} cm/px", "black", font)
    for j, (title, row) in enumerate(strip):
        top = LINE_PX + 2 * MARGIN_PX + j * row_height
        pen.text((MARGIN_PX, top + cell_height // 2), title, "black", font)
        for i, (_, text) in enumerate(row):
            x = TITLE_PX + i * (CELL_PX + MARGIN_PX)
            if (picture := pictures[j][i]) is not None:
                page.paste(picture, (x, top))
            pen.text((x, top + cell_height + 2), text, "black", font)
    buffer = BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def _thumbnail(content: bytes | None) -> Image.Image | None:
    if content is None:
        return None
    picture = Image.open(BytesIO(content)).convert("RGB")
    picture.thumbnail((CELL_PX, CELL_PX))
    return picture
