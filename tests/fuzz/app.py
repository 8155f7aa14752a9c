"""A damaged link, opened in the app."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import streamlit.testing.v1 as streamlit_testing

from tests.fuzz.seeds import SEEDS

PROJECT = Path(__file__).parents[2]


def open_link(content: bytes, folder: Path, check: Callable[[str, Path], None]) -> None:
    """Open the app with a query string: no exception, and errors that are sentences."""
    data, cards = folder / "data", folder / "cards"
    data.mkdir()
    cards.mkdir()
    (data / "index.csv").write_bytes(SEEDS["index.csv"]()[0])
    for name in ("east.png", "east_mask.png", "west.png"):
        (data / name).write_bytes(SEEDS["png"]()[0])
    os.environ |= {"SCINET_DATA": str(data), "SCINET_CHECKPOINTS": str(cards), "SCINET_CACHE": str(folder / "cache")}
    app = streamlit_testing.AppTest.from_file(str(PROJECT / "app.py"), default_timeout=240)
    for name, value in parse_qsl(content.decode(errors="replace"), keep_blank_values=True)[:40]:
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    for error in app.error:
        check(error.value, folder)
