"""From values of more than 8 bits to brightness: the range that is shown, the same for all parts of an image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (2.0, 98.0)


def stretch_range(values: NDArray[Any]) -> tuple[float, float]:
    """The values that become 0 and 255, from a sample of valid ones (n,)."""
    values = values.astype(np.float64)
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, PERCENTILES)
    if low == high:  # nearly constant: a few values must not be lost
        low, high = values.min(), values.max()
    if low == high:  # constant: mid-grey
        low, high = low - 1.0, high + 1.0
    return float(low), float(high)


def common_range(samples: Sequence[NDArray[Any]], values_each: int = 20_000) -> tuple[float, float]:
    """The range of several images, each of which counts alike, from a sample (n,) of each."""
    thinned = [sample[:: max(1, sample.size // values_each)] for sample in samples]
    return stretch_range(np.concatenate(thinned))


def stretched(values: NDArray[Any], stretch: tuple[float, float]) -> NDArray[np.uint8]:
    """Values in any dtype as uint8, so that those of the range become 0 and 255."""
    low, high = stretch
    fraction = (values.astype(np.float64) - low) / (high - low)
    return np.rint(255.0 * np.clip(np.nan_to_num(fraction), 0.0, 1.0)).astype(np.uint8)


def stretch_note(dtype: str, stretch: tuple[float, float]) -> str:
    """What to say of a range that was chosen here."""
    return (
        f"{dtype} values were stretched to 8 bits from {stretch[0]:.4g}..{stretch[1]:.4g}, their 2nd and 98th "
        "percentiles. Choose others with --stretch LOW HIGH."
    )
