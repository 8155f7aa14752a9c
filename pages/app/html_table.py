"""Tables in HTML: headings, rows with a help text and a colour, and a footnote, on a card."""

import re
from collections.abc import Sequence
from html import escape, unescape

import streamlit as st

DASH = "&ndash;"  # the cell of a value that is not known


class HtmlTable:
    """A table that is built row by row, then shown.

    Titles, cells and the footnote are HTML: escape what does not come from the program. A row's tip, which appears over
    its title, is plain text.

    Args:
        css_class: Added to the table's own class.

    Example:
        >>> table = HtmlTable()
        >>> table.head("Scores", "UNet")
        >>> table.row("IoU", ["0.75"], tip="intersection over union")
        >>> table.html().count("<tr")
        2
    """

    def __init__(self, css_class: str = "") -> None:
        self._css_class = f"sn-table {css_class}".strip()
        self._rows: list[tuple[str, str, str, list[str]]] = []  # class, attributes and content of the <th>, cells

    def head(self, title: str, *columns: str) -> None:
        """Add a heading: with the columns' titles, or on its own across the whole table."""
        self._rows.append(("sn-head", "", title, [f"<th>{column}</th>" for column in columns]))

    def row(
        self,
        title: str,
        cells: Sequence[str],
        *,
        tip: str = "",
        colour: str | None = None,
        is_emphasized: bool = False,
    ) -> None:
        """Add a row of cells, one per column; `colour` gives its title a dot."""
        attributes = f' title="{escape(tip)}"' if tip else ""
        css_class = "sn-differs" if is_emphasized else ""
        self._rows.append((css_class, attributes, _dot(colour) + title, [f"<td>{cell}</td>" for cell in cells]))

    @property
    def name(self) -> str:
        """The title of its first heading or row, as plain text."""
        return unescape(re.sub("<[^>]*>", "", self._rows[0][2])) if self._rows else ""

    def html(self) -> str:
        """The <table> element."""
        width = 1 + max((len(cells) for *_, cells in self._rows), default=0)
        lines = []
        for css_class, attributes, title, cells in self._rows:
            of_class = f' class="{css_class}"' if css_class else ""
            across = "" if cells else f' colspan="{width}"'
            lines.append(f"<tr{of_class}><th{attributes}{across}>{title}</th>{''.join(cells)}</tr>")
        return f'<table class="{self._css_class}">{"".join(lines)}</table>'

    def show(self, foot: str = "") -> None:
        """Draw the table on a card, with a footnote."""
        show_tables([self], foot)


def column_title(title: str, tip: str = "", colour: str | None = None) -> str:
    """A column's title for `HtmlTable.head`, with a help text and a dot in its colour."""
    return f'<span title="{escape(tip)}">{_dot(colour)}{title}</span>'


def show_tables(tables: Sequence[HtmlTable], foot: str = "") -> None:
    """Draw tables on one card, next to one another where there is room, with a footnote."""
    inside = "".join(  # a focus, so that the arrow keys scroll it
        f'<div class="sn-scroll" tabindex="0" role="group" aria-label="{escape(table.name)}">{table.html()}</div>'
        for table in tables
    )
    st.html(f'<div class="sn-card"><div class="sn-tables">{inside}</div><p class="sn-foot">{foot}</p></div>')


def _dot(colour: str | None) -> str:
    return f'<i class="sn-dot" style="background:{colour}"></i>' if colour else ""
