"""Areas of interest that are drawn."""

import numpy as np
import pytest
from rasterio.crs import CRS

from scinet.errors import TruthError
from scinet.raster.raster import Raster
from scinet.vector.area import area_of_corners

DEGREES = CRS.from_epsg(4326)


def corners(raster: Raster, *pixels: tuple[float, float]) -> list[tuple[float, float]]:
    """Pixels (column, row) of an image in its own CRS."""
    return [raster.transform @ pixel for pixel in pixels]


def test_a_polygon_holds_the_pixels_inside_it(noise_raster: Raster) -> None:
    drawn = corners(noise_raster, (10, 20), (50, 20), (50, 60), (10, 60))
    inside = area_of_corners(drawn, noise_raster.crs, noise_raster.grid).inside(noise_raster.grid)
    assert inside[20:60, 10:50].all() and inside.sum() == 40 * 40


def test_a_polygon_that_crosses_itself_has_both_its_halves(noise_raster: Raster) -> None:
    bow_tie = corners(noise_raster, (10, 10), (50, 50), (50, 10), (10, 50))
    inside = area_of_corners(bow_tie, noise_raster.crs, noise_raster.grid).inside(noise_raster.grid)
    assert inside[30, 14] and inside[30, 46] and not inside[14, 30]
    assert inside.sum() == pytest.approx(40 * 40 / 2, rel=0.05)


@pytest.mark.parametrize(
    "drawn",
    [[], [(0.0, 5.6)], [(0.0, 5.6), (0.1, 5.6)], [(0.0, 5.6)] * 4, [(0, 5), (1, 6), (2, 7)], [(np.nan, 1)] * 3],
)
def test_an_area_of_no_size_is_refused(noise_raster: Raster, drawn: list[tuple[float, float]]) -> None:
    with pytest.raises(TruthError, match=r"^The drawn area has no size\. Draw it with at least three corners"):
        area_of_corners(drawn, DEGREES, noise_raster.grid)


def test_an_area_outside_the_image_is_refused(noise_raster: Raster) -> None:
    with pytest.raises(TruthError, match="covers no part of the image"):
        area_of_corners([(20, 50), (21, 50), (21, 51)], DEGREES, noise_raster.grid)
