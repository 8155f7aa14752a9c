"""Buildings that touch are parted, without a seam where blocks meet."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.evaluation.diagnose import diagnose
from scinet.models.card import Card
from scinet.models.model import Model
from scinet.raster.components import label
from scinet.raster.geotiff import write_raster
from scinet.raster.grid import Grid
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene
from scinet.raster.stream import Band
from scinet.segmentation import instances
from scinet.segmentation.instances import PartedBuildings, parting_lines
from scinet.segmentation.scene import segment_to_file
from scinet.segmentation.segment import segment
from scinet.vector.footprint_file import FootprintFile
from scinet.vector.read import read_footprints
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


class Painted(torch.nn.Module):
    """A network for images that show its answers: building as red, boundary as green, distance as blue."""

    outputs = ("building", "boundary", "distance")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.logit(image.float().clamp(0.001, 0.999))


def drawn(labels: np.ndarray) -> np.ndarray:
    """What a perfect model says, as colours, with noise: black ground would be taken for nodata."""
    noise = np.random.default_rng(0).integers(12, 25, (*labels.shape, 3))
    return np.maximum(255 * perfect(labels) + 0.5, noise).astype(np.uint8)


@pytest.fixture
def painted() -> Model:
    card = Card("painted", "instance-net", (5.0, 60.0), window_px=224, mean=0.0, std=1.0)
    return Model(Painted(), card, torch.device("cpu"))


def test_a_scene_has_a_footprint_for_every_house_and_its_mask_is_that_of_the_image_in_memory(
    town: np.ndarray, painted: Model, tmp_path: Path
) -> None:
    pixels = drawn(town)
    image = Raster(pixels, np.ones(town.shape, bool), Affine(0.4, 0, 810000, 0, -0.4, 620000), CRS.from_epsg(32630))
    write_raster(tmp_path / "town.tif", image)
    footprints = FootprintFile(tmp_path / "houses.gpkg")
    scene = open_scene(tmp_path / "town.tif")
    found = segment_to_file(
        scene, painted, tmp_path / "mask.tif", strategy="direct", output="float32", footprints=footprints
    )
    houses = int(town.max())
    assert found.footprints == houses == len(read_footprints(tmp_path / "houses.gpkg").polygons)
    probability = segment(image, painted, strategy="direct").probability
    with rasterio.open(tmp_path / "mask.tif") as written:
        np.testing.assert_array_equal(written.read(1), probability)
    diagnosis = diagnose(town, probability > 0.5, pixel_area_m2=image.pixel_area_m2)
    assert set(diagnosis.buildings.kind) == {"found"} and diagnosis.shares.merging < 0.001


def test_buildings_are_parted_at_the_working_resolution_whatever_the_model_sees(
    town: np.ndarray, painted: Model
) -> None:
    """Enlarged before the network, the mean over a window would close a line of one pixel."""
    pixels = drawn(town[:200])
    image = Raster(pixels, np.ones(pixels.shape[:2], bool), grid_of(pixels.shape[:2]).transform, None)
    enlarging = replace(painted, card=replace(painted.card, scales={"unknown": ((40.0, 2.0, 3.0),)}))
    for strategy in ("best-scale", "multi-scale"):
        mask = segment(image, enlarging, strategy=strategy).probability > 0.5
        kinds = diagnose(town[:200], mask, pixel_area_m2=image.pixel_area_m2).buildings.kind
        assert (kinds == "found").mean() > 0.95, strategy


def test_specks_of_noise_part_nothing() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[5:35, 5:35] = 1
    outputs = perfect(labels)
    outputs[8, 8] = outputs[30, 30] = (1, 0, 1)  # a pixel has 0.16 m2
    assert not parting_lines(outputs, grid_of(labels.shape)).any()
