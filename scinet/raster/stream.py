"""Images as streams of rows, so that a stage of the work holds a few hundred rows at a time, whatever the image.

A stage is a `RowStream`: it takes another one as its source and gives bands of its own. Nothing is computed until
bands are asked for, and every pixel comes out the same wherever the bands are cut.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from scinet.raster.grid import Grid
from scinet.raster.raster import Raster

T = TypeVar("T")


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


class RowStream(Protocol):
    """An image that comes in bands."""

    @property
    def grid(self) -> Grid: ...

    def bands(self, start: int = 0) -> Iterator[Band]:
        """Bands without a gap down to the last row. The first one holds row `start`, and may begin above it."""
        ...


@dataclass(frozen=True, eq=False)
class RasterStream:
    """A raster in memory: one band."""

    raster: Raster

    @property
    def grid(self) -> Grid:
        return self.raster.grid

    def bands(self, start: int = 0) -> Iterator[Band]:
        yield Band(0, self.raster.pixels, self.raster.valid)


@dataclass(frozen=True, eq=False)
class OneShotStream:
    """A stream that has begun already: its bands can be had once."""

    grid: Grid
    stream: Iterator[Band]

    def bands(self, start: int = 0) -> Iterator[Band]:
        return self.stream


class RowBuffer:
    """The rows of a stream that are still needed, moved up in one block of memory as it goes on."""

    def __init__(self, bands: Iterator[Band]) -> None:
        self._bands = bands
        self._held: Band | None = None
        self._memory: tuple[NDArray[Any], NDArray[np.bool_]] | None = None

    def take(self, top: int, bottom: int) -> Band:
        """The rows from `top` to `bottom`, to be used before the next call; those above `top` are gone for good."""
        if self._held is None:
            self._held = next(self._bands)
        while self._held.bottom < bottom:
            self._held = self._joined(self._held, next(self._bands), top, bottom)
        assert self._held.top <= top, f"row {top} has gone"
        return self._held.cut(top, bottom)

    def _joined(self, held: Band, following: Band, top: int, bottom: int) -> Band:
        if held.bottom <= top:
            return following
        held = held.cut(max(top, held.top), held.bottom)
        rows = following.bottom - held.top
        if self._memory is None or len(self._memory[1]) < rows:
            new = following.values, following.valid
            size = max(rows, bottom - top + len(following.valid))  # all that is needed at a time, at once
            memory = tuple(np.empty((size, *array.shape[1:]), array.dtype) for array in new)
        else:
            memory = self._memory
        for whole, upper, lower in zip(
            memory, (held.values, held.valid), (following.values, following.valid), strict=True
        ):
            # Flat, as numpy then moves rows up in their own memory without a copy.
            whole.reshape(-1)[: upper.size] = upper.reshape(-1)
            whole[len(upper) : len(upper) + len(lower)] = lower
        self._memory = memory[0], memory[1]
        return Band(held.top, memory[0][:rows], memory[1][:rows])


@dataclass(frozen=True, eq=False)
class ReadAhead:
    """Has a thread of its own make the source's bands, always the next one."""

    source: RowStream

    @property
    def grid(self) -> Grid:
        return self.source.grid

    def bands(self, start: int = 0) -> Iterator[Band]:
        return ahead(self.source.bands(start))


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items of an iterator, the next one made in a thread of its own while one is used."""
    with ThreadPoolExecutor(1, "ahead") as thread:  # one: files close in the thread that opened them
        try:
            coming = thread.submit(next, items, None)
            while (item := coming.result()) is not None:
                coming = thread.submit(next, items, None)
                yield item
                del item  # not kept until the next one is there
        finally:
            thread.submit(getattr(items, "close", lambda: None)).result()


def read_into(rows: RowStream, out: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
    """All values of a stream into `out` (H, W, ...), and where they are valid into `valid` (H, W)."""
    for band in rows.bands():
        out[band.top : band.bottom] = band.values
        if valid is not None:
            valid[band.top : band.bottom] = band.valid
