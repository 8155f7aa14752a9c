"""The smallest building that a model still finds most of the time."""

from math import nan

import numpy as np
from numpy.typing import NDArray

from scinet.evaluation.diagnose import Buildings

FOUND_SHARE = 0.8
LEAST_BUILDINGS = 10  # of about one size, to tell a share


def smallest_found_m2(buildings: Buildings) -> float:
    """The smallest area A in m2 for which 8 in 10 of the buildings from A to 2 A are of kind "found".

    NaN if there is none, or if there are never LEAST_BUILDINGS of about one size.

    Example:
        >>> import numpy as np
        >>> from scinet.evaluation.diagnose import diagnose
        >>> reference = np.zeros((40, 130), bool)
        >>> for x in range(0, 120, 10):
        ...     reference[0:4, x : x + 5] = True  # 20 px
        ...     reference[20:28, x : x + 8] = True  # 64 px
        >>> mask = reference.copy()
        >>> mask[0:4, :60] = False  # of the small buildings, half are missed
        >>> smallest_found_m2(diagnose(reference, mask, pixel_area_m2=0.5).buildings)
        32.0
    """
    order = np.argsort(buildings.area_m2)
    area_m2: NDArray[np.float64] = buildings.area_m2[order]
    found = np.concatenate([[0], np.cumsum(buildings.kind[order] == "found")])
    first = np.searchsorted(area_m2, area_m2, side="left")
    end = np.searchsorted(area_m2, 2 * area_m2, side="right")
    often = (end - first >= LEAST_BUILDINGS) & (found[end] - found[first] >= FOUND_SHARE * (end - first))
    return float(area_m2[often][0]) if often.any() else nan
