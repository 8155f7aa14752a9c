"""Values that programs write where an image holds nothing, in files that do not mark them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What GIS programs use; none of them is a measured colour.
_USUAL = (-9999.0, -99999.0, -32768.0, -32767.0, -999.0, -10000.0, -9999999.0)
_HUGE = 1e30  # the extremes of float32, and what nobody measures
_FAR = 0.02  # of the brightness of the rest: 0 stands apart from it
_AT_THE_EDGE = 0.01  # of the image's border, at least, belongs to a collar


def unmarked_nodata(sample: NDArray[Any], held: NDArray[np.bool_], reaches_edges: bool) -> list[float]:
    """Values that are nodata though the file does not say so; in pixels all of whose bands have one.

    Args:
        sample: (C, H, W), of more than 8 bits.
        held: bool (H, W), False where the file says nodata.
        reaches_edges: Whether the sample's border is the image's.

    Returns:
        The values, in the sample's dtype; empty where there are none.
    """
    same = held & (sample == sample[0]).all(axis=0)
    with np.errstate(invalid="ignore"):
        candidates = np.unique(sample[0][same])
    found = [float(value) for value in candidates if value in _USUAL or abs(float(value)) > _HUGE]
    rest = held & ~(same & np.isin(sample[0], found))
    edges = [0.0]
    if sample.dtype.kind in "iu":
        edges.append(float(np.iinfo(sample.dtype).max))
    return found + [
        value
        for value in edges
        if value in candidates and reaches_edges and _is_collar(sample, same & (sample[0] == value), rest, value)
    ]


def _is_collar(sample: NDArray[Any], collar: NDArray[np.bool_], held: NDArray[np.bool_], value: float) -> bool:
    """Whether pixels of one value touch the image's edge and are far from all others."""
    border = np.concatenate([collar[0], collar[-1], collar[:, 0], collar[:, -1]])
    image = sample[:, held & ~collar]
    if border.mean() < _AT_THE_EDGE or image.size == 0:
        return False
    low, high = np.nanpercentile(image.astype(np.float64), (1, 99))
    if value == 0:
        return bool(low > _FAR * high > 0)
    return bool(high < (1 - _FAR) * value)
