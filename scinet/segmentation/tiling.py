"""Overlapping windows over an image, and the weight of each at a pixel."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinet.models.card import Card
from scinet.raster.grid import Grid

STEP_PX = 32  # the networks halve their input five times: any other side is padded, which costs accuracy
MIN_OVERLAP_PX = 32  # that neighbours share; at most a quarter of a window


def window_side(length_px: int, most_px: int, least_px: int = STEP_PX) -> int:
    """The length of windows along an image's side: as few windows as possible, each as small as possible.

    They are no smaller than `least_px`, or the longest multiple of STEP_PX up to `most_px`.

    >>> window_side(1024, 576), window_side(530, 576), window_side(256, 576)
    (544, 288, 256)
    >>> window_side(530, 576, least_px=400)
    416
    """
    most_px = min(length_px, most_px)
    whole_steps = most_px - most_px % STEP_PX
    first = min(math.ceil(least_px / STEP_PX) * STEP_PX, whole_steps)
    sides = range(max(STEP_PX, first), most_px + 1, STEP_PX) or [most_px]
    fewest = len(window_starts(length_px, sides[-1]))
    return next(side for side in sides if len(window_starts(length_px, side)) == fewest)


def window_starts(length_px: int, window_px: int) -> list[int]:
    """Where windows begin along a side: evenly spread, as few as overlap by MIN_OVERLAP_PX.

    >>> window_starts(1024, 544)
    [0, 480]
    >>> window_starts(300, 512)
    [0]
    """
    if length_px <= window_px:
        return [0]
    stride = window_px - min(MIN_OVERLAP_PX, window_px // 4)
    gaps = math.ceil((length_px - window_px) / stride)
    return [round(index * (length_px - window_px) / gaps) for index in range(gaps + 1)]


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows along one side of an image.

    Attributes:
        starts: Where they begin, in px.
        size: Their length in px, the same for all.
        weights: float32 (windows, size): the weight of a window's answer at each of its pixels. All windows' weights
            at a pixel add up to 1.
    """

    starts: list[int]
    size: int
    weights: NDArray[np.float32]

    @classmethod
    def along(cls, length_px: int, window_px: int) -> "Windows":
        """Those of a side of `length_px`, each `window_px` long, or as long as a shorter side.

        Weights are Hann windows sampled at the pixels' centres: they approach zero with slope zero but never reach
        it. So a window fades in without a step (a tent's first pixel has a weight of several per cent, which is
        visible), and a pixel that only one window covers gets that window's answer.
        """
        starts, size = window_starts(length_px, window_px), min(length_px, window_px)
        bell = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
        total = np.zeros(length_px)
        for start in starts:
            total[start : start + size] += bell
        weights = np.stack([bell / total[start : start + size] for start in starts])
        return cls(starts, size, weights.astype(np.float32))

    def first_reaching(self, position_px: int) -> int:
        """The index of the first window that ends beyond a position."""
        return next(index for index, start in enumerate(self.starts) if start + self.size > position_px)


def windows_over(grid: Grid, card: Card, *, one_size: bool = False) -> tuple[Windows, Windows]:
    """The windows by which a model sees an image: those down and those across.

    An image of less than STEP_PX is padded to it.

    Args:
        grid: The image's grid, as the model is to see it.
        card: Says how large windows may be, and how much ground they have to show.
        one_size: Whether all windows have the card's size, even those of smaller images.
    """
    most_px = max(card.window_px_at(grid.cm_per_px), STEP_PX)
    least_px = card.least_window_px_at(grid.cm_per_px)
    sides = [max(side, STEP_PX) for side in grid.shape]
    down, across = (
        Windows.along(side, most_px if one_size else window_side(side, most_px, least_px)) for side in sides
    )
    return down, across
