"""Other resolutions of the same ground.

Downsampled, a pixel is the exact mean over the area it covers: what a sensor flown higher would see, free of
aliasing. Upsampled, it is interpolated. Both are weights along one axis at a time, so an image that
shrinks in x and grows in y needs nothing special.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy.sparse import csr_array

from scinet.errors import ResolutionError
from scinet.raster.grid import Grid
from scinet.raster.open import MAX_PIXELS
from scinet.raster.raster import Raster
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.stream import Band, OneShotStream, RasterStream, RowBuffer, RowStream, read_into

Upsampling = Literal["bilinear", "cubic"]

MIN_VALID_FRACTION = 0.5
_STRIPE_VALUES = 8_000_000


def resample(raster: Raster, cm_per_px: float, *, upsampling: Upsampling = "bilinear") -> Raster:
    """The same extent with pixels of (nearly) `cm_per_px` ground centimetres in x and in y.

    The extent stays exactly, so the pixel becomes the nearest size that divides it. Nodata takes no part in
    the means; a new pixel is valid where at least half of its weight is. Pixels that are not valid are 0.

    Raises:
        ResolutionError: `cm_per_px` is not a number from 0.5 to 2000, or the image would not fit in memory.
    """
    grid = raster.grid.at(cm_per_px)
    if grid.height * grid.width > MAX_PIXELS:
        smallest = math.sqrt(math.prod(raster.grid.exact_size_at(1.0)) / MAX_PIXELS)
        smallest = math.ceil(1.001 * smallest * 100) / 100  # rounding of the sides must not carry it over
        raise ResolutionError(
            f"At {parse_cm_per_px(cm_per_px):g} cm/px the image would be {grid.width} x {grid.height} px and not fit "
            f"in memory. Choose {smallest:g} cm/px or more, or cut the image."
        )
    if grid.shape == raster.shape:
        return raster
    pixels, valid = np.empty((*grid.shape, 3), np.uint8), np.empty(grid.shape, np.bool_)
    read_into(Resampled(RasterStream(raster), grid, upsampling), pixels, valid)
    return Raster(pixels, valid, grid.transform, raster.crs, raster.notes)


class Resampled:
    """The rows of an image on another grid over the same extent, as `resample` and `resample_probability` say.

    Colours are uint8; other values are probabilities.
    """

    def __init__(self, source: RowStream, grid: Grid, upsampling: Upsampling = "bilinear") -> None:
        self.source, self.grid = source, grid
        self._rows = _axis_weights(source.grid.height, grid.height, upsampling)
        self._columns = _axis_weights(source.grid.width, grid.width, upsampling)

    def first_row(self, start: int) -> int:
        """The first row of the source that row `start` needs."""
        return int(self._rows.indices[self._rows.indptr[start] : self._rows.indptr[start + 1]].min())

    def bands(self, start: int = 0) -> Iterator[Band]:
        """Bands from the one with row `start` on."""
        if self.grid.shape == self.source.grid.shape:
            yield from self.source.bands(start)
            return
        source = RowBuffer(self.source.bands(self.first_row(start)))
        widest = max(self.source.grid.width, self.grid.width) * 3
        for stripe, needed in _stripes(self._rows, widest, start):
            yield self._stripe(stripe, source.take(needed.start, needed.stop))

    def _stripe(self, stripe: slice, source: Band) -> Band:
        # float32 throughout: 8-bit values keep 16 bits below the point, far more than the rounding at the end.
        values, rows = source.values.astype(np.float32), self._rows[stripe, source.top : source.bottom]
        if source.values.dtype != np.uint8:  # probabilities (H, W) or (H, W, C), which are defined everywhere
            mean = _weighted(rows, self._columns, np.atleast_3d(values))
            mean = mean[..., 0] if values.ndim == 2 else mean
            return Band(stripe.start, mean, np.broadcast_to(np.True_, mean.shape[:2]))
        if source.valid.all():
            mean = _weighted(rows, self._columns, values)
            valid = np.ones(mean.shape[:2], np.bool_)
        else:
            known = source.valid.astype(np.float32)[..., np.newaxis]
            fraction = _weighted(rows, self._columns, known)
            mean = _weighted(rows, self._columns, values * known)
            # Not divided where all is known, as a stripe without nodata is not: cuts must not show in the last bit.
            mean /= np.where(fraction > 1 - 1e-5, np.float32(1), np.maximum(fraction, np.float32(1e-6)))
            valid = fraction[..., 0] >= MIN_VALID_FRACTION - 1e-4
            mean[~valid] = 0.0
        return Band(stripe.start, np.clip(mean + np.float32(0.5), 0, 255).astype(np.uint8, order="C"), valid)


def resample_mask(mask: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """An array (H, W) of any dtype (a mask, labels) on `shape` over the same extent, nearest neighbour."""
    rows, columns = (
        ((2 * np.arange(target) + 1) * source) // (2 * target)  # the source pixel that holds the new centre
        for source, target in zip(mask.shape, shape, strict=True)
    )
    resampled: NDArray[Any] = mask[rows[:, np.newaxis], columns]
    return resampled


def resample_probability(probability: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A float32 array (H, W) on `shape` over the same extent: area means down, bilinear up."""
    height, width = probability.shape
    if shape == (height, width):
        return probability
    grid = Grid(height, width, Affine.identity(), None)
    whole = OneShotStream(grid, iter([Band(0, probability, np.broadcast_to(np.True_, probability.shape))]))
    result = np.empty(shape, np.float32)
    read_into(Resampled(whole, grid.resized(shape)), result)
    return result


def _axis_weights(source: int, target: int, upsampling: Upsampling) -> csr_array:
    """Weights (target, source) of the old samples along one axis in each new one; rows sum to 1."""
    if target == source:
        return csr_array((np.ones(source, np.float32), np.arange(source), np.arange(source + 1)))
    scale = source / target
    if target < source:
        # The lengths over which old and new pixels overlap.
        edges = np.arange(target + 1) * scale
        taps = math.ceil(scale) + 1
        index = np.floor(edges[:-1, np.newaxis]).astype(np.int64) + np.arange(taps)
        left = np.maximum(index, edges[:-1, np.newaxis])
        weights = np.clip(np.minimum(index + 1, edges[1:, np.newaxis]) - left, 0.0, None)
    else:
        taps = 2 if upsampling == "bilinear" else 4
        centre = (np.arange(target) + 0.5)[:, np.newaxis] * scale - 0.5  # in the old samples' numbers
        index = np.floor(centre).astype(np.int64) - (taps // 2 - 1) + np.arange(taps)
        distance = np.abs(index - centre)
        weights = 1.0 - distance if taps == 2 else _cubic(distance)
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(target), taps)
    columns = np.clip(index, 0, source - 1).ravel()  # samples beyond the edge are the edge's
    matrix = csr_array((weights.ravel().astype(np.float32), (rows, columns)), shape=(target, source))
    matrix.eliminate_zeros()
    return matrix


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cubic convolution with a = -0.5 (Keys 1981), for distances up to 2 samples."""
    d = distance
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d <= 1.0, near, far)


def _weighted(rows: csr_array, columns: csr_array, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply weights along both axes: (H, W, C) -> (new H, new W, C)."""
    height, width, channels = values.shape
    tall: NDArray[np.float32] = (rows @ values.reshape(height, width * channels)).reshape(-1, width, channels)
    across = np.ascontiguousarray(tall.transpose(1, 0, 2)).reshape(width, -1)
    wide: NDArray[np.float32] = columns @ across
    return wide.reshape(-1, tall.shape[0], channels).transpose(1, 0, 2)


def _stripes(rows: csr_array, values_per_row: int, start: int = 0) -> list[tuple[slice, slice]]:
    """Stripes of new rows from `start` on and the old rows that each needs, so that float copies stay small."""
    target, source = rows.shape
    height = max(1, int(_STRIPE_VALUES / (values_per_row * max(1.0, source / target))))
    stripes = []
    for top in range(start, target, height):
        stripe = slice(top, min(top + height, target))
        needed = rows.indices[rows.indptr[stripe.start] : rows.indptr[stripe.stop]]
        stripes.append((stripe, slice(int(needed.min()), int(needed.max()) + 1)))
    return stripes
