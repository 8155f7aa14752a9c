"""A child process that is started when it is needed, ended when it takes too long, and ended when it is idle."""

import os
import signal
import subprocess
import sys
import tempfile
import weakref
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, RLock, Thread, Timer
from typing import Any, BinaryIO, cast

from scinet import errors
from scinet.bounded_child.messages import Array, Message, receive, send
from scinet.errors import SciNetError

POLL_S = 0.2
MAX_ANSWER_BYTES = 2_000_000_000
_RETRIES = 3

# Of signals that end a child: its own clocks, and the system that is out of memory
_CAUSES = {
    getattr(signal, name, None): cause
    for name, cause in (("SIGALRM", "time"), ("SIGXCPU", "time"), ("SIGKILL", "memory"))
}

# Set where the caller's result may lose its meaning while it waits: then the child is ended.
no_longer_wanted: ContextVar[Event | None] = ContextVar("no_longer_wanted", default=None)


_processes: "weakref.WeakSet[_Process]" = weakref.WeakSet()


def children_processor_s() -> float:
    """Seconds of processor time of the children that run, each as of its latest answer."""
    return sum(process.processor_s for process in tuple(_processes) if process.is_alive)


class ChildError(Exception):
    """A call has no result.

    Attributes:
        cause: "time", "memory" or "crash" where a limit was reached or the child has ended; "stopped" where nobody
            wants the result any more; "failure" where the function raised an error, whose text is the message.
    """

    def __init__(self, cause: str, text: str = "") -> None:
        super().__init__(text or cause)
        self.cause = cause


class BoundedChild:
    """Runs functions of a module in a process of its own.

    Args:
        module: Its name; it has functions from `Message` to `Message`.
        memory_bytes: What they may take.
        lanes: How many calls may run at the same time.
        first: A call that is made whenever a process has been started, as (function, message, timeout_s).
        idle_s: After so long without a call the process is ended; the next call starts another one.

    A process that crashes, or takes too long for a call, ends with all calls that are running in it.
    """

    def __init__(
        self,
        module: str,
        memory_bytes: int,
        lanes: int = 1,
        first: tuple[str, Message, float] | None = None,
        idle_s: float = 60,
    ) -> None:
        self._command = [module, str(memory_bytes), str(lanes)]
        self._first, self._idle_s = first, idle_s
        self._lanes, self._guard = BoundedSemaphore(lanes), Lock()
        self._process: _Process | None = None
        self._at_end: weakref.finalize[[str], BoundedChild] | None = None
        self.first_answer: Message | None = None

    def call(
        self, function: str, values: dict[str, Any], arrays: list[Array] | None = None, *, timeout_s: float
    ) -> Message:
        """Run a function and wait for its result.

        Args:
            function: Its name.
            values: JSON values that it gets.
            arrays: Arrays that it gets.
            timeout_s: After this it is ended.

        Raises:
            ChildError: There is no result.
            SciNetError: The function raised it.
        """
        with self._lanes:
            for _ in range(_RETRIES):
                process = self._started()
                try:
                    return process.call(function, Message(values, arrays or []), timeout_s)
                except ChildError as error:
                    wanted = no_longer_wanted.get()
                    if error.cause != "stopped" or (wanted is not None and wanted.is_set()):
                        raise
                    # It was ended for another's call that nobody wants any more: begin again
                finally:
                    process.end_when_idle(self._idle_s)
        raise ChildError("crash")

    def start(self) -> Message | None:
        """Start the process if it does not run; returns the answer to the first call."""
        with self._lanes:
            self._started().end_when_idle(self._idle_s)
        return self.first_answer

    def close(self) -> None:
        """End the process; the next call starts another one."""
        with self._guard:
            if self._process is not None:
                self._process.end("stopped")

    def _started(self) -> "_Process":
        with self._guard:
            if self._process is None or not self._process.is_alive:
                process = _Process(self._command)
                if self._at_end is not None:
                    self._at_end.detach()
                self._at_end = weakref.finalize(self, process.end, "stopped")
                if self._first is not None:
                    function, message, timeout_s = self._first
                    try:
                        self.first_answer = process.call(function, message, timeout_s)
                    except BaseException:
                        process.end("stopped")
                        raise
                self._process = process
            self._process.keep()
            return self._process


class _Process:
    """A running child, and who waits for its answers."""

    def __init__(self, command: list[str]) -> None:
        package = str(Path(__file__).parents[2])
        paths = filter(None, (package, os.environ.get("PYTHONPATH")))
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "scinet.bounded_child.serve", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "2"},
        )
        # Reentrant, as the garbage collector may call `end` while this thread holds it
        self._guard, self._sending = RLock(), Lock()
        self._waiting: dict[int, Future[Message]] = {}
        self._numbers = count()
        self._cause = "crash"
        self._idle: Timer | None = None
        self.is_alive = True
        self.processor_s = 0.0  # at its latest answer
        _processes.add(self)
        Thread(target=self._receive, name="bounded child", daemon=True).start()

    def call(self, function: str, message: Message, timeout_s: float) -> Message:
        number, answer = next(self._numbers), Future[Message]()
        with self._guard:
            if not self.is_alive:
                raise ChildError(self._cause)
            self._waiting[number] = answer
        clock = Timer(timeout_s, self.end, ("time",))
        clock.daemon = True
        clock.start()
        try:
            head = {**message.values, "function": function, "call": number, "timeout_s": timeout_s}
            with suppress(OSError, ValueError), self._sending:  # of a child that has ended: the answer says so
                send(self._pipe, Message(head, message.arrays))
            return _checked(self._wait(answer))
        finally:
            clock.cancel()
            with self._guard:
                self._waiting.pop(number, None)

    @property
    def _pipe(self) -> Any:
        return self._child.stdin

    def _wait(self, answer: "Future[Message]") -> Message:
        stopped = no_longer_wanted.get()
        while stopped is not None:
            with suppress(NotYet):
                return answer.result(POLL_S)
            if stopped.is_set():
                self.end("stopped")
                break
        return answer.result()

    def keep(self) -> None:
        """It is needed again."""
        with self._guard:
            if self._idle is not None:
                self._idle.cancel()

    def end_when_idle(self, idle_s: float) -> None:
        """End it after a while, if it is not needed again."""
        with self._guard:
            if self._waiting or not self.is_alive:
                return
            if self._idle is not None:
                self._idle.cancel()
            self._idle = Timer(idle_s, self.end, ("stopped",))
            self._idle.daemon = True
            self._idle.start()

    def end(self, cause: str) -> None:
        """Kill it; those who wait for an answer get the cause."""
        with self._guard:
            if self.is_alive:
                self._cause, self.is_alive = cause, False
        self._child.kill()

    def _receive(self) -> None:
        """Hand out answers until the child ends."""
        assert self._child.stdout is not None
        with (
            suppress(EOFError, OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError),
            self._child.stdout as pipe,
        ):
            while True:
                message = receive(cast(BinaryIO, pipe), MAX_ANSWER_BYTES)
                self.processor_s = float(message.values["processor_s"])
                with self._guard:
                    answer = self._waiting.get(message.values["call"])
                if answer is not None:
                    answer.set_result(message)
        self._child.kill()
        status = self._child.wait()
        with self._guard:
            if self.is_alive:
                self.is_alive, self._cause = False, _CAUSES.get(-status, "crash")
            waiting, cause = list(self._waiting.values()), self._cause
        for each in waiting:
            if not each.done():
                each.set_exception(ChildError(cause))
        with suppress(OSError):
            self._pipe.close()


def _checked(answer: Message) -> Message:
    """An answer that is a result, else its error."""
    if name := answer.values.get("error"):
        kind = getattr(errors, str(name), SciNetError)
        raise (kind if isinstance(kind, type) and issubclass(kind, SciNetError) else SciNetError)(
            str(answer.values.get("text"))
        )
    if failure := answer.values.get("failure"):
        raise ChildError("memory") if failure == "memory" else ChildError("failure", str(failure))
    return answer
