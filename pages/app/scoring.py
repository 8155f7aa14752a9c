"""A model on the test tiles of a folder, in the background of a session: it can be cancelled and continued."""

import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pandas as pd

from pages.app import runs
from pages.app.state import session
from scinet.datasets.tiles import Tile
from scinet.errors import SciNetError
from scinet.job_queue import Job, JobCancelledError
from scinet.models.card import Card
from scinet.progress import ReportProgress, time_left

if TYPE_CHECKING:
    from pages.app.hosting import ProcessorTime
    from pages.app.state import Session

STRATEGIES = ("direct", "best-scale")
POLL_S = 0.2


@dataclass(eq=False)
class Scoring:
    """A model, the tiles, and the rows that they have given so far.

    One tile after another waits in the server's queue behind what visitors wait for. The work ends with the session.
    """

    card: Card
    folder: Path
    tiles: Sequence[Tile]
    tables: list[pd.DataFrame] = field(default_factory=list)
    done: set[str] = field(default_factory=set)  # images that have been scored
    problem: str = ""  # why it has stopped
    _job: "Job[list[dict[str, Any]]] | None" = None
    _stop: Event = field(default_factory=Event)
    _thread: Thread | None = None
    _started_s: float = 0.0
    _started_at: float = 0.0  # the share that was done then

    @property
    def name(self) -> str:
        """The model's name."""
        return self.card.name

    @property
    def is_running(self) -> bool:
        """Whether tiles are being scored."""
        return self._thread is not None and self._thread.is_alive()

    def rows(self) -> pd.DataFrame:
        """The rows of all tiles that have been scored."""
        return pd.concat(self.tables, ignore_index=True) if self.tables else pd.DataFrame()

    @property
    def progress(self) -> float:
        """How much is done, in [0, 1]."""
        of_tile = self._job.progress if self._job is not None and not self._job.is_done else 0.0
        return min(1.0, (len(self.done) + of_tile) / len(self.tiles))

    @property
    def time_left(self) -> str:
        """The time that is left, in words; blank while it cannot be told."""
        done_since = (self.progress - self._started_at) / max(1e-9, 1 - self._started_at)
        return time_left(done_since, time.monotonic() - self._started_s)

    def start(self) -> None:
        """Go on with the tiles that have not been scored."""
        if self.is_running:
            return
        self._stop, self.problem = Event(), ""
        self._started_s, self._started_at = time.monotonic(), self.progress
        visit = session()
        work = (weakref.ref(visit), visit.id, visit.processor_time, self._stop)
        self._thread = Thread(target=self._run, args=work, name="scoring", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Stop; what has been scored stays."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, visit: "weakref.ref[Session]", owner: str, spent: "ProcessorTime", stop: Event) -> None:
        try:
            for tile in self.tiles:
                image = tile.image.relative_to(self.folder).as_posix()
                if image in self.done:
                    continue
                spent.check()
                rows = self._of_tile(tile, visit, owner, spent, stop)
                if rows is None:
                    return
                self.tables.append(pd.DataFrame(rows))
                self.done.add(image)
        except SciNetError as error:
            self.problem = str(error)

    def _of_tile(
        self, tile: Tile, visit: "weakref.ref[Session]", owner: str, spent: "ProcessorTime", stop: Event
    ) -> list[dict[str, Any]] | None:
        """The rows of a tile; None if they are not wanted any more."""

        def work(report: ReportProgress) -> list[dict[str, Any]]:
            from scinet.evaluation.tile_scoring import score_tile

            with spent.spend():
                return score_tile(runs.model_of(self.card), self.folder, STRATEGIES, tile, report)

        pixels = tile.shape[0] * tile.shape[1] if tile.shape else 0
        key = ("score", self.card.name, self.card.sha256, str(tile.image))
        with runs.job_queue().submit(key, work, pixels, -1, owner) as job:
            self._job = job
            while not job.wait(POLL_S):
                if stop.is_set() or visit() is None:
                    return None
            try:
                return job.result()
            except JobCancelledError:
                return None
