"""Probability of building for every pixel of an image, at any working GSD, seen in one of three ways.

An image in memory and one that streams from a file go the same way; see `scinet.raster.stream`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import tee
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scinet.models.checkpoint import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import Resampled, resample
from scinet.raster.stream import Band, OneShotStream, RasterStream, RowBuffer, RowStream, read_into
from scinet.segmentation.blend import Progress, Segmented

Strategy = Literal["direct", "canonical", "multi-scale"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

MULTI_SCALES = (0.5, 1.0, 2.0)  # of the working GSD
_MERGED_ROWS = 256


def segment_at(
    raster: Raster, model: Model, cm_per_px: float, strategy: Strategy = "direct", progress: Progress | None = None
) -> tuple[Raster, np.ndarray]:
    """Segment an image at a working GSD: the raster at that GSD, and the probability float32 (H, W) on its grid.

    direct       the model sees the working raster as it is
    canonical    the working raster goes to the middle of the model's training GSD range, the probability back
    multi-scale  the mean of the probabilities at half, once and twice the working GSD

    Raises ResolutionError where the image at the working GSD would not fit in memory.
    """
    working = resample(raster, cm_per_px)
    return working, segment_working(working, model, strategy, progress)


def segment_working(
    working: Raster, model: Model, strategy: Strategy, progress: Progress | None = None
) -> NDArray[np.float32]:
    """As `segment_at`, for an image that has the working GSD: the probability alone."""
    probability = np.empty(working.shape, np.float32)
    read_into(segmented(RasterStream(working), model, strategy, progress), probability)
    return probability


def segment(
    raster: Raster, model: Model, *, window_px: int | None = None, progress: Progress | None = None
) -> np.ndarray:
    """Probability of building, float32 (H, W) in [0, 1], 0 where the raster is not valid.

    ``window_px`` is the longest side of a window, by default the card's. ``progress`` is called with the done share
    in (0, 1]. An image of one window gets exactly the network's answer.
    """
    probability = np.empty(raster.shape, np.float32)
    read_into(Segmented(RasterStream(raster), model, window_px, progress), probability)
    return probability


def segmented(source: RowStream, model: Model, strategy: Strategy, progress: Progress | None = None) -> RowStream:
    """The probability of a working image under a strategy, as `segment_at` has it, in bands.

    Raises ResolutionError where the strategy needs a GSD that is none.
    """
    if strategy == "direct":
        return Segmented(source, model, progress=progress)
    if strategy == "canonical":
        return AtOtherScales(source, model, [model.card.canonical_cm_per_px], progress)
    return AtOtherScales(source, model, [scale * source.grid.cm_per_px for scale in MULTI_SCALES], progress)


class AtOtherScales:
    """The mean of the probabilities that a model gives at other GSDs, brought back to the source's grid."""

    def __init__(
        self, source: RowStream, model: Model, seen_at_cm_per_px: list[float], progress: Progress | None
    ) -> None:
        self.source, self.grid = source, source.grid
        self._model = model
        self._seen_at = [source.grid.at(cm_per_px) for cm_per_px in seen_at_cm_per_px]
        self._progress = progress
        self._done: list[float] = []

    def first_row(self, start: int) -> int:
        return min(self._chain(self.source, index)[1](start) for index in range(len(self._seen_at)))

    def bands(self, start: int = 0) -> Iterator[Band]:
        self._done = [start / self.grid.height] * len(self._seen_at)
        validity: deque[Band] = deque()  # of the rows that the models have had, and the answers have not
        streams = tee(_noting_validity(self.source.bands(self.first_row(start)), validity), len(self._seen_at))
        answers = [
            RowBuffer(self._chain(OneShotStream(self.grid, stream), index)[0].bands(start))
            for index, stream in enumerate(streams)
        ]
        valid_rows = RowBuffer(_drained(validity))
        for top in range(start, self.grid.height, _MERGED_ROWS):
            bottom = min(top + _MERGED_ROWS, self.grid.height)
            total = np.zeros((bottom - top, self.grid.width), np.float32)
            for answer in answers:
                total += answer.take(top, bottom).values
            valid = valid_rows.take(top, bottom).valid.copy()
            total /= np.float32(len(answers))
            total[~valid] = 0
            yield Band(top, total, valid)

    def _chain(self, source: RowStream, index: int) -> tuple[RowStream, Callable[[int], int]]:
        """There, segmented, and back; and the first row of the source that a row needs."""
        there = Resampled(source, self._seen_at[index])
        seen = Segmented(there, self._model, progress=lambda done: self._report(index, done))
        back = Resampled(seen, self.grid)
        return back, lambda row: there.first_row(seen.first_row(back.first_row(row)))

    def _report(self, index: int, done: float) -> None:
        self._done[index] = max(done, self._done[index])
        if self._progress:
            self._progress(sum(self._done) / len(self._done))


def _noting_validity(bands: Iterator[Band], validity: deque[Band]) -> Iterator[Band]:
    for band in bands:
        validity.append(Band(band.top, band.valid, band.valid))
        yield band


def _drained(waiting: deque[Band]) -> Iterator[Band]:
    while True:
        yield waiting.popleft()
