import numpy as np
import pytest
from rasterio.transform import Affine

from scinet.models.card import Card
from scinet.raster.grid import Grid
from scinet.segmentation.cost import pixels_run
from scinet.segmentation.strategies import Strategy
from scinet.segmentation.tiling import windows_over


def grid(side_px: int, cm_per_px: float) -> Grid:
    return Grid(side_px, side_px, Affine.scale(cm_per_px / 100, -cm_per_px / 100), None)


CARD = Card("a", "unet", (5, 40), 576, window_m=32.0, scales={"unknown": ((40, 2, 1.5),)})


def test_an_image_of_one_window_costs_its_own_pixels():
    assert pixels_run(grid(256, 5), CARD, "direct") == 256**2


def test_overlaps_scales_and_flips_count():
    image = grid(1024, 5)
    assert pixels_run(image, CARD, "direct") == (2 * 544) ** 2
    assert pixels_run(image, CARD, Strategy("direct", flips=True)) == 8 * (2 * 544) ** 2
    coarse = grid(128, 40)
    once, twice = pixels_run(coarse, CARD, "direct"), pixels_run(coarse, CARD, "best-scale")
    assert once == 128**2 and twice >= 4 * once
    assert pixels_run(coarse, CARD, "multi-scale") > twice


def test_a_network_of_one_size_runs_whole_windows():
    assert pixels_run(grid(100, 5), CARD, "direct", one_size=True) == 576**2


@pytest.mark.parametrize("cm_per_px", [3.0, 4.0, 5.0, 6.0, 10.0])
@pytest.mark.parametrize("side_px", [300, 800, 1333, 2000])
def test_windows_show_the_ground_that_a_card_asks_for(side_px: int, cm_per_px: float):
    wide = Card("a", "unet", (2.5, 40), 576, window_m=32.0, least_window_m=34.0)
    for windows in windows_over(grid(side_px, cm_per_px), wide):
        whole_steps = side_px - side_px % 32
        assert windows.size * cm_per_px >= min(3400, whole_steps * cm_per_px)
        assert windows.size % 32 == 0 or windows.size == side_px
        covered = np.zeros(side_px)
        for start, weights in zip(windows.starts, windows.weights, strict=True):
            covered[start : start + windows.size] += weights
        np.testing.assert_allclose(covered, 1, atol=1e-5)


def test_without_that_windows_are_as_before():
    assert [windows.size for windows in windows_over(grid(1333, 3), CARD)] == [480, 480]
