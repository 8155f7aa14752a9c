"""Images as streams of rows, so that a stage of the work holds a few hundred rows at a time, whatever the image.

A stage is a `RowStream`: it takes another one as its source and makes bands from it. Nothing is computed before bands
are asked for, and every pixel comes out the same wherever the bands are cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from scinet.raster.grid import Grid
from scinet.raster.raster import Raster

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Band:
    """Consecutive rows of an image, full width.

    Attributes:
        top: The first row.
        values: Colours uint8 (H, W, 3), probability float32 (H, W), or a model's outputs float32 (H, W, C).
        valid: bool (H, W).
    """

    top: int
    values: NDArray[Any]
    valid: NDArray[np.bool_]

    @property
    def bottom(self) -> int:
        """The row after the last one."""
        return self.top + len(self.valid)

    def cut(self, top: int, bottom: int) -> "Band":
        """Its rows from `top` to `bottom`, as far as it has them, without a copy."""
        first, last = max(top, self.top), min(bottom, self.bottom)
        rows = slice(first - self.top, last - self.top)
        return Band(first, self.values[rows], self.valid[rows])


class RowStream(Protocol):
    """An image that comes in bands."""

    @property
    def grid(self) -> Grid:
        """Of the whole image."""
        ...

    def bands(self, start: int = 0) -> Iterator[Band]:
        """Bands without a gap down to the last row. The first one holds row `start`, and may begin above it."""
        ...


@dataclass(frozen=True, eq=False)
class RasterStream:
    """A raster in memory: one band."""

    raster: Raster

    @property
    def grid(self) -> Grid:
        """The raster's."""
        return self.raster.grid

    def bands(self, start: int = 0) -> Iterator[Band]:
        """The raster as one band, whatever `start`."""
        yield Band(0, self.raster.pixels, self.raster.valid)


@dataclass(frozen=True, eq=False)
class OneShotStream:
    """A stream whose bands can be iterated once."""

    grid: Grid
    stream: Iterator[Band]

    def bands(self, start: int = 0) -> Iterator[Band]:
        """The bands that are left, whatever `start`."""
        return self.stream


class RowBuffer:
    """A sliding buffer of the rows of a stream that are still needed, in one block of memory."""

    def __init__(self, bands: Iterator[Band]) -> None:
        self._bands = bands
        self._held: Band | None = None
        self._memory: tuple[NDArray[Any], NDArray[np.bool_]] | None = None

    def take(self, top: int, bottom: int) -> Band:
        """The rows from `top` to `bottom`, valid until the next call; those above `top` are dropped."""
        if self._held is None:
            self._held = next(self._bands)
        while self._held.bottom < bottom:
            self._held = self._joined(self._held, next(self._bands), top, bottom)
        assert self._held.top <= top, f"row {top} has been dropped"
        return self._held.cut(top, bottom)

    def _joined(self, held: Band, following: Band, top: int, bottom: int) -> Band:
        if held.bottom <= top:
            return following
        held = held.cut(max(top, held.top), held.bottom)
        rows = following.bottom - held.top
        if self._memory is None or len(self._memory[1]) < rows:
            new = following.values, following.valid
            size = max(rows, bottom - top + len(following.valid))  # allocated once for all that is needed at a time
            memory = tuple(np.empty((size, *array.shape[1:]), array.dtype) for array in new)
        else:
            memory = self._memory
        for whole, upper, lower in zip(
            memory, (held.values, held.valid), (following.values, following.valid), strict=True
        ):
            # Flat, as numpy then moves the rows up in place, without a copy.
            whole.reshape(-1)[: upper.size] = upper.reshape(-1)
            whole[len(upper) : len(upper) + len(lower)] = lower
        self._memory = memory[0], memory[1]
        return Band(held.top, memory[0][:rows], memory[1][:rows])


@dataclass(frozen=True, eq=False)
class ReadAhead:
    """Makes the source's next band in another thread while the current one is used."""

    source: RowStream

    @property
    def grid(self) -> Grid:
        """The source's."""
        return self.source.grid

    def bands(self, start: int = 0) -> Iterator[Band]:
        """The source's bands, each made while the one before is used."""
        return ahead(self.source.bands(start))


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items of an iterator, the next one made in another thread while one is used.

    One thread makes them all: files are closed by the thread that opened them. It is not an executor's: where this
    generator is garbage within a cycle, an executor would stop its thread before the generator is closed.
    """
    wanted: SimpleQueue[bool] = SimpleQueue()
    made: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    worker = Thread(target=_make, args=(items, wanted, made), name="ahead", daemon=True)
    worker.start()
    try:
        wanted.put(True)
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is None:
                break
            wanted.put(True)
            yield item
            del item  # free it before the next one is there
    finally:
        wanted.put(False)
        if current_thread() is not worker:  # garbage may be collected in any thread
            worker.join()


def _make(
    items: Iterator[T], wanted: "SimpleQueue[bool]", made: "SimpleQueue[tuple[T | None, BaseException | None]]"
) -> None:
    """Make an item, or the error in its place, whenever one is wanted; at the end close the iterator."""
    for _ in iter(wanted.get, False):
        try:
            made.put((next(items, None), None))
        except BaseException as error:
            made.put((None, error))
    getattr(items, "close", lambda: None)()


def read_into(rows: RowStream, out: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
    """Copy all values of a stream into `out` (H, W, ...), and where they are valid into `valid` (H, W)."""
    for band in rows.bands():
        out[band.top : band.bottom] = band.values
        if valid is not None:
            valid[band.top : band.bottom] = band.valid
