"""Running models without a page: nothing twice, and nothing for a user who has moved on."""

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
from pages.app.subject import Subject
from scinet.models.card import list_models
from scinet.raster.scene import read_raster
from scinet.segmentation.strategies import Strategy
from tests.pages.samples import geotiff

PATIENCE_S = 20


@pytest.fixture
def task(random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    st.cache_resource.clear()
    image = tmp_path / "house.tif"
    image.write_bytes(geotiff())
    yield Task(Subject("house", "a house", read_raster(image), None), list_models()[0], 20.0, Strategy("direct"))
    st.cache_resource.clear()


def test_two_users_at_once_need_one_forward_pass(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = runs.segment, []

    def slow(*arguments, **keywords):
        calls.append(arguments)
        time.sleep(0.5)
        return real(*arguments, **keywords)

    monkeypatch.setattr(runs, "segment", slow)
    with ThreadPoolExecutor(2) as visitors:
        both = list(visitors.map(lambda _: runs.run(task, lambda _: None).probability, range(2)))
    assert len(calls) == 1
    assert both[0] is both[1]


def test_a_background_run_is_not_repeated(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(task, cm_per_px=40.0)
    with runs.in_background([other]) as (job,):
        runs.run(task, lambda _: None)
        found = runs.run(other, lambda _: None)
        assert job.progress == 1
    monkeypatch.setattr(runs, "segment", lambda *a, **k: pytest.fail("a second forward pass"))
    assert np.array_equal(found.probability, runs.run(other, lambda _: None).probability)


def test_a_background_run_stops_with_the_block(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    started, ended = Event(), Event()

    def endless(*arguments, progress, **keywords):
        started.set()
        try:
            for _ in range(PATIENCE_S * 100):
                progress(0.25)
                time.sleep(0.01)
            pytest.fail("nobody stopped it")
        finally:
            ended.set()

    monkeypatch.setattr(runs, "segment", endless)
    with runs.in_background([task]) as (job,):
        assert started.wait(PATIENCE_S)
        while job.progress == 0:
            time.sleep(0.01)
        assert job.progress == 0.25
    assert ended.wait(PATIENCE_S)
    assert runs.cached_run(task) is None


def test_a_user_who_moves_on_stops_the_run(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Event()

    def endless(*arguments, progress, **keywords):
        try:
            for _ in range(PATIENCE_S * 100):
                progress(0.25)
                time.sleep(0.01)
            pytest.fail("nobody stopped it")
        finally:
            ended.set()

    def move_on(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "segment", endless)
    with pytest.raises(KeyboardInterrupt):
        runs.run(task, move_on)
    assert ended.wait(PATIENCE_S)
