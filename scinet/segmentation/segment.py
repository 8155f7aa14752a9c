"""Probability of building for every pixel of an image, at any working resolution, under any strategy.

Images in memory and those that stream from a file take the same path; see `scinet.raster.stream`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import tee
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinet.models.model import Model
from scinet.progress import ReportProgress
from scinet.raster.raster import Raster
from scinet.raster.resample import Resampled, resample
from scinet.raster.stream import Band, OneShotStream, RasterStream, RowBuffer, RowStream, read_into
from scinet.segmentation.blend import BlendedWindows
from scinet.segmentation.instances import PartedBuildings
from scinet.segmentation.strategies import Strategy, StrategyName

_MERGED_ROWS = 256


class Segmentation(NamedTuple):
    """The probability of building for each pixel of an image at its working resolution.

    Attributes:
        raster: The image at the working resolution, (H, W) px.
        probability: float32 (H, W) in [0, 1] on the raster's grid; 0 where the raster is not valid.

    Example:
        >>> import numpy as np
        >>> from scinet import Segmentation, make_town
        >>> raster = make_town(size_m=30).render(cm_per_px=50)
        >>> found = Segmentation(raster, np.zeros(raster.shape, np.float32))
        >>> (found.probability > 0.5).sum()
        np.int64(0)
    """

    raster: Raster
    probability: NDArray[np.float32]


def segment(
    raster: Raster,
    model: Model,
    cm_per_px: float | None = None,
    strategy: Strategy | StrategyName = "best-scale",
    *,
    progress: ReportProgress | None = None,
) -> Segmentation:
    """Segment an image in memory.

    Windows overlap and are blended, so there are no seams; an image of one window gets exactly the network's answer.
    A model that tells touching buildings apart gives 0 on a line between them.

    Args:
        raster: The image, uint8 (H, W, 3).
        model: What `load_model` returns.
        cm_per_px: The working resolution in cm/px on the ground, to which the image is resampled first; by default
            the image's own.
        strategy: "direct": the model sees the image at the working resolution. "best-scale": enlarged or reduced by
            the scale that suits the model there. "multi-scale": the mean at its two best scales. A `Strategy` says
            more: whose scales count, and whether windows are flipped.
        progress: Called with the fraction done, in [0, 1].

    Returns:
        The image at the working resolution, and its probability of building, float32 (H, W).

    Raises:
        ResolutionError: `cm_per_px` is not a usable number, or the image would not fit in memory at it.

    Example:
        >>> from scinet import load_model, make_town, segment
        >>> raster = make_town(seed=3, size_m=30).render(cm_per_px=25)
        >>> working, probability = segment(raster, load_model("unet"), cm_per_px=50)
        >>> raster.shape, working.shape, probability.shape, probability.dtype
        ((120, 120), (60, 60), (60, 60), dtype('float32'))
    """
    working = raster if cm_per_px is None else resample(raster, cm_per_px)
    probability = np.empty(working.shape, np.float32)
    read_into(probability_stream(RasterStream(working), model, strategy, progress), probability)
    return Segmentation(working, probability)


def probability_stream(
    working: RowStream, model: Model, strategy: Strategy | StrategyName, progress: ReportProgress | None = None
) -> RowStream:
    """The probability that `segment` gives, as bands of rows: for images that do not fit in memory.

    Models with several outputs part buildings that touch: see `scinet.segmentation.instances`.

    Args:
        working: The image at the working resolution.
        model: What `load_model` returns.
        strategy: As in `segment`.
        progress: Called with the fraction done, in [0, 1].

    Raises:
        ResolutionError: The strategy needs a resolution that the image cannot have.
    """
    outputs = _output_stream(working, model, Strategy.of(strategy), progress)
    return PartedBuildings(outputs) if len(model.outputs) > 1 else outputs


def _output_stream(
    working: RowStream, model: Model, strategy: Strategy, progress: ReportProgress | None
) -> "BlendedWindows | AtOtherScales":
    """What the model itself gives: values float32 (H, W), or (H, W, C) of a model with several outputs."""
    cm_per_px = working.grid.cm_per_px
    scales = strategy.scales(model.card, cm_per_px)
    if scales == (1.0,):
        return BlendedWindows(working, model, progress, flips=strategy.flips)
    return AtOtherScales(working, model, [cm_per_px / scale for scale in scales], progress, flips=strategy.flips)


class AtOtherScales:
    """The mean of the outputs that a model gives at other resolutions, resampled to the source's grid."""

    def __init__(
        self,
        source: RowStream,
        model: Model,
        seen_at_cm_per_px: list[float],
        progress: ReportProgress | None,
        *,
        flips: bool = False,
    ) -> None:
        self.source, self.grid = source, source.grid
        self._model, self._flips = model, flips
        self._seen_at = [source.grid.at(cm_per_px) for cm_per_px in seen_at_cm_per_px]
        self._progress = progress
        self._done: list[float] = []

    def first_row(self, start: int) -> int:
        """The first row of the source that row `start` needs."""
        return min(self._chain(self.source, index)[1](start) for index in range(len(self._seen_at)))

    def bands(self, start: int = 0) -> Iterator[Band]:
        """The rows from `start` on: values float32 (rows, W) or (rows, W, C)."""
        self._done = [start / self.grid.height] * len(self._seen_at)
        validity: deque[Band] = deque()  # of the rows that the models have seen and whose answers are not out yet
        streams = tee(_noting_validity(self.source.bands(self.first_row(start)), validity), len(self._seen_at))
        answers = [
            RowBuffer(self._chain(OneShotStream(self.grid, stream), index)[0].bands(start))
            for index, stream in enumerate(streams)
        ]
        valid_rows = RowBuffer(_drained(validity))
        for top in range(start, self.grid.height, _MERGED_ROWS):
            bottom = min(top + _MERGED_ROWS, self.grid.height)
            total = np.zeros((), np.float32)
            for answer in answers:
                total = total + answer.take(top, bottom).values
            valid = valid_rows.take(top, bottom).valid.copy()
            total /= np.float32(len(answers))
            total[~valid] = 0
            yield Band(top, total, valid)

    def _chain(self, source: RowStream, index: int) -> tuple[RowStream, Callable[[int], int]]:
        """There, segmented, and back; and the first row of the source that a row needs."""
        there = Resampled(source, self._seen_at[index])
        seen = BlendedWindows(there, self._model, lambda done: self._report(index, done), flips=self._flips)
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
