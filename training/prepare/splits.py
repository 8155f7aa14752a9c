"""Which tiles are for training, validation and test: drawn one by one as in the paper, or in blocks on the ground."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree

TEST_SHARE = 0.10  # section 5.1 of the paper
VAL_SHARE = 0.05  # of all tiles, taken from the paper's 90 %: it names no tiles to choose the best epoch by
BLOCK_M = 500.0
_METRES_A_DEGREE = 111_320.0
_WITHIN = 0.995  # of a tile's side: neighbours on one grid touch, but for rounding


def draw_splits(groups: Sequence[Hashable], seed: int) -> list[str]:
    """ "train", "val" or "test" for every tile, given its group; a group stays together.

    Groups are drawn until test and val have at least their share of the tiles. With a group of its own for every
    tile that is the paper's random split.
    """
    sizes = Counter(groups)
    names = sorted(sizes, key=repr)
    split_of: dict[Hashable, str] = {}
    drawn = {"test": 0, "val": 0}
    wanted = {"test": TEST_SHARE * len(groups), "val": VAL_SHARE * len(groups)}
    for i in np.random.default_rng(seed).permutation(len(names)):
        split = next((name for name in ("test", "val") if drawn[name] < wanted[name]), "train")
        split_of[names[i]] = split
        if split in drawn:
            drawn[split] += sizes[names[i]]
    return [split_of[group] for group in groups]


def block_of(longitude: float, latitude: float) -> tuple[int, int]:
    """The block of about 500 m x 500 m on the ground that holds a place: one grid for all scenes and CRS."""
    row = int(np.floor(latitude * _METRES_A_DEGREE / BLOCK_M))
    middle = np.radians((row + 0.5) * BLOCK_M / _METRES_A_DEGREE)
    return row, int(np.floor(longitude * _METRES_A_DEGREE * np.cos(middle) / BLOCK_M))


def overlapping(tiles: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which tiles (polygons) share ground with one of the others; those that only touch do not."""
    found = np.zeros(len(tiles), np.bool_)
    if len(tiles) and len(others):
        shrunk = np.array([_shrunk(tile) for tile in tiles], dtype=object)
        found[STRtree(others).query(shrunk, predicate="intersects")[0]] = True
    return found


def _shrunk(tile: shapely.Polygon) -> shapely.Polygon:
    middle = np.array(tile.centroid.coords[0])
    return shapely.transform(tile, lambda xy: middle + _WITHIN * (xy - middle))
