"""Buildings that touch are parted, without a seam where blocks meet."""

from collections.abc import Iterator

import numpy as np
import pytest
from rasterio.transform import Affine

from scinet.raster.components import label
from scinet.raster.grid import Grid
from scinet.raster.stream import Band
from scinet.segmentation import instances
from scinet.segmentation.instances import PartedBuildings, parting_lines
from training.building_labels import outputs_of_labels

CM_PER_PX = 40.0


def grid_of(shape: tuple[int, int]) -> Grid:
    return Grid(*shape, Affine.scale(CM_PER_PX / 100, -CM_PER_PX / 100), None)


def perfect(labels: np.ndarray) -> np.ndarray:
    """What a perfect model says of buildings: float32 (H, W, 3)."""
    found = outputs_of_labels(labels, CM_PER_PX)
    return np.stack([found["building"], found["boundary"], found["distance"]], axis=-1)


class Rows:
    """Outputs in memory as bands of a height."""

    def __init__(self, outputs: np.ndarray, rows: int) -> None:
        self.outputs, self.rows, self.grid = outputs, rows, grid_of(outputs.shape[:2])

    def bands(self, start: int = 0) -> Iterator[Band]:
        for top in range(start, len(self.outputs), self.rows):
            values = self.outputs[top : top + self.rows]
            yield Band(top, values, np.ones(values.shape[:2], bool))


def streamed(outputs: np.ndarray, rows: int = 1000, start: int = 0) -> np.ndarray:
    return np.concatenate([band.values for band in PartedBuildings(Rows(outputs, rows)).bands(start)])


@pytest.fixture(scope="module")
def town() -> np.ndarray:
    """Labels of 700 x 300 px: rows of houses that touch, of many sizes, some of them across the edges of blocks."""
    labels = np.zeros((700, 300), np.int32)
    random = np.random.default_rng(0)
    number = 0
    for top in range(4, 660, 36):
        left = 4
        while left < 270:
            width, height = random.integers(8, 26, 2)
            number += 1
            labels[top : top + height, left : left + width] = number
            left += width + (0 if random.random() < 0.6 else 4)
    return labels


def test_houses_that_touch_become_components_of_their_own(town: np.ndarray) -> None:
    assert label(town > 0).max() < 0.6 * town.max()
    mask = streamed(perfect(town)) > 0.5
    assert label(mask).max() == town.max()
    assert mask.sum() > 0.9 * (town > 0).sum()  # a line is one pixel wide
    assert not (mask & (town == 0)).any()


def test_a_house_alone_loses_nothing() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[10:40, 10:14] = labels[10:14, 10:50] = 1  # an L
    np.testing.assert_array_equal(streamed(perfect(labels)) > 0, labels > 0)


def test_the_line_lies_where_the_boundary_is() -> None:
    labels = np.zeros((30, 60), np.int32)
    labels[5:25, 5:20], labels[5:25, 20:55] = 1, 2
    outputs = perfect(labels)
    lines = parting_lines(outputs, grid_of(labels.shape))
    assert set(np.flatnonzero(lines.any(axis=0))) <= {19, 20} and lines[5:25].any(axis=1).all()


@pytest.mark.parametrize("rows", [1, 97, 256, 700])
def test_neither_bands_nor_where_work_resumes_change_a_pixel(town: np.ndarray, rows: int) -> None:
    outputs = perfect(town)
    whole = streamed(outputs)
    np.testing.assert_array_equal(streamed(outputs, rows), whole)
    np.testing.assert_array_equal(streamed(outputs, rows, start=300), whole[300:])


def test_blocks_leave_no_seam(town: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = perfect(town)
    in_blocks = streamed(outputs)
    monkeypatch.setattr(instances, "BLOCK_ROWS", 1000)
    np.testing.assert_array_equal(in_blocks, streamed(outputs))


def test_specks_of_noise_part_nothing() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[5:35, 5:35] = 1
    outputs = perfect(labels)
    outputs[8, 8] = outputs[30, 30] = (1, 0, 1)  # a pixel has 0.16 m2
    assert not parting_lines(outputs, grid_of(labels.shape)).any()
