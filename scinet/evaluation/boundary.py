"""Boundary IoU: how well outlines agree, whatever the size of the buildings.

The boundary of a mask is the band of its own pixels within a distance d of its outline. Boundary IoU is the IoU of
the boundaries of both masks (Cheng et al. 2021, Boundary IoU: Improving Object-Centric Image Segmentation Evaluation).
As in the authors' code, the distance of two pixels is the larger of their row and column distances, and the edge of
the image is part of the outline. So is the edge of nodata.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.scores import Counts

BOUNDARY_WIDTH_M = 1.0

_BAND_ROWS = 512  # packed together
_WORD = 64  # bits

Words = NDArray[np.uint64]


def boundary_width_px(pixel_area_m2: float, width_m: float = BOUNDARY_WIDTH_M) -> int:
    """A width on the ground in whole pixels, at least 1.

    >>> boundary_width_px(0.04), boundary_width_px(9.0)
    (5, 1)
    """
    return max(1, round(width_m / math.sqrt(pixel_area_m2)))


def boundary_counts(
    truth: NDArray[Any], prediction: NDArray[np.bool_], *, width_px: int, valid: NDArray[np.bool_] | None = None
) -> Counts:
    """Count the pixels of both boundaries; `scores.iou` of the counts is boundary IoU.

    Args:
        truth: bool (H, W), or labels int (H, W), 0 is background. Walls between touching buildings are not part of
            the boundary: a semantic mask cannot show them.
        prediction: bool (H, W).
        width_px: The width d of the boundary, at least 1.
        valid: bool (H, W), False is nodata; all pixels are valid by default.

    Returns:
        Counts, which add up over tiles.
    """
    true = _boundary(_packed(truth, valid), width_px)
    predicted = _boundary(_packed(prediction, valid), width_px)
    tp = _size(true & predicted)
    return Counts(tp=tp, fp=_size(predicted) - tp, fn=_size(true) - tp)


def _packed(mask: NDArray[Any], valid: NDArray[np.bool_] | None) -> Words:
    """Valid pixels of a mask that are not 0, as bits: pixel x of a row is bit x % 64 of its word x // 64."""
    height, width = mask.shape
    packed = np.zeros((height, -(-width // _WORD) * _WORD // 8), np.uint8)
    for top in range(0, height, _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        band = mask[rows] != 0
        if valid is not None:
            band &= valid[rows]
        packed[rows, : -(-width // 8)] = np.packbits(band, axis=1, bitorder="little")
    return packed.view("<u8")


def _boundary(mask: Words, width_px: int) -> Words:
    """The pixels of a mask that are lost to erosion by a square of side 2 width_px + 1."""
    window = 2 * width_px + 1
    inner = _shifted_rows(_all_of_rows(mask, window), -width_px)
    inner = _shifted_columns(_all_of_columns(inner, window), -width_px)
    return mask & ~inner


def _all_of_rows(bits: Words, count: int) -> Words:
    """Each pixel AND the `count` - 1 pixels below it, in log2(count) steps."""
    joined = 1
    while joined < count:
        step = min(joined, count - joined)
        bits = bits & _shifted_rows(bits, step)
        joined += step
    return bits


def _all_of_columns(bits: Words, count: int) -> Words:
    """Each pixel AND the `count` - 1 pixels to its right, in log2(count) steps."""
    joined = 1
    while joined < count:
        step = min(joined, count - joined)
        bits = bits & _shifted_columns(bits, step)
        joined += step
    return bits


def _shifted_rows(bits: Words, step: int) -> Words:
    """Pixel (y + step, x) at (y, x); 0 outside."""
    moved = np.zeros_like(bits)
    if abs(step) < len(bits):
        moved[max(0, -step) : len(bits) - max(0, step)] = bits[max(0, step) : len(bits) + min(0, step)]
    return moved


def _shifted_columns(bits: Words, step: int) -> Words:
    """Pixel (y, x + step) at (y, x); 0 outside."""
    words, rest = divmod(step, _WORD)
    moved = _shifted_rows(bits.T, words).T
    if rest:
        moved = (moved >> np.uint64(rest)) | (_shifted_rows(bits.T, words + 1).T << np.uint64(_WORD - rest))
    return moved


def _size(bits: Words) -> int:
    return int(np.bitwise_count(bits).sum(dtype=np.int64))
