import numpy as np
import pytest
from scipy import ndimage

from scinet.evaluation.boundary import boundary_counts, boundary_width_px
from scinet.evaluation.scores import Counts


def square(top: int, left: int, size: int) -> np.ndarray:
    mask = np.zeros((30, 30), bool)
    mask[top : top + size, left : left + size] = True
    return mask


def test_counts_of_two_squares_of_one_centre():
    # Bands 1 px wide of squares with sides of 10 and 8: 36 and 28 px, which share nothing
    assert boundary_counts(square(5, 5, 10), square(6, 6, 8), width_px=1) == Counts(tp=0, fp=28, fn=36)
    # 2 px wide: 64 and 48 px; the smaller square's outer ring is the larger one's inner ring
    assert boundary_counts(square(5, 5, 10), square(6, 6, 8), width_px=2) == Counts(tp=28, fp=20, fn=36)


def test_a_band_wider_than_the_building_is_all_of_it():
    assert boundary_counts(square(5, 5, 10), square(5, 5, 10), width_px=40) == Counts(tp=100, fp=0, fn=0)


def test_the_edges_of_image_and_nodata_are_outlines():
    full, valid = np.ones((6, 9), bool), np.ones((6, 9), bool)
    assert boundary_counts(full, full, width_px=1).tp == 6 * 9 - 4 * 7
    valid[:, 6:] = False
    assert boundary_counts(full, full, width_px=1, valid=valid).tp == 6 * 6 - 4 * 4


def test_walls_between_touching_buildings_are_not_part_of_the_boundary():
    labels = square(5, 5, 10).astype(np.int32)
    labels[5:15, 10:15] = 2
    assert boundary_counts(labels, labels > 0, width_px=1) == Counts(tp=36, fp=0, fn=0)


@pytest.mark.parametrize("width_px", [1, 2, 3, 7, 33, 64, 65, 100])
@pytest.mark.parametrize("shape", [(1, 1), (7, 64), (40, 65), (150, 301)])
def test_boundaries_are_what_an_erosion_takes_away(shape, width_px):
    random = np.random.default_rng(width_px)
    blobs = ndimage.gaussian_filter(random.random((2, *shape)), (0, 4, 4)) > 0.49
    valid = random.random(shape) > 0.001

    def band(mask: np.ndarray) -> np.ndarray:
        inside = ndimage.minimum_filter((mask & valid).view(np.uint8), 2 * width_px + 1, mode="constant")
        return mask & valid & (inside == 0)

    expected = Counts.of(band(blobs[0]), band(blobs[1]))
    assert boundary_counts(blobs[0], blobs[1], width_px=width_px, valid=valid) == expected


def test_a_width_on_the_ground_is_at_least_a_pixel():
    assert [boundary_width_px(gsd**2, 1.0) for gsd in (0.05, 0.3, 0.63, 5.0)] == [20, 3, 2, 1]
