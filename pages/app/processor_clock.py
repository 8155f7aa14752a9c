"""The processor time that the server takes, shared out to the runs that are in progress."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from scinet.bounded_child.process import children_processor_s


def _server_processor_s() -> float:
    """Seconds of processor time of this process and of its children, those that run and those that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system + children_processor_s()


class ProcessorClock:
    """Measures the processor time of runs.

    All runs share PyTorch's threads, so that the time of one cannot be told from another's. What the server has taken
    since the clock was last read is therefore shared evenly by the runs that were in progress.

    Args:
        read_s: Gives the processor seconds that the server has taken so far.

    Example:
        >>> clock = ProcessorClock()
        >>> with clock.run() as taken_s:
        ...     taken_s() < 60
        True
    """

    def __init__(self, read_s: Callable[[], float] = _server_processor_s) -> None:
        self._read_s = read_s
        self._runs: dict[object, float] = {}
        self._until_s = 0.0
        self._lock = Lock()

    @contextmanager
    def run(self) -> Iterator[Callable[[], float]]:
        """A run, which takes its share while the context is open. Gives what returns its processor seconds so far."""
        run = object()
        taken_s = 0.0

        def read() -> float:
            nonlocal taken_s
            with self._lock:
                self._share_out()
                taken_s = self._runs.get(run, taken_s)
            return taken_s

        with self._lock:
            self._share_out()
            self._runs[run] = 0.0
        try:
            yield read
        finally:
            read()
            with self._lock:
                del self._runs[run]

    def _share_out(self) -> None:
        now_s = max(self._until_s, self._read_s())  # a child that is just ending may be in neither sum
        share_s = (now_s - self._until_s) / max(1, len(self._runs))
        self._until_s = now_s
        for run in self._runs:
            self._runs[run] += share_s


CLOCK = ProcessorClock()
