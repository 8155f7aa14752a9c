"""The numbers of a few models are columns, of many models rows."""

from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from markdown_it import MarkdownIt

from pages.views.explore import numbers
from pages.views.explore.blocks import Block, Line, show_blocks

TITLES = ["Sci-Net", "UNet", "UNet+ASPP", "PSPNet"]


@pytest.fixture
def shown_html(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is drawn."""
    drawn: list[str] = []
    monkeypatch.setattr(st, "html", drawn.append)
    return drawn


def draw(models: int) -> None:
    blocks = [
        Block("Scores", [Line("IoU", [f"0.{i}" for i in range(models)], "tip")]),
        Block("Buildings", [Line("Found", [str(i) for i in range(models)], colour="#009E73")]),
    ]
    show_blocks(blocks, TITLES[:models], "foot")


def test_three_models_are_columns_of_each_table(shown_html: list[str]) -> None:
    draw(3)
    assert shown_html[0].count("<table") == shown_html[0].count("<th>UNet</th>") == 2
    assert "IoU</th><td>0.0</td><td>0.1</td><td>0.2</td>" in shown_html[0]


def test_four_models_are_rows_of_a_table_per_block(shown_html: list[str]) -> None:
    draw(4)
    assert shown_html[0].count("<table") == 2 and 'title="tip"' in shown_html[0] and "#009E73" in shown_html[0]
    for i, title in enumerate(TITLES):
        assert f"<tr><th>{title}</th><td>0.{i}</td></tr>" in shown_html[0]
        assert f"<tr><th>{title}</th><td>{i}</td></tr>" in shown_html[0]


@pytest.mark.parametrize(
    "licence",
    [
        "![](http://host/pixel.png)",
        "[CC-BY](http://host) <https://host> **x** `x`",
        "one\n\n# two\n\n![x][y]\n\n[y]: http://host",
    ],
)
def test_a_licence_is_text_alone(licence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(st, "caption", drawn.append)
    monkeypatch.setattr(st, "info", lambda _: None)
    subject: Any = SimpleNamespace(credit=licence)
    numbers.show(subject, [], 10.0)
    _, paragraph, _ = MarkdownIt().parse(drawn[0])
    assert {child.type for child in paragraph.children or []} <= {"text", "text_special"}
    assert MarkdownIt().renderInline(drawn[0]).count("host") == licence.count("host")
