import math

import numpy as np
import pandas as pd
import pytest
from rasterio.transform import Affine

from scinet.evaluation.tile_traits import SCENARIOS, TRAITS, tile_traits, traits_by_image
from scinet.raster.raster import Raster


def town(gap_px: int) -> tuple[Raster, np.ndarray]:
    """Two bright houses of 10 x 10 px with a gap between them, and a third far away; a pixel is 0.5 m wide."""
    labels = np.zeros((60, 60), np.int32)
    labels[0:10, 0:10] = 1
    labels[0:10, 10 + gap_px : 20 + gap_px] = 2
    labels[40:60, 40:60] = 3
    pixels = np.full((60, 60, 3), 20, np.uint8)
    pixels[labels > 0] = 204
    return Raster(pixels, np.ones(labels.shape, bool), Affine(0.5, 0, 0, 0, -0.5, 0), None), labels


def test_traits_of_a_small_town_are_known_exactly() -> None:
    found = tile_traits(*town(gap_px=1))
    assert found["built_share"] == pytest.approx(600 / 3600)
    assert found["median_building_m2"] == pytest.approx(25.0)
    assert found["touching_share"] == pytest.approx(2 / 3)
    assert found["roof_brightness"] == pytest.approx(0.8)


@pytest.mark.parametrize("gap_px, share", [(0, 2 / 3), (1, 2 / 3), (4, 0.0), (20, 0.0)])
def test_houses_up_to_a_metre_apart_touch(gap_px: int, share: float) -> None:
    assert tile_traits(*town(gap_px))["touching_share"] == pytest.approx(share)


def test_a_tile_without_buildings_has_a_built_share_alone() -> None:
    raster, labels = town(1)
    found = tile_traits(raster, np.zeros_like(labels))
    assert found["built_share"] == 0 and all(math.isnan(found[name]) for name in TRAITS[1:])
    row = pd.DataFrame([found])
    assert not any(scenario.holds(row).item() for scenario in SCENARIOS)


def test_every_tile_with_buildings_is_in_one_scenario_of_each_group() -> None:
    random = np.random.default_rng(0)
    tiles = pd.DataFrame(
        {
            "built_share": random.uniform(0.001, 1, 200),
            "median_building_m2": random.uniform(1, 900, 200),
            "touching_share": random.choice([0, 0.3, 0.5, 1], 200),
            "roof_brightness": random.uniform(0, 1, 200),
        }
    )
    for group in {scenario.group for scenario in SCENARIOS}:
        holds = [scenario.holds(tiles) for scenario in SCENARIOS if scenario.group == group]
        assert (sum(each.astype(int) for each in holds) == 1).all(), group


def test_traits_of_any_models_rows_are_those_of_the_image() -> None:
    rows = pd.DataFrame({"model": ["old", "new"], "image": ["a", "a"], **{name: [np.nan, 0.5] for name in TRAITS}})
    assert traits_by_image(rows).loc["a", "roof_brightness"] == 0.5
    assert traits_by_image(rows[["model", "image"]]).empty
