"""Images as streams of rows, so that a stage of the work holds a few hundred rows at a time, whatever the image.

A stage is a `Rows`: it takes another one as its source and gives bands of its own. Nothing is computed until
bands are asked for, and every pixel comes out the same wherever the bands are cut.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scinet.grid import Grid
from scinet.raster import Raster


@dataclass(frozen=True, eq=False)
class Band:
    """Consecutive rows of an image, full width, from row `top` on.

    values  colours uint8 (H, W, 3), or probability float32 (H, W)
    valid   bool (H, W)
    """

    top: int
    values: NDArray[Any]
    valid: NDArray[np.bool_]

    @property
    def bottom(self) -> int:
        return self.top + len(self.valid)

    def cut(self, top: int, bottom: int) -> "Band":
        """Its rows from `top` to `bottom`, as far as it has them, without a copy."""
        first, last = max(top, self.top), min(bottom, self.bottom)
        rows = slice(first - self.top, last - self.top)
        return Band(first, self.values[rows], self.valid[rows])


class Rows(Protocol):
    """An image that comes in bands."""

    @property
    def grid(self) -> Grid: ...

    def bands(self, start: int = 0) -> Iterator[Band]:
        """Bands without a gap down to the last row. The first one holds row `start`, and may begin above it."""
        ...


@dataclass(frozen=True, eq=False)
class RasterRows:
    """A raster in memory: one band."""

    raster: Raster

    @property
    def grid(self) -> Grid:
        return self.raster.grid

    def bands(self, start: int = 0) -> Iterator[Band]:
        yield Band(0, self.raster.pixels, self.raster.valid)


@dataclass(frozen=True, eq=False)
class OnceRows:
    """A stream that has begun already: its bands can be had once."""

    grid: Grid
    stream: Iterator[Band]

    def bands(self, start: int = 0) -> Iterator[Band]:
        return self.stream


class Sliding:
    """The rows of a stream that are still needed."""

    def __init__(self, bands: Iterator[Band]) -> None:
        self._bands = bands
        self._held: deque[Band] = deque()

    def take(self, top: int, bottom: int) -> Band:
        """The rows from `top` to `bottom`; those above `top` cannot be had again."""
        while not self._held or self._held[-1].bottom < bottom:
            self._held.append(next(self._bands))
            while self._held[0].bottom <= top and len(self._held) > 1:
                self._held.popleft()
        while self._held[0].bottom <= top:
            self._held.popleft()
        parts = [band.cut(top, bottom) for band in self._held if band.top < bottom]
        assert parts[0].top == top, f"row {top} has gone"
        if len(parts) == 1:
            return parts[0]
        return Band(top, np.concatenate([p.values for p in parts]), np.concatenate([p.valid for p in parts]))


@dataclass(frozen=True, eq=False)
class ReadAhead:
    """Has a thread of its own make the source's bands, and keeps one ready."""

    source: Rows

    @property
    def grid(self) -> Grid:
        return self.source.grid

    def bands(self, start: int = 0) -> Iterator[Band]:
        ready: Queue[Band | BaseException | None] = Queue(maxsize=1)
        stopped = threading.Event()

        def hand_over(item: Band | BaseException | None) -> None:
            while not stopped.is_set():
                try:
                    return ready.put(item, timeout=0.1)
                except Full:
                    continue

        def work() -> None:
            bands = self.source.bands(start)
            try:
                for band in bands:
                    hand_over(band)
                    if stopped.is_set():
                        break
                hand_over(None)
            except BaseException as error:
                hand_over(error)
            finally:
                getattr(bands, "close", lambda: None)()  # files close in the thread that opened them

        thread = threading.Thread(target=work, name="read ahead", daemon=True)
        thread.start()
        try:
            while True:
                item = ready.get()
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            while thread.is_alive():
                try:
                    ready.get(timeout=0.05)
                except Empty:
                    continue
            thread.join()


def collect(rows: Rows, out: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
    """All values of a stream into `out` (H, W, ...), and where they are valid into `valid` (H, W)."""
    for band in rows.bands():
        out[band.top : band.bottom] = band.values
        if valid is not None:
            valid[band.top : band.bottom] = band.valid
