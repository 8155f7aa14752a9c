"""Work for the engines' tests, which their workers import."""

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from scinet.errors import RasterError


class Task(NamedTuple):
    """A job of the tests; each attempt leaves a file in `folder`."""

    folder: Path
    name: str
    deaths: int = 0

    @property
    def attempts(self) -> int:
        return len(list(self.folder.glob(f"{self.name}-*")))


def square(number: int) -> int:
    if number == 3:
        raise RasterError("Three cannot be read.")
    if number == 4:
        raise ZeroDivisionError("a fault")
    return number * number


def gpus(number: int) -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "")


def process(number: int) -> int:
    return os.getpid()


def deadly(task: Task) -> str:
    """Kills its own process as often as the task says."""
    attempts = task.attempts
    (task.folder / f"{task.name}-{attempts}").touch()
    if attempts < task.deaths:
        time.sleep(0.5)  # in the middle of it: what was done before is known by then
        os.kill(os.getpid(), signal.SIGKILL)
    return task.name
