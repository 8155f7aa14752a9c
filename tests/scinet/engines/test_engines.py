"""Every engine maps jobs to results or errors, whatever dies: on real workers, two processes each."""

import os
import sys
from pathlib import Path

import pytest

from scinet.engines.protocol import ATTEMPTS, ENGINES, WORKER_DIED, EngineError, EngineName, Resources, open_engine
from tests.scinet.engines.work import Task, deadly, gpus, process, square

PACKAGES = {"dask": "distributed", "ray": "ray"}


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> EngineName:
    engine: EngineName = request.param
    if engine in PACKAGES:
        pytest.importorskip(PACKAGES[engine])
    return engine


@pytest.mark.slow
def test_jobs_end_in_results_or_errors_and_each_is_done_once_where_nothing_dies(
    name: EngineName, tmp_path: Path
) -> None:
    with open_engine(name, Resources(workers=2)) as engine:
        found = {outcome.index: outcome for outcome in engine.run(square, [1, 2, 3, 4])}
        assert [found[index].result for index in range(4)] == [1, 4, None, None]
        assert found[2].error == "Three cannot be read."
        assert found[3].error == "The program failed: ZeroDivisionError: a fault."
        tasks = [
            Task(tmp_path, "a"),
            Task(tmp_path, "b", deaths=1),
            Task(tmp_path, "c", deaths=99),
            Task(tmp_path, "d"),
        ]
        ended = {outcome.index: outcome for outcome in engine.run(deadly, tasks)}
    assert [ended[index].result for index in range(4)] == ["a", "b", None, "d"]
    assert ended[2].error == WORKER_DIED
    assert tasks[1].attempts == 2 and ATTEMPTS <= tasks[2].attempts <= ATTEMPTS + 1


@pytest.mark.slow
def test_each_worker_of_this_machine_has_gpus_of_its_own() -> None:
    with open_engine("local", Resources(workers=2, gpus_per_worker=2)) as engine:
        found = {outcome.result for outcome in engine.run(gpus, range(40))}
    assert found <= {"0,1", "2,3"} and found


def test_a_single_local_worker_is_this_process() -> None:
    with open_engine("local", Resources()) as engine:
        assert [outcome.result for outcome in engine.run(process, [0, 0])] == [os.getpid()] * 2


def test_an_engine_whose_package_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "scinet.engines.on_ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r'pip install "scinet-explorer\[ray\]"'):
        open_engine("ray", Resources())
