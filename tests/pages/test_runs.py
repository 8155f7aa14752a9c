"""Models at work without a page: nothing twice, and nothing for a reader who has moved on."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import streamlit as st

from pages.app import runs
from pages.app.runs import Task
from pages.sources import Subject
from scinet.models.card import list_models
from scinet.raster.open import read_raster
from tests.pages.samples import geotiff

PATIENCE_S = 20


@pytest.fixture
def task(random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    st.cache_resource.clear()
    image = tmp_path / "house.tif"
    image.write_bytes(geotiff())
    yield Task(Subject("house", "a house", read_raster(image), None), list_models()[0], 20.0, "direct")
    st.cache_resource.clear()


def test_two_who_ask_at_once_get_one_forward_pass(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = runs.segment, []

    def slow(*arguments, **keywords):
        calls.append(arguments)
        time.sleep(0.5)
        return real(*arguments, **keywords)

    monkeypatch.setattr(runs, "segment", slow)
    with ThreadPoolExecutor(2) as readers:
        both = list(readers.map(lambda _: runs.run(task, lambda _: None).probability, range(2)))
    assert len(calls) == 1
    assert both[0] is both[1]


def test_what_was_begun_is_there_when_its_turn_comes(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(task, cm_per_px=40.0)
    with runs.begun([other]):
        runs.run(task, lambda _: None)
        found = runs.run(other, lambda _: None)
    monkeypatch.setattr(runs, "segment", lambda *a, **k: pytest.fail("a second forward pass"))
    assert np.array_equal(found.probability, runs.run(other, lambda _: None).probability)
    assert runs.share_done(other) == 1


def test_what_was_begun_stops_with_the_block(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    began, ended = Event(), Event()

    def endless(*arguments, progress, **keywords):
        began.set()
        try:
            for _ in range(PATIENCE_S * 100):
                progress(0.25)
                time.sleep(0.01)
            pytest.fail("nobody stopped it")
        finally:
            ended.set()

    monkeypatch.setattr(runs, "segment", endless)
    with runs.begun([task]):
        assert began.wait(PATIENCE_S)
        while runs.share_done(task) == 0:
            time.sleep(0.01)
        assert runs.share_done(task) == 0.25
    assert ended.wait(PATIENCE_S)
    assert runs.known_run(task) is None
