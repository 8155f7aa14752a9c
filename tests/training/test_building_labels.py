import numpy as np
import pytest

from scinet.raster.resample import resample_probability
from training.building_labels import building_labels, labels_at, outputs_of_labels


def picture(*rows: str) -> np.ndarray:
    return np.array([[0 if cell == "." else int(cell) for cell in row] for row in rows], np.int32)


def test_buildings_that_share_an_edge_stay_two_where_the_mask_numbers_them() -> None:
    numbers = np.zeros((4, 8), np.uint8)
    numbers[1:3, 1:4], numbers[1:3, 4:7] = 255, 254
    labels = building_labels(numbers)
    assert set(labels[1:3, 1:4].ravel()) == {1} and set(labels[1:3, 4:7].ravel()) == {2}
    assert building_labels(np.minimum(numbers, 1)).max() == 1  # a mask without numbers cannot tell


def test_parts_of_one_number_that_do_not_touch_are_two_buildings() -> None:
    assert building_labels(np.array([[7, 0, 7], [7, 9, 7]], np.uint8)).tolist() == [[1, 0, 2], [1, 3, 2]]


@pytest.mark.parametrize("gap_px", [2, 3])
def test_a_gap_that_a_coarse_chip_cannot_show_still_parts_two_buildings(gap_px: int) -> None:
    """Two houses of 40 px with a gap of a fourth of a coarse pixel: one blob in the mask, two labels."""
    mask = np.zeros((80, 120), bool)
    mask[20:60, 16:56] = mask[20:60, 56 + gap_px : 96] = True
    coarse = resample_probability(mask.astype(np.float32), (10, 15)) > 0.5
    labels = labels_at(building_labels(mask.astype(np.uint8)), coarse)
    assert ((labels > 0) == coarse).all()
    assert set(labels[4, 2:7]) == {1} and set(labels[4, 8:12]) == {2}
    boundary = outputs_of_labels(labels, 80.0)["boundary"]
    assert boundary[4, 6:8].all() and not boundary[4, 4] and not boundary[4, 9]


def test_building_that_no_sample_of_a_coarse_grid_hits_gets_the_nearest_label() -> None:
    labels = picture("11..22", "11..22")
    wanted = np.ones((2, 6), bool)
    assert labels_at(labels, wanted).tolist() == [[1, 1, 1, 2, 2, 2]] * 2
    assert labels_at(np.zeros((2, 6), np.int32), wanted).tolist() == [[1] * 6] * 2


def test_distance_is_the_share_of_the_largest_in_each_building_and_0_outside() -> None:
    labels = picture(".......", ".11111.", ".11111.", ".11111.", ".......", ".22....", ".......")
    distance = outputs_of_labels(labels, 40.0)["distance"]
    assert distance[2].tolist() == [0, 0.5, 1, 1, 1, 0.5, 0]
    assert distance[5].tolist() == [0, 1, 1, 0, 0, 0, 0]  # it has no inside, so all of it is its middle


def test_the_boundary_is_a_quarter_of_a_metre_wide_to_both_sides_and_at_least_a_pixel() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[10:30, 10:30] = 1
    fine, coarse = (outputs_of_labels(labels, cm_per_px)["boundary"][20] for cm_per_px in (5.0, 60.0))
    assert np.flatnonzero(fine).tolist() == [*range(5, 15), *range(25, 35)]
    assert np.flatnonzero(coarse).tolist() == [9, 10, 29, 30]


def test_the_edge_of_a_chip_is_not_an_edge_of_buildings() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[:, 4:] = 3
    found = outputs_of_labels(labels, 40.0)
    assert found["distance"][4, 4:].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found["boundary"].sum() == 2 * 9
    full = outputs_of_labels(np.ones((5, 5), np.int32), 40.0)
    assert not full["boundary"].any() and (full["distance"] == 1).all()


def test_a_chip_without_a_building_has_nothing_to_learn() -> None:
    assert not any(values.any() for values in outputs_of_labels(np.zeros((5, 5), np.int32), 40.0).values())
