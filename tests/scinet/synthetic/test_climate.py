"""Towns of other parts of the world than the app's."""

import numpy as np
import pytest
import shapely

from scinet.synthetic.climate import BLOCKS, CLIMATES, Climate
from scinet.synthetic.town import Town, make_town


def town_of(name: str, seed: int = 4, size_m: float = 60.0) -> Town:
    return make_town(seed, size_m, CLIMATES[name])


def test_without_a_climate_a_town_stands_in_west_africa() -> None:
    np.testing.assert_array_equal(
        make_town(3, 40.0).render(20).pixels, town_of("laterite town", 3, 40.0).render(20).pixels
    )


@pytest.mark.parametrize("name", CLIMATES)
def test_every_climate_has_buildings_and_is_the_same_for_the_same_seed(name: str) -> None:
    town = town_of(name)
    area_m2 = sum(polygon.area for polygon in town.footprints.polygons)
    assert 0.03 < area_m2 / 60**2 < 0.75
    np.testing.assert_array_equal(town.render(50).pixels, town_of(name).render(50).pixels)


@pytest.mark.parametrize("name", CLIMATES)
def test_the_shares_of_a_climate_add_up(name: str) -> None:
    climate = CLIMATES[name]
    assert len(climate.blocks) == len(BLOCKS)
    assert sum(climate.blocks) == pytest.approx(1)
    assert sum(climate.soils.values()) == pytest.approx(1)


def test_climates_differ_in_brightness_and_colour() -> None:
    snow, sand, green = (
        town_of(name).render(50).pixels.astype(float).mean(axis=(0, 1))
        for name in ("snow", "sandy coast", "green village")
    )
    assert snow.mean() > green.mean() + 40
    assert sand.mean() > green.mean() + 40
    assert green[1] > green[0]
    assert sand[0] > sand[2] + 15


def test_no_building_stands_in_water_or_on_a_car_park() -> None:
    town = town_of("suburb", seed=6, size_m=160.0)
    grounds = [shapely.Polygon(ground.polygon) for ground in town.plan.open_ground]
    assert grounds
    shared = shapely.area(shapely.intersection(shapely.union_all(grounds), np.array(town.footprints.polygons)))
    assert shared.max() < 1e-6


def test_only_climates_with_surfaces_have_open_ground() -> None:
    assert Climate().surfaces == {}
    assert not make_town(4, 120.0).plan.open_ground
