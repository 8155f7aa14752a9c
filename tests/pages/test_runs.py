"""Running models without a page: nothing twice, and nothing for a user who has moved on."""

import os
import subprocess
import sys
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
from pages.app.runs import MaskSettings, Task
from pages.app.subject import Subject
from pages.sources import examples
from scinet.errors import SciNetError
from scinet.models.card import list_models
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy
from tests.pages.samples import PROJECT, geotiff

PATIENCE_S = 20
FIRST_VISIT = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from pages.app import warm_up
warm_up.MODULES = ()
found = AppTest.from_file(str(Path("app.py").absolute()), default_timeout=180).run()
assert not found.exception and not found.error, found
print(len(found.get("component_instance")), "torch" in sys.modules)
"""


@pytest.fixture
def task(random_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))
    st.cache_resource.clear()
    image = tmp_path / "house.tif"
    image.write_bytes(geotiff())
    yield Task(Subject("house", "a house", read_raster(image), None), list_models()[0], 20.0, Strategy("direct"))
    st.cache_resource.clear()


def test_two_users_at_once_need_one_forward_pass(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = segment, []

    def slow(*arguments, **keywords):
        calls.append(arguments)
        time.sleep(0.5)
        return real(*arguments, **keywords)

    monkeypatch.setattr("scinet.segmentation.segment.segment", slow)
    with ThreadPoolExecutor(2) as visitors:
        both = list(visitors.map(lambda _: runs.run(task, lambda _: None).probability, range(2)))
    assert len(calls) == 1
    assert both[0] is both[1]


def test_results_come_as_they_finish_and_nothing_runs_twice(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    other, shares = replace(task, cm_per_px=40.0), []
    found = dict(runs.as_they_finish([task, other], shares.append))
    assert set(found) == {task, other} and all(isinstance(run, runs.Run) for run in found.values())
    assert all(0 <= share <= 1 for share in shares)
    monkeypatch.setattr("scinet.segmentation.segment.segment", lambda *a, **k: pytest.fail("a second forward pass"))
    again = dict(runs.as_they_finish([task, other], lambda _: None))
    assert all(np.array_equal(again[each].probability, found[each].probability) for each in found)


def test_a_model_that_fails_does_not_end_the_others(task: Task) -> None:
    damaged = replace(task, card=replace(task.card, name="missing"))
    found = dict(runs.as_they_finish([damaged, task], lambda _: None))
    assert isinstance(found[damaged], SciNetError) and isinstance(found[task], runs.Run)


def test_runs_stop_when_nobody_takes_their_results_any_more(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Event()

    def endless(*arguments, progress, **keywords):
        try:
            for _ in range(PATIENCE_S * 100):
                progress(0.25)
                time.sleep(0.01)
            pytest.fail("nobody stopped it")
        finally:
            ended.set()

    def move_on(done: float) -> None:
        if done == 0.25:
            raise KeyboardInterrupt

    monkeypatch.setattr("scinet.segmentation.segment.segment", endless)
    with pytest.raises(KeyboardInterrupt):
        list(runs.as_they_finish([task], move_on))
    assert ended.wait(PATIENCE_S)
    assert runs.cached_run(task) is None


def test_a_run_that_uses_up_a_hosted_sessions_time_ends(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_HOSTED", "1")
    monkeypatch.setenv("SCINET_MAX_PROCESSOR_MINUTES", "0.0001")
    with pytest.raises(SciNetError, match="all that a visit to this server gets"):
        runs.run(task, lambda _: None)


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

    monkeypatch.setattr("scinet.segmentation.segment.segment", endless)
    with pytest.raises(KeyboardInterrupt):
        runs.run(task, move_on)
    assert ended.wait(PATIENCE_S)


@pytest.fixture
def on_board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Task]:
    monkeypatch.delenv("SCINET_CHECKPOINTS", raising=False)
    st.cache_resource.clear()
    yield Task(examples.first_example(), list_models()[0], 100.0, Strategy())
    st.cache_resource.clear()


def test_a_mask_on_board_takes_no_run_until_its_probability_is_asked_for(
    on_board: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MaskSettings(threshold=0.5, min_area_m2=1.0)
    with monkeypatch.context() as patched:
        patched.setattr("scinet.segmentation.segment.segment", lambda *a, **k: pytest.fail("a forward pass"))
        run = runs.run(on_board, lambda _: None, settings.threshold)
        known = runs.evaluate(run, settings).evaluation
    computed = runs.evaluate(runs.Run(on_board, run.probability), settings).evaluation
    assert np.array_equal(known.prediction, computed.prediction)
    assert known.diagnosis.tally == computed.diagnosis.tally
    assert known.objects.tally.scores.f1 == computed.objects.tally.scores.f1
    assert np.isnan(known.objects.confidence).all() and not np.isnan(computed.objects.confidence).any()
    on_grids = runs.evaluate_on_grids(run, settings)
    assert not np.isnan(on_grids["working"].objects.confidence).any()


@pytest.mark.parametrize("threshold, strategy", [(None, Strategy()), (0.6, Strategy()), (0.5, Strategy("direct"))])
def test_a_mask_on_board_is_for_the_usual_settings(on_board: Task, threshold: float | None, strategy: Strategy) -> None:
    assert runs.cached_run(on_board, 0.5) is not None
    assert runs.cached_run(replace(on_board, strategy=strategy), threshold) is None


@pytest.mark.slow
def test_a_first_visit_shows_its_masks_without_pytorch() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SCINET")}
    done = subprocess.run(
        [sys.executable, "-c", FIRST_VISIT], env=environment, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1", "False"], done.stderr
