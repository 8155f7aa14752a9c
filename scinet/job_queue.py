"""Runs jobs in background threads: a few at a time, identical ones once, none that nobody waits for any more.

Work ahead of time runs while the queue is idle, and is dropped as soon as anything else is submitted.
"""

import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import RLock, Thread, current_thread
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from scinet.progress import ReportProgress

T = TypeVar("T")


class JobCancelledError(Exception):
    """The job was cancelled: `Job.result` raises it, and so does progress that a cancelled job reports."""


@dataclass(eq=False, frozen=True)
class _Waiter:
    """Who waits for a job."""

    owner: Hashable


@dataclass(eq=False)
class _Task:
    """Work that is waiting or running, shared by all jobs with its key."""

    key: Hashable
    work: Callable[[ReportProgress], Any]
    pixels: int
    priority: int
    turn: int  # of its owner, see `JobQueue.submit`
    only_when_idle: bool
    waiters: "set[_Waiter]" = field(default_factory=set)  # one per Job
    progress: float = 0.0
    is_running: bool = False
    outcome: "Future[Any]" = field(default_factory=Future)

    @property
    def owners(self) -> set[Hashable]:
        """Who waits for it."""
        return {waiter.owner for waiter in tuple(self.waiters)}

    def report(self, done: float) -> None:
        if not self.waiters:
            raise JobCancelledError
        self.progress = min(1.0, max(0.0, done))


class Job(Generic[T]):
    """One caller's share in a piece of work. It ends with `cancel`, with its `with` block, or when it is dropped."""

    def __init__(self, queue: "JobQueue", task: _Task, owner: Hashable) -> None:
        self._queue, self._task = queue, task
        waiter = _Waiter(owner)
        task.waiters.add(waiter)
        # Lock-free, as the garbage collector may call it while this thread holds the queue's lock
        self._leave = weakref.finalize(self, task.waiters.discard, waiter)
        self._leave.atexit = False

    @property
    def progress(self) -> float:
        """How much is done, in [0, 1]; 0 until the work starts."""
        return 1.0 if self.is_done else self._task.progress

    @property
    def is_done(self) -> bool:
        """Whether there is a result or an error."""
        return self._task.outcome.done()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the work is done, or for `timeout_s`. Returns whether it is done."""
        try:
            self._task.outcome.exception(timeout_s)
        except TimeoutError:
            return False
        return True

    def result(self) -> T:
        """Wait for the result.

        Raises:
            JobCancelledError: The job was cancelled.
            Exception: What the work raised.
        """
        if not self._leave.alive:
            raise JobCancelledError
        found: T = self._task.outcome.result()
        return found

    def cancel(self) -> None:
        """Stop waiting. The work itself stops when no other job waits for it, at its next report of progress."""
        self._leave()
        self._queue._start_jobs()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cancel()


class JobQueue:
    """Jobs for a few threads. It may be shared by any number of threads and sessions.

    Args:
        workers: How many jobs run at the same time.
        max_pixels: Of the jobs that run at the same time, for their memory. A job with more runs alone.

    Example:
        >>> queue = JobQueue()
        >>> with queue.submit(("square", 3), lambda report: 3 * 3) as job:
        ...     job.result()
        9
    """

    def __init__(self, workers: int = 2, max_pixels: int = 40_000_000) -> None:
        self._workers, self._max_pixels = workers, max_pixels
        self._tasks: dict[Hashable, _Task] = {}  # in the order in which they were submitted
        self._threads: set[Thread] = set()
        self._turn = 0  # the latest that has been served
        self._lock = RLock()

    def submit(
        self,
        key: Hashable,
        work: Callable[[ReportProgress], T],
        pixels: int = 0,
        priority: int = 0,
        owner: Hashable = None,
        *,
        only_when_idle: bool = False,
    ) -> Job[T]:
        """Queue work, or join the work with this key that is waiting or running.

        Finished work is forgotten: to run it once for all time, let `work` look for its result in a cache first.

        Args:
            key: Identical work has the same key.
            work: Called in a thread with a function that takes the progress in [0, 1]. That function raises
                JobCancelledError when nobody waits any more, which `work` lets through. It may not wait for other
                jobs of this queue.
            pixels: The size of the work, see `max_pixels`.
            priority: Higher ones start first, equal ones in turn. The highest of all who wait counts.
            owner: For whom. Owners take turns: the second job of one waits behind the first ones of the others, and
                the jobs of one owner start in the order in which they were submitted.
            only_when_idle: Run it alone, while nothing else waits or runs. It is cancelled when other work is
                submitted, unless somebody submits the same work without this.

        Returns:
            The caller's job. Keep it as long as the result is wanted.
        """
        with self._lock:
            self._drop_unwanted()
            turn = self._next_turn(owner)
            task = self._tasks.setdefault(key, _Task(key, work, pixels, priority, turn, only_when_idle))
            task.priority, task.turn = max(task.priority, priority), min(task.turn, turn)
            if not only_when_idle:
                task.only_when_idle = False
                self._drop_what_can_wait()
            job: Job[T] = Job(self, task, owner)
            self._start_jobs()
            return job

    def close(self) -> None:
        """Cancel all jobs, and wait until those that run have stopped."""
        with self._lock:
            for task in self._tasks.values():
                task.waiters.clear()
            self._start_jobs()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _drop_what_can_wait(self) -> None:
        for task in self._tasks.values():
            if task.only_when_idle:
                task.waiters.clear()

    def _start_jobs(self) -> None:
        """Drop what nobody waits for, and start what there is room for: strictly in order, so that none starves."""
        with self._lock:
            self._drop_unwanted()
            waiting = [task for task in self._tasks.values() if not task.is_running]
            for task in sorted(waiting, key=lambda task: (task.only_when_idle, -task.priority, task.turn)):
                if not self._has_room(task.pixels) or (task.only_when_idle and self._is_busy()):
                    break
                task.is_running = True
                self._turn = max(self._turn, task.turn)
                thread = Thread(target=self._run, args=(task,), name="job", daemon=True)
                self._threads.add(thread)
                thread.start()

    def _next_turn(self, owner: Hashable) -> int:
        """The turn of an owner's new job: after the owner's others, else the one that is being served."""
        own = [task.turn + 1 for task in self._tasks.values() if owner in task.owners]
        return max([self._turn, *own])

    def waiting_of(self, owner: Hashable) -> int:
        """How many jobs of an owner are waiting or running."""
        with self._lock:
            tasks = list(self._tasks.values())
        return sum(owner in task.owners for task in tasks)

    def _drop_unwanted(self) -> None:
        for task in [task for task in self._tasks.values() if not task.is_running and not task.waiters]:
            del self._tasks[task.key]
            task.outcome.set_exception(JobCancelledError())

    def _is_busy(self) -> bool:
        return any(task.is_running for task in self._tasks.values())

    def _has_room(self, pixels: int) -> bool:
        running = [task.pixels for task in self._tasks.values() if task.is_running]
        return len(running) < self._workers and (not running or sum(running) + pixels <= self._max_pixels)

    def _run(self, task: _Task) -> None:
        try:
            task.report(0.0)
            result = task.work(task.report)
        except BaseException as error:  # whatever it is, those who wait get it
            self._finish(task, None, error)
        else:
            self._finish(task, result, None)

    def _finish(self, task: _Task, result: Any, error: BaseException | None) -> None:
        with self._lock:
            self._threads.discard(current_thread())
            task.is_running = False
            if isinstance(error, JobCancelledError) and task.waiters:  # somebody joined while it was stopping
                task.progress = 0.0
            else:
                del self._tasks[task.key]
                if error is None:
                    task.outcome.set_result(result)
                else:
                    task.outcome.set_exception(error)
            self._start_jobs()
