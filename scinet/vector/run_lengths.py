"""Masks of COCO, stored as run lengths."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import Affine

from scinet.vector.trace import polygonize

Ring = list[tuple[float, float]]


def outlines(mask: dict[str, Any], shape: tuple[int, int]) -> list[Ring]:
    """The outer outlines of a mask, in (column, row).

    Args:
        mask: {"size": [height, width], "counts": run lengths down the columns, as numbers or compressed as a text}.
        shape: Height and width of the image.

    Raises:
        ValueError: It has another size, or its runs do not fill it.

    Example:
        >>> outlines({"size": [4, 3], "counts": [5, 2, 5]}, (4, 3))
        [[(1.0, 1.0), (1.0, 3.0), (2.0, 3.0), (2.0, 1.0), (1.0, 1.0)]]
    """
    height, width = map(int, mask["size"])
    counts = mask["counts"]
    runs = np.array(_uncompressed(counts) if isinstance(counts, str) else counts, np.int64)
    if (height, width) != shape or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError
    ends = runs.cumsum()
    if len(runs) < 2 or not runs[1::2].any():
        return []
    # Only the columns that hold something: a mask of a house in a large image is small
    first, last = int(ends[0]) // height, (int(ends[1::2][-1]) - 1) // height
    start, stop = first * height, (last + 1) * height
    lengths = np.diff(np.clip(np.concatenate([[0], ends]), start, stop))
    pixels = np.repeat((np.arange(len(lengths)) % 2).astype(np.int32), lengths).reshape(-1, height).T
    return _rings(np.ascontiguousarray(pixels), first)


def _rings(pixels: NDArray[np.int32], first_column: int) -> list[Ring]:
    (outline,) = polygonize(pixels, Affine.translation(first_column, 0))
    return [list(part.exterior.coords) for part in getattr(outline, "geoms", [outline])]


def _uncompressed(text: str) -> list[int]:
    """Run lengths from COCO's text: 5 bits a character, each run after the second as a difference to two before."""
    runs: list[int] = []
    value = shift = 0
    for character in text.encode("ascii"):
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            if shift > 50:
                raise ValueError
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs
