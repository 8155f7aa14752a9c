"""Sliding-window inference with Hann-weighted blending.

Squeeze-and-excite pools over the whole window, so the same pixel gets another probability in a window of another
size. That is why all windows of an image have the same size, at most the one on the model's card.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinet.models.model import MIN_SIDE_PX, Model
from scinet.progress import ReportProgress
from scinet.raster.grid import Grid
from scinet.raster.stream import Band, RowBuffer, RowStream
from scinet.segmentation.forward import Forward
from scinet.segmentation.tiling import Windows, windows_over

WAIT_S = 0.3  # between looks whether the result is still wanted
_WAITING_PX = 16_000_000  # of rows that may wait for missing answers


class BlendedWindows:
    """The outputs of a model on the source's own grid, in [0, 1], and 0 where not valid.

    Values are float32 (H, W), or (H, W, C) of a model with several outputs, building the first.

    Rows of windows are read, run and blended, and passed on as soon as no later window reaches them. Windows of pure
    nodata are not run.

    Args:
        source: The image as the model is to see it.
        model: Its card says how large windows may be.
        progress: Called with the fraction done, in [0, 1].
        flips: Whether each window is run in all eight turns and reflections, and the mean taken.
    """

    def __init__(
        self, source: RowStream, model: Model, progress: ReportProgress | None = None, *, flips: bool = False
    ) -> None:
        self.source, self.grid = source, source.grid
        self._model, self._progress, self._flips = model, progress, flips
        self._windows_done = 0
        self._down, self._across = windows_over(source.grid, model.card, one_size=model.one_size)

    @property
    def windows(self) -> tuple[Windows, Windows]:
        """Those down and those across."""
        return self._down, self._across

    def first_row(self, start: int) -> int:
        """The first row of the source that row `start` needs."""
        return self._down.starts[self._down.first_reaching(start)]

    def bands(self, start: int = 0) -> Iterator[Band]:
        """The rows from `start` on: values float32 (rows, W) or (rows, W, C)."""
        height, width = self.grid.shape
        source = _Padded(self.source) if min(height, width) < MIN_SIDE_PX else self.source
        rows = RowBuffer(source.bands(self.first_row(start)))
        canvas = _Canvas(start, source.grid.width, len(self._model.outputs))
        tops, lefts = self._down.starts, self._across.starts
        first = self._down.first_reaching(start)
        forward = Forward(self._model, self.grid.cm_per_px, (len(tops) - first) * len(lefts), self._flips)
        with _Answers(forward, canvas, self._repeat_report) as answers:
            for index in range(first, len(tops)):
                band = rows.take(tops[index], tops[index] + self._down.size)
                canvas.extend(band)
                for step, left in enumerate(lefts):
                    part = np.s_[:, left : left + self._across.size]
                    if band.valid[part].any():
                        weights = np.outer(self._down.weights[index], self._across.weights[step])
                        answers.ask(_Window(band.top, left, band.values[part].copy(), weights))
                    self._report(index * len(lefts) + step + 1 - answers.missing)
                last = index + 1 == len(tops)
                if last or canvas.pixels > _WAITING_PX:
                    answers.finish()
                    self._report((index + 1) * len(lefts))
                finished = answers.complete_to(height if last else tops[index + 1])
                if finished > canvas.top:
                    yield canvas.cut(finished, width)

    def _report(self, windows_done: int) -> None:
        self._windows_done = max(0, windows_done)
        if windows_done > 0:
            self._repeat_report()

    def _repeat_report(self) -> None:
        """Report what is done once more, so that work that nobody wants ends while a window takes long."""
        if self._progress:
            self._progress(self._windows_done / (len(self._down.starts) * len(self._across.starts)))


@dataclass(frozen=True, eq=False)
class _Window:
    """A window that waits to be run: where it lies, its pixels uint8 (H, W, 3), its weights float32 (H, W)."""

    top: int
    left: int
    pixels: NDArray[np.uint8]
    weights: NDArray[np.float32]


class _Answers:
    """Runs windows and adds the answers to the canvas, in the order in which they were asked for."""

    def __init__(self, forward: Forward, canvas: "_Canvas", while_waiting: Callable[[], None]) -> None:
        self._forward, self._canvas, self._while_waiting = forward, canvas, while_waiting
        self._waiting: list[_Window] = []  # for a batch to fill
        self._running: deque[tuple[list[_Window], Future[NDArray[np.float32]]]] = deque()

    def __enter__(self) -> "_Answers":
        return self

    def __exit__(self, *_: object) -> None:
        self._forward.stop()
        for running in self._running:  # where the work was stopped
            running[1].cancel()

    @property
    def missing(self) -> int:
        return len(self._waiting) + sum(len(windows) for windows, _ in self._running)

    def complete_to(self, row: int) -> int:
        """The row, or the first one above it that still misses an answer."""
        batches = [windows for windows, _ in self._running] + [self._waiting]
        return min([row, *(window.top for windows in batches for window in windows)])

    def ask(self, window: "_Window") -> None:
        self._waiting.append(window)
        if len(self._waiting) == self._forward.batch:
            self._begin()
        while len(self._running) > self._forward.at_a_time:  # one is queued, so that no core waits for this thread
            self._take()

    def finish(self) -> None:
        if self._waiting:
            self._begin()
        while self._running:
            self._take()

    def _begin(self) -> None:
        self._running.append((self._waiting, self._forward.begin([window.pixels for window in self._waiting])))
        self._waiting = []

    def _take(self) -> None:
        windows, answer = self._running[0]
        while not wait([answer], WAIT_S).done:
            self._while_waiting()
        for window, probability in zip(windows, answer.result(), strict=True):
            self._canvas.add(window, probability)
        self._running.popleft()


class _Canvas:
    """The rows that windows are blended into, from `top` on; NaN where not valid, which no answer changes."""

    def __init__(self, top: int, width: int, outputs: int) -> None:
        self.top = top
        self._total = np.zeros((0, width, outputs), np.float32)

    @property
    def pixels(self) -> int:
        return self._total[..., 0].size

    def extend(self, band: Band) -> None:
        """Make room for a band, of which the upper rows may be there already."""
        held = len(self._total)
        new = band.cut(max(band.top, self.top + held), band.bottom).valid
        total = np.zeros((held + len(new), *self._total.shape[1:]), np.float32)
        total[:held] = self._total
        total[held:][~new] = np.nan
        self._total = total

    def add(self, window: _Window, probability: NDArray[np.float32]) -> None:
        above = max(0, self.top - window.top)  # rows that nobody asked for
        answer = window.weights[above:, :, np.newaxis] * probability[above:]
        top, (height, width) = window.top + above - self.top, answer.shape[:2]
        self._total[top : top + height, window.left : window.left + width] += answer

    def cut(self, bottom: int, width: int) -> Band:
        """Take off the rows above `bottom`, which are finished, without the padding beyond `width`."""
        rows = bottom - self.top
        total = self._total[:rows, :width]
        valid = ~np.isnan(total[..., 0])
        np.fmin(total, 1, out=total)  # turns NaN into a number too
        total *= valid[..., np.newaxis]
        band = Band(self.top, total[..., 0] if total.shape[2] == 1 else total, valid)
        self._total, self.top = self._total[rows:].copy(), bottom
        return band


class _Padded:
    """An image with its border repeated where a side is too short for the networks; the border is not valid."""

    def __init__(self, source: RowStream) -> None:
        self.source = source
        height, width = source.grid.shape
        self._shape = height, width
        self.grid = Grid(max(height, MIN_SIDE_PX), max(width, MIN_SIDE_PX), source.grid.transform, source.grid.crs)

    def bands(self, start: int = 0) -> Iterator[Band]:
        height, width = self._shape
        for band in self.source.bands(min(start, height - 1)):
            below = self.grid.height - height if band.bottom == height else 0
            padding = (0, below), (0, self.grid.width - width)
            yield Band(band.top, np.pad(band.values, (*padding, (0, 0)), mode="edge"), np.pad(band.valid, padding))
