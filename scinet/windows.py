"""Overlapping windows over an image, and how much each of them says about a pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.25  # of a window's side, shared with its neighbour


def window_starts(length_px: int, window_px: int) -> list[int]:
    """Where windows begin along a side: evenly spread, each sharing at least OVERLAP with the next.

    >>> window_starts(1024, 512)
    [0, 256, 512]
    >>> window_starts(300, 512)
    [0]
    """
    if length_px <= window_px:
        return [0]
    stride = window_px * (1 - OVERLAP)
    gaps = int(np.ceil((length_px - window_px) / stride))
    return [round(index * (length_px - window_px) / gaps) for index in range(gaps + 1)]


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows along one side of an image.

    starts  where they begin, in px
    size    their length in px, the same for all
    shares  float32 (windows, size): the weight of a window's answer at each of its pixels. All windows' weights
            at a pixel add up to 1.
    """

    starts: list[int]
    size: int
    shares: NDArray[np.float32]

    @classmethod
    def along(cls, length_px: int, window_px: int) -> "Windows":
        """Those of a side of `length_px`, each `window_px` long, or as long as a shorter side.

        Weights are Hann windows sampled at the pixels' centres. Such a bell leaves zero with slope zero but
        never reaches it. So a window comes in without a step (a tent's first pixel has a share of some per
        cent, and that showed), and a pixel that one window alone covers gets that window's answer.
        """
        starts, size = window_starts(length_px, window_px), min(length_px, window_px)
        bell = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
        total = np.zeros(length_px)
        for start in starts:
            total[start : start + size] += bell
        shares = np.stack([bell / total[start : start + size] for start in starts])
        return cls(starts, size, shares.astype(np.float32))

    def first_reaching(self, position_px: int) -> int:
        """The index of the first window that ends beyond a position."""
        return next(index for index, start in enumerate(self.starts) if start + self.size > position_px)
