"""A grid of masks as one picture to download."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

CELL_PX = 320
_GAP_PX, _LINE_PX, _TEXT_PX, _DOT_PX = 12, 30, 19, 14
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_INK, _PAPER, _EMPTY = "#1B1F24", "#FFFFFF", "#E6E8EB"


@dataclass(frozen=True)
class FigureCell:
    """A picture, encoded, and the text under it; without a picture it is grey."""

    picture: bytes | None = None
    caption: str = ""


@dataclass
class MaskFigure:
    """A grid of cells with a heading over each column and the colours' meanings below.

    Attributes:
        headings: One per column.
        legend: The meaning of each colour, by colour as "#RRGGBB".
        credits: The attributions that the images' licences ask for.
        rows: Cells from left to right; each row has one per column.
    """

    headings: Sequence[str]
    legend: dict[str, str]
    credits: Sequence[str] = ()
    rows: list[list[FigureCell]] = field(default_factory=list)

    def png(self) -> bytes:
        """The figure as a PNG; its height follows the shapes of the pictures."""
        font = ImageFont.load_default(_TEXT_PX)
        rows = [[_decoded(cell) for cell in row] for row in self.rows]
        heights = [max((picture.height for picture in row if picture is not None), default=CELL_PX) for row in rows]
        step = CELL_PX + _GAP_PX
        size = (
            _GAP_PX + step * len(self.headings),
            2 * _GAP_PX + (2 + len(self.credits)) * _LINE_PX + sum(height + _LINE_PX + _GAP_PX for height in heights),
        )
        sheet = Image.new("RGB", size, _PAPER)
        draw = ImageDraw.Draw(sheet)
        for column, heading in enumerate(self.headings):
            _write(draw, font, (_GAP_PX + step * column, _GAP_PX), heading)
        top = _GAP_PX + _LINE_PX
        for cells, pictures, height in zip(self.rows, rows, heights, strict=True):
            for column, (cell, picture) in enumerate(zip(cells, pictures, strict=True)):
                left = _GAP_PX + step * column
                if picture is None:
                    draw.rectangle((left, top, left + CELL_PX - 1, top + height - 1), _EMPTY)
                else:
                    sheet.paste(picture, (left, top))
                _write(draw, font, (left, top + height + 4), cell.caption)
            top += height + _LINE_PX + _GAP_PX
        self._draw_legend(draw, font, top)
        for line, credit in enumerate(self.credits, start=1):
            draw.text((_GAP_PX, top + _LINE_PX * line), credit, _INK, font)
        content = BytesIO()
        sheet.save(content, "PNG", optimize=True)
        return content.getvalue()

    def _draw_legend(self, draw: ImageDraw.ImageDraw, font: Font, top: int) -> None:
        left = _GAP_PX
        for colour, meaning in self.legend.items():
            draw.rectangle((left, top + 4, left + _DOT_PX, top + 4 + _DOT_PX), colour)
            left += _DOT_PX + 6
            draw.text((left, top), meaning, _INK, font)
            left += round(draw.textlength(meaning, font)) + 2 * _GAP_PX


def _decoded(cell: FigureCell) -> Image.Image | None:
    """The picture of a cell, as wide as a cell."""
    if cell.picture is None:
        return None
    with Image.open(BytesIO(cell.picture)) as picture:
        height = max(1, round(picture.height * CELL_PX / picture.width))
        return picture.convert("RGB").resize((CELL_PX, height), Image.Resampling.LANCZOS)


def _write(draw: ImageDraw.ImageDraw, font: Font, place: tuple[int, int], text: str) -> None:
    """Write text within a cell's width, cut off with an ellipsis."""
    while draw.textlength(text, font) > CELL_PX and len(text) > 1:
        text = text.rstrip("…")[:-1].rstrip() + "…"
    draw.text(place, text, _INK, font)
