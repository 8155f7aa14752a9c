"""The draws of a bootstrap, which all intervals share."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000


@lru_cache(maxsize=32)
def draws(tiles: int) -> NDArray[np.float64]:
    """How often each tile takes part, (1 + DRAWS, tiles): once, then as drawn with replacement; always the same.

    A single tile leaves nothing to draw from: its draws are NaN, so that nothing has an interval of width 0.
    """
    if tiles == 1:
        return np.vstack([np.ones(1), np.full((DRAWS, 1), np.nan)])
    drawn = np.random.default_rng(0).multinomial(tiles, np.full(tiles, 1 / tiles), size=DRAWS)
    return np.vstack([np.ones(tiles), drawn])
