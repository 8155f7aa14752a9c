"""The engine without a cluster: one process after another, or several processes of this machine."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Self, TypeVar

from scinet.engines.protocol import ATTEMPTS, WORKER_DIED, Outcome, Resources, attempt, visible_gpus

J = TypeVar("J")
R = TypeVar("R")


class LocalEngine:
    """A single worker is this process itself; several are processes that share the cores."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run(self, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[Outcome[R]]:
        """As `Engine.run`."""
        if self._resources.workers == 1:
            os.environ.update(visible_gpus(0, self._resources.gpus_per_worker))
            yield from (attempt(work, index, job) for index, job in enumerate(jobs))
            return
        waiting = dict(enumerate(jobs))
        while waiting:
            suspects = yield from self._run_in_pool(work, waiting)
            for index in suspects:  # one of them has killed its worker: alone, it does no harm to the others
                yield _run_alone(self._resources, work, index, waiting.pop(index))

    def _run_in_pool(self, work: Callable[[J], R], waiting: dict[int, J]) -> Generator[Outcome[R], None, list[int]]:
        """Take jobs out of `waiting` as they end; returns those that were running when a worker died."""
        with _Pool(self._resources) as pool:
            rest = iter(list(waiting.items()))
            running: dict[Future[Outcome[R]], int] = {}
            while True:
                for index, job in islice(rest, self._resources.workers - len(running)):
                    running[pool.submit(attempt, work, index, job)] = index
                if not running:
                    return []
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    try:
                        outcome = future.result()
                    except BrokenProcessPool:
                        return sorted(running.values())
                    del running[future], waiting[outcome.index]
                    yield outcome


class _Pool:
    """A pool of processes that all end with the block, wherever their work is."""

    def __init__(self, resources: Resources) -> None:
        context = multiprocessing.get_context("spawn")  # a copy of a process with threads would hang
        slots = context.Value("i", 0)
        self._pool = ProcessPoolExecutor(resources.workers, context, _begin, (slots, resources))

    def __enter__(self) -> ProcessPoolExecutor:
        return self._pool

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for process in multiprocessing.active_children():
                process.terminate()
        self._pool.shutdown(cancel_futures=True)


def _begin(slots: Any, resources: Resources) -> None:
    """In a new worker, before it imports PyTorch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to it too, but this program ends it
    with slots.get_lock():
        slot, slots.value = slots.value, slots.value + 1
    os.environ.update(visible_gpus(slot, resources.gpus_per_worker))
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // resources.workers))


def _run_alone(resources: Resources, work: Callable[[J], R], index: int, job: J) -> Outcome[R]:
    """In a pool of its own. What happened to it beside others does not count: the pool ends all of them together."""
    for _ in range(ATTEMPTS):
        with _Pool(Resources(1, resources.gpus_per_worker)) as pool:
            try:
                return pool.submit(attempt, work, index, job).result()
            except BrokenProcessPool:
                continue
    return Outcome(index, None, WORKER_DIED)
