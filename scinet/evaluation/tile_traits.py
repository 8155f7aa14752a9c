"""What kind of place a test tile shows, as columns of a table with one row per tile, and the scenarios they make.

The traits come from the tile's image and its reference buildings alone, so they are the same for all models.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from scinet.raster.raster import Raster

TRAITS = ("built_share", "median_building_m2", "touching_share", "roof_brightness")
TOUCHING_M = 1.0  # buildings that are no farther apart touch, for the eyes of a model
_EIGHT = np.ones((3, 3), np.int8)


def tile_traits(raster: Raster, labels: NDArray[np.int32]) -> dict[str, float]:
    """The traits of a tile on its native grid.

    Args:
        raster: The tile.
        labels: Its reference buildings, int32 (H, W), 0 is ground and -1 what nobody judged.

    Returns:
        By TRAITS: the share of the judged area that is building; the median area of the buildings in m2; the share of
        the buildings that have another one within TOUCHING_M; the mean of red, green and blue on roofs, in
        [0, 1]. The last three are NaN without a building.
    """
    judged = raster.valid & (labels >= 0)
    is_building = judged & (labels > 0)
    share = float(is_building.sum() / judged.sum()) if judged.any() else nan
    if not is_building.any():
        return dict(zip(TRAITS, (share, nan, nan, nan), strict=True))
    areas_px = np.bincount(labels[is_building])[1:]
    return {
        "built_share": share,
        "median_building_m2": float(np.median(areas_px[areas_px > 0])) * raster.pixel_area_m2,
        "touching_share": _touching_share(np.where(is_building, labels, 0), sqrt(raster.pixel_area_m2)),
        "roof_brightness": float(raster.pixels[is_building].mean()) / 255,
    }


def _touching_share(labels: NDArray[np.int32], metres_per_px: float) -> float:
    """The share of the buildings of which another one is within TOUCHING_M."""
    from_wall_m = (ndimage.distance_transform_edt(labels == 0) - 0.5) * metres_per_px
    block_at, _ = ndimage.label(from_wall_m < TOUCHING_M / 2, structure=_EIGHT)
    pairs = np.unique(np.stack([labels[labels > 0], block_at[labels > 0]]), axis=1)
    buildings_in = np.bincount(pairs[1])
    together = pairs[0][buildings_in[pairs[1]] > 1]
    return float(np.unique(together).size / np.unique(pairs[0]).size)


@dataclass(frozen=True)
class Scenario:
    """A kind of place.

    Attributes:
        group: What it is a kind of, such as "Density".
        title: What it is called within the group.
        meaning: How tiles are chosen, in words.
        holds: Whether a tile belongs to it, bool (tiles,), from one row per tile with TRAITS.
    """

    group: str
    title: str
    meaning: str
    holds: Callable[[pd.DataFrame], pd.Series]


def _between(trait: str, low: float, high: float) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda tiles: (tiles[trait] >= low) & (tiles[trait] < high)


SCENARIOS = (
    Scenario("Size", "Small", "median building under 50 m²", _between("median_building_m2", 0, 50)),
    Scenario("Size", "Medium", "median building of 50 to 150 m²", _between("median_building_m2", 50, 150)),
    Scenario("Size", "Large", "median building of 150 m² or more", _between("median_building_m2", 150, np.inf)),
    Scenario("Density", "Sparse", "up to 15 % of the ground built over", _between("built_share", 1e-9, 0.15)),
    Scenario("Density", "Mixed", "15 to 35 % of the ground built over", _between("built_share", 0.15, 0.35)),
    Scenario("Density", "Dense", "35 % of the ground built over or more", _between("built_share", 0.35, np.inf)),
    Scenario(
        "Distance", "Detached", "under half of the buildings within 1 m of another", _between("touching_share", 0, 0.5)
    ),
    Scenario(
        "Distance",
        "Touching",
        "half or more of the buildings within 1 m of another",
        _between("touching_share", 0.5, 9),
    ),
    Scenario("Roofs", "Dark", "mean brightness of roofs under 45 %", _between("roof_brightness", 0, 0.45)),
    Scenario("Roofs", "Bright", "mean brightness of roofs of 45 % or more", _between("roof_brightness", 0.45, 9)),
)


def traits_by_image(tiles: pd.DataFrame) -> pd.DataFrame:
    """The traits of every tile that has them in any row, indexed by image; without a row where none has."""
    if not set(TRAITS) <= set(tiles.columns):
        return pd.DataFrame(columns=list(TRAITS), index=pd.Index([], name="image"), dtype=float)
    known = tiles[tiles["built_share"].notna()]
    return known.drop_duplicates("image").set_index("image")[list(TRAITS)]
