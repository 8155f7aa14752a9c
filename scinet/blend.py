"""The networks on overlapping windows, in batches, their answers blended.

Squeeze-and-excite pools over the whole window, so the same pixel gets another probability in a window of
another size. All windows of an image have therefore one size, at most the one on the checkpoint's card.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from scinet.checkpoint import Model
from scinet.device import has_bfloat16
from scinet.grid import Grid
from scinet.models import MIN_SIDE_PX
from scinet.rows import Band, Rows, Sliding
from scinet.windows import Windows, window_side

Progress = Callable[[float], None]

BATCH = {"cuda": 16, "mps": 8, "cpu": 1}  # on a CPU one window fills the cores, and a batch only the cache
_WAITING_PX = 32_000_000  # rows that may wait for a batch to fill


class Segmented:
    """The probability of an image on its own grid: values float32 (H, W) in [0, 1], 0 where not valid.

    Rows of windows are read, run, blended, and cut off as soon as no later window reaches them. Windows of pure
    nodata are not run. ``window_px`` is the longest side of a window, by default the card's; ``progress`` is called
    with the share done, in (0, 1].
    """

    def __init__(
        self, source: Rows, model: Model, window_px: int | None = None, progress: Progress | None = None
    ) -> None:
        self.source, self.grid = source, source.grid
        self._model, self._progress = model, progress
        window_px = max(window_px or model.card.window_px_at(source.grid.cm_per_px), MIN_SIDE_PX)
        height, width = (max(side, MIN_SIDE_PX) for side in source.grid.shape)
        down, across = (window_px if model.one_size else window_side(side, window_px) for side in (height, width))
        self._down, self._across = Windows.along(height, down), Windows.along(width, across)

    def first_row(self, start: int) -> int:
        """The first row of the source that row `start` needs."""
        return self._down.starts[self._down.first_reaching(start)]

    def bands(self, start: int = 0) -> Iterator[Band]:
        height, width = self.grid.shape
        source = _Padded(self.source) if min(height, width) < MIN_SIDE_PX else self.source
        rows = Sliding(source.bands(self.first_row(start)))
        canvas = _Canvas(start, source.grid.width)
        waiting: list[_Window] = []
        tops = self._down.starts
        for index in range(self._down.first_reaching(start), len(tops)):
            band = rows.take(tops[index], tops[index] + self._down.size)
            canvas.extend(band)
            for step, left in enumerate(self._across.starts):
                part = np.s_[:, left : left + self._across.size]
                if band.valid[part].any():
                    shares = np.outer(self._down.shares[index], self._across.shares[step])
                    waiting.append(_Window(band.top, left, band.values[part].copy(), shares))
                if len(waiting) == BATCH[self._model.device.type]:
                    self._run(waiting, canvas)
                if not waiting:
                    self._report(index * len(self._across.starts) + step + 1)
            last = index + 1 == len(tops)
            if last or canvas.pixels > _WAITING_PX:
                self._run(waiting, canvas)
                self._report((index + 1) * len(self._across.starts))
            following = height if last else tops[index + 1]
            finished = min(following, waiting[0].top) if waiting else following
            if finished > canvas.top:
                yield canvas.cut(finished, width)

    def _run(self, waiting: list["_Window"], canvas: "_Canvas") -> None:
        if waiting:
            answers = _forward(np.stack([window.pixels for window in waiting]), self._model)
            for window, probability in zip(waiting, answers, strict=True):
                canvas.add(window, probability)
            waiting.clear()

    def _report(self, windows_done: int) -> None:
        if self._progress:
            self._progress(windows_done / (len(self._down.starts) * len(self._across.starts)))


@dataclass(frozen=True, eq=False)
class _Window:
    """A window that waits to be run: where it lies, its pixels uint8 (H, W, 3), its shares float32 (H, W)."""

    top: int
    left: int
    pixels: NDArray[np.uint8]
    shares: NDArray[np.float32]


class _Canvas:
    """The rows that windows are blended into, from `top` on."""

    def __init__(self, top: int, width: int) -> None:
        self.top = top
        self._total = np.zeros((0, width), np.float32)
        self._valid = np.zeros((0, width), np.bool_)

    @property
    def pixels(self) -> int:
        return self._valid.size

    def extend(self, band: Band) -> None:
        """Make room for a band, of which the upper rows may be there already."""
        new = band.cut(max(band.top, self.top + len(self._valid)), band.bottom).valid
        self._valid = np.concatenate([self._valid, new])
        total = np.zeros(self._valid.shape, np.float32)
        total[: len(self._total)] = self._total
        self._total = total

    def add(self, window: _Window, probability: NDArray[np.float32]) -> None:
        above = max(0, self.top - window.top)  # rows that nobody asked for
        answer = window.shares[above:] * probability[above:]
        top, (height, width) = window.top + above - self.top, answer.shape
        self._total[top : top + height, window.left : window.left + width] += answer

    def cut(self, bottom: int, width: int) -> Band:
        """Take off the rows above `bottom`, which are finished, without the padding beyond `width`."""
        rows = bottom - self.top
        total, valid = self._total[:rows, :width], self._valid[:rows, :width]
        np.minimum(total, 1, out=total)
        total[~valid] = 0
        band = Band(self.top, total, valid)
        self._total, self._valid, self.top = self._total[rows:].copy(), self._valid[rows:].copy(), bottom
        return band


class _Padded:
    """An image with its border repeated where a side is too short for the networks; the border is not valid."""

    def __init__(self, source: Rows) -> None:
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


@torch.inference_mode()
def _forward(windows: np.ndarray, model: Model) -> np.ndarray:
    """uint8 (N, H, W, 3) to probability float32 (N, H, W)."""
    image = torch.from_numpy(windows).to(model.device).permute(0, 3, 1, 2)  # channels_last by its strides
    image = (image.float() / 255 - model.card.mean) / model.card.std
    # Twice as fast where the processor has it; on the trained checkpoints under 0.1 % of the mask's pixels differ
    with torch.autocast(model.device.type, torch.bfloat16, enabled=has_bfloat16(model.device)):
        logits = model.network(image)
    return logits[:, 0].float().sigmoid().cpu().numpy()
