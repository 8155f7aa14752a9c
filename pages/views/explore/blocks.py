"""Quantities of all models under headings, as tables with a column or a row per model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from pages.app.html_table import HtmlTable, column_title, show_tables

MAX_COLUMNS = 3  # of more models, each has a row


@dataclass(frozen=True)
class Line:
    """One quantity of all models: a cell of HTML per model."""

    title: str
    cells: Sequence[str]
    tip: str = ""
    colour: str | None = None


@dataclass(frozen=True)
class Block:
    """Quantities under one heading."""

    title: str
    lines: list[Line] = field(default_factory=list)


def show_blocks(blocks: Sequence[Block], model_titles: Sequence[str], foot: str) -> None:
    """Draw a table for each block with a column per model, or of many models with a row per model."""
    titles = [escape(title) for title in model_titles]
    if len(titles) <= MAX_COLUMNS:
        columns = []
        for block in blocks:
            table = HtmlTable("sn-stacked" if len(titles) == MAX_COLUMNS else "")
            table.head(block.title, *titles)
            for line in block.lines:
                table.row(line.title, line.cells, tip=line.tip, colour=line.colour)
            columns.append(table)
        show_tables(columns, foot)
        return
    tables = []
    for block in blocks:
        table = HtmlTable("sn-stacked")
        table.head(block.title, *(column_title(line.title, line.tip, line.colour) for line in block.lines))
        for i, title in enumerate(titles):
            table.row(title, [line.cells[i] for line in block.lines])
        tables.append(table)
    show_tables(tables, foot)
