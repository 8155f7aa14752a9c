"""The page Benchmark in AppTest, and what it shows."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.samples import PROJECT


def opened(folder: Path, data: Path, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(folder))
    monkeypatch.setenv("SCINET_DATA", str(data))
    app = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=180)
    for key, value in {"scored_by": "Direct", **query}.items():
        app.query_params[key] = value
    app.switch_page("pages/benchmark.py").run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def charts(app: AppTest) -> list[dict]:
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def estimate(folder: Path, system: str, dataset: str, cm_per_px: float, metric: str) -> dict:
    """A row of what training.benchmark has written."""
    rows = json.loads((folder / "benchmark.json").read_text())["estimates"]
    wanted = {"system": system, "dataset": dataset, "cm_per_px": cm_per_px, "metric": metric, "grid": "working"}
    (row,) = [row for row in rows if wanted.items() <= row.items() and row.get("strategy", "direct") == "direct"]
    return row
