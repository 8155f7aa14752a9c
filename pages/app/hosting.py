"""Hosted mode, SCINET_HOSTED=1: visitors are strangers, who must not read the server's files or take all of it."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pages.app.processor_clock import CLOCK
from scinet.errors import SciNetError

_HOUR_S = 3600


def is_hosted() -> bool:
    """Whether the app is served to strangers."""
    return os.environ.get("SCINET_HOSTED", "") not in ("", "0")


def allows_addresses() -> bool:
    """Whether visitors may give addresses of images and services: in the hosted app only if SCINET_ADDRESSES=1."""
    return not is_hosted() or os.environ.get("SCINET_ADDRESSES") == "1"


@dataclass(frozen=True)
class Limits:
    """What visitors may take of a hosted server.

    Attributes:
        sessions: Visitors at a time.
        upload_mb: Of the files that a session holds.
        runs: Of one session that wait or run.
        processor_minutes: Of processor time that runs may take for a session within an hour.
    """

    sessions: float = 20
    upload_mb: float = 1000
    runs: float = 12
    processor_minutes: float = 40

    @classmethod
    def from_environment(cls) -> "Limits":
        """The limits that SCINET_MAX_SESSIONS, SCINET_MAX_UPLOAD_MB and so on set, else the usual ones."""
        return cls(**{name: _number(f"SCINET_MAX_{name.upper()}", getattr(cls, name)) for name in cls.__annotations__})


def _number(variable: str, default: float) -> float:
    try:
        number = float(os.environ[variable])
    except (KeyError, ValueError):
        return default
    return number if number > 0 else default


@dataclass
class ProcessorTime:
    """The processor time that runs have taken for a session within the last hour."""

    _runs: deque[tuple[float, float]] = field(default_factory=deque)  # when each ended, and its seconds

    def add(self, seconds: float) -> None:
        """A run has ended."""
        self._runs.append((time.monotonic(), seconds))

    @contextmanager
    def spend(self) -> Iterator[Callable[[], None]]:
        """A run, which takes processor time while the context is open. Gives a function that checks as `check` does."""
        with CLOCK.run() as taken_s:
            try:
                yield lambda: self.check(taken_s())
            finally:
                self.add(taken_s())

    def check(self, running_s: float = 0.0) -> None:
        """Raise SciNetError where a hosted session has used its time up.

        Args:
            running_s: What the run has taken that is in progress.
        """
        if not is_hosted():
            return
        while self._runs and self._runs[0][0] < time.monotonic() - _HOUR_S:
            self._runs.popleft()
        minutes = Limits.from_environment().processor_minutes
        if running_s + sum(seconds for _, seconds in self._runs) > 60 * minutes:
            raise SciNetError(
                f"Models have taken {minutes:g} minutes of processor time within this hour, which is all that a visit "
                "to this server gets. Continue later, or run the app on your own machine."
            )


def confine(path: Path, folder: Path) -> Path:
    """A file that a folder names; in hosted mode it has to be in the folder, with links followed.

    Raises:
        SciNetError: It is elsewhere.
    """
    if is_hosted() and not path.resolve().is_relative_to(folder.resolve()):
        raise SciNetError(f"{path.name} is outside the folder of the data, so it is not shown here.")
    return path
