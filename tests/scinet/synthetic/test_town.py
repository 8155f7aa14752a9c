"""The generated town: exact footprints, and one image at every resolution."""

from itertools import pairwise

import numpy as np
import pytest
import shapely

from scinet.errors import ResolutionError
from scinet.synthetic.town import Town, make_town
from scinet.vector.footprints import rasterize

SIZE_M = 60.0


@pytest.fixture(scope="module")
def town() -> Town:
    return make_town(seed=1, size_m=SIZE_M)


@pytest.fixture(scope="module")
def large_town() -> Town:
    return make_town(seed=2, size_m=200.0)


def area_average(pixels: np.ndarray, factor: int) -> np.ndarray:
    height, width, _ = pixels.shape
    return pixels.reshape(height // factor, factor, width // factor, factor, 3).mean(axis=(1, 3))


def longer_side_m(polygon: shapely.Polygon) -> float:
    ring = np.asarray(shapely.minimum_rotated_rectangle(polygon).exterior.coords)
    return float(np.hypot(*np.diff(ring, axis=0).T).max())


def test_same_seed_gives_the_same_town(town: Town) -> None:
    again = make_town(seed=1, size_m=SIZE_M)
    assert again.footprints == town.footprints
    np.testing.assert_array_equal(again.render(20).pixels, town.render(20).pixels)


def test_other_seed_gives_another_town(town: Town) -> None:
    other = make_town(seed=5, size_m=SIZE_M)
    assert other.footprints != town.footprints
    difference = np.abs(other.render(50).pixels.astype(float) - town.render(50).pixels)
    assert difference.mean() > 15


@pytest.mark.parametrize(("seed", "size_m"), [(0, 30.0), (1, 60.0), (2, 160.0), (3, 77.7)])
def test_footprints_are_valid_disjoint_and_within_the_extent(seed: int, size_m: float) -> None:
    footprints = make_town(seed, size_m).footprints
    polygons = np.array(footprints.polygons)
    assert footprints.crs is None
    assert all(polygon.geom_type == "Polygon" for polygon in polygons)
    assert shapely.is_valid(polygons).all()
    left, low, right, high = shapely.total_bounds(polygons)
    assert 0 <= left < right <= size_m
    assert -size_m <= low < high <= 0
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    shared = shapely.area(shapely.intersection(polygons[first], polygons[second]))[first != second]
    assert shared.max(initial=0) < 1e-9


def test_kinds_of_buildings(large_town: Town) -> None:
    polygons = np.array(large_town.footprints.polygons)
    sides = np.array([longer_side_m(polygon) for polygon in polygons])
    assert any(polygon.interiors for polygon in polygons), "no courtyard"
    inside = shapely.within(polygons, shapely.box(1, -199, 199, -1))
    assert sides[inside].min() <= 3, "no shed"
    assert 79 < sides.max() < 81, "no hall"
    assert np.median(sides) == pytest.approx(8, abs=3)
    assert 0.2 < shapely.area(polygons).sum() / 200**2 < 0.6


def test_a_hall_has_the_length_that_is_asked_for() -> None:
    town = make_town(4, 70.0, hall_m=40.0)
    hall = max(town.footprints.polygons, key=lambda polygon: polygon.area)
    x, y = hall.minimum_rotated_rectangle.exterior.coords.xy
    assert max(np.hypot(np.diff(x), np.diff(y))) == pytest.approx(40, abs=0.5)
    with pytest.raises(ValueError, match="hall_m is at most size_m less 10 m"):
        make_town(4, 70.0, hall_m=61.0)


def test_rows_share_walls_exactly(large_town: Town) -> None:
    polygons = np.array(large_town.footprints.polygons)
    edges: dict[frozenset[tuple[float, float]], int] = {}
    for polygon in polygons:
        corners = list(polygon.exterior.coords)
        for edge in pairwise(corners):
            edges[frozenset(edge)] = edges.get(frozenset(edge), 0) + 1
    assert sum(count == 2 for count in edges.values()) > 10
    assert max(edges.values()) == 2


@pytest.mark.parametrize(("cm_per_px", "tolerance"), [(5, 0.002), (50, 0.02)])
def test_rasterised_area_is_the_vector_area(town: Town, cm_per_px: float, tolerance: float) -> None:
    raster = town.render(cm_per_px)
    labels = rasterize(town.footprints, raster)
    area_m2 = sum(polygon.area for polygon in town.footprints.polygons)
    assert (labels > 0).sum() * raster.pixel_area_m2 == pytest.approx(area_m2, rel=tolerance)
    assert labels.max() <= len(town.footprints.polygons)


@pytest.mark.parametrize("cm_per_px", [2, 7, 33.3, 200])
def test_raster_has_the_resolution_asked_for(cm_per_px: float) -> None:
    raster = make_town(seed=0, size_m=30.0).render(cm_per_px)
    assert raster.cm_per_px == pytest.approx(cm_per_px, rel=0.5 / raster.width)
    assert raster.width * raster.transform.a == pytest.approx(30.0)
    assert (raster.transform.c, raster.transform.f) == (0, 0)
    assert raster.crs is None
    assert raster.valid.all()


@pytest.mark.parametrize("cm_per_px", [0.0, 1.9, 201.0, -5.0, float("nan")])
def test_resolution_out_of_range(town: Town, cm_per_px: float) -> None:
    with pytest.raises(ResolutionError, match="Ask for 2 to 200"):
        town.render(cm_per_px)


@pytest.mark.parametrize(("seed", "size_m"), [(0, 10.0), (0, float("nan")), (-1, 60.0)])
def test_impossible_towns(seed: int, size_m: float) -> None:
    with pytest.raises(ValueError, match=r"is at least|is 0 or more"):
        make_town(seed, size_m)


@pytest.mark.parametrize(("fine", "coarse", "tolerance"), [(5, 10, 3.0), (5, 40, 3.0), (10, 200, 5.0)])
def test_coarse_image_is_the_average_of_the_fine_one(town: Town, fine: float, coarse: float, tolerance: float) -> None:
    averaged = area_average(town.render(fine).pixels, round(coarse / fine))
    drawn = town.render(coarse).pixels.astype(float)
    assert np.abs(averaged - drawn).mean() < tolerance
    np.testing.assert_allclose(averaged.mean(axis=(0, 1)), drawn.mean(axis=(0, 1)), atol=1.0)
    # A picture of another place is far from it, so the bound says something.
    assert np.abs(averaged - drawn[::-1]).mean() > 4 * tolerance


def test_bands_leave_no_seams(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = town.render(10).pixels.astype(int)
    monkeypatch.setattr("scinet.synthetic.painter._BAND_PX", 600 * 70)
    assert np.abs(town.render(10).pixels - whole).max() <= 2


def test_roofs_line_up_with_footprints_and_differ_from_the_ground(town: Town) -> None:
    """The image changes more across the outlines than across the same outlines moved by 3 m."""
    raster = town.render(10)
    brightness = raster.pixels.mean(axis=2)
    step = np.abs(np.diff(brightness, axis=1))

    def step_at_outlines(labels: np.ndarray) -> float:
        return float(step[(labels[:, 1:] > 0) != (labels[:, :-1] > 0)].mean())

    labels = rasterize(town.footprints, raster)
    assert step_at_outlines(labels) > 2 * step_at_outlines(np.roll(labels, (30, 30), (0, 1)))
    roof, ground = raster.pixels[labels > 0].mean(axis=0), raster.pixels[labels == 0].mean(axis=0)
    assert np.abs(roof - ground).max() > 8


def test_looks_like_drone_images_of_a_west_african_town() -> None:
    """Mean and spread of the colours are those of the Accra tiles: 128, 104, 75 and 44, 44, 43."""
    pixels = make_town(seed=0, size_m=120.0).render(40).pixels.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(pixels.mean(axis=0), (128, 104, 75), atol=15)
    np.testing.assert_allclose(pixels.std(axis=0), (44, 44, 43), atol=12)
