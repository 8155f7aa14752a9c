"""Tables in HTML: headings, rows, tips and colours."""

import doctest

from pages.app import html_table
from pages.app.html_table import HtmlTable


def test_the_example() -> None:
    result = doctest.testmod(html_table)
    assert result.attempted == 4 and result.failed == 0


def test_a_heading_without_columns_spans_the_table() -> None:
    table = HtmlTable("wide")
    table.head("Scores", "UNet", "Sci-Net")
    table.head("Buildings")
    table.row("Found", ["1", "2"])
    html = table.html()
    assert html.startswith('<table class="sn-table wide">')
    assert '<tr class="sn-head"><th colspan="3">Buildings</th></tr>' in html
    assert "<tr><th>Found</th><td>1</td><td>2</td></tr>" in html


def test_a_row_has_a_tip_a_colour_and_emphasis() -> None:
    table = HtmlTable()
    table.row("Found", ["1"], tip='"half" or more', colour="#009E73", is_emphasized=True)
    html = table.html()
    assert 'title="&quot;half&quot; or more"' in html and "background:#009E73" in html and "sn-differs" in html
