"""The sample tiles on board: real, of the test split, attributed and in the right place."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scinet.datasets.samples import FOLDER, samples
from scinet.evaluation.truth import read_truth, truth_labels
from scinet.raster.scene import read_raster


def test_samples_are_complete() -> None:
    found = samples()
    assert len(found) == 9 and len({sample.title for sample in found}) == 9
    for sample in found:
        assert sample.tile.split == "test" and "CC-BY-4.0" in sample.tile.licence and "ODbL-1.0" in sample.tile.licence
        assert sample.about.endswith(".")
        scene = sample.tile.open()
        assert (scene.width, scene.height) == (1024, 1024) and scene.crs is not None
        assert scene.grid.cm_per_px == pytest.approx(sample.tile.cm_per_px, rel=0.005)


def test_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4_000_000


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.tile.name)
def test_the_reference_fits_the_image(sample) -> None:
    raster = read_raster(sample.tile.image, cm_per_px=sample.tile.cm_per_px)
    labels = truth_labels(read_truth(sample.tile.truth, raster, "mask"), raster)
    assert labels.shape == raster.shape and labels.max() > 5
    assert 0.1 < (labels > 0).mean() < 0.7


def test_joined_tiles_are_those_of_the_data_folder(data_dir: Path) -> None:
    """The lower right quarter of Banepa's centre is the tile one column and one row further."""
    with Image.open(data_dir / "masks/banepa/A_z19_386693_220244.png") as tile:
        expected = np.asarray(tile)
    with Image.open(FOLDER / "banepa_centre.png") as whole:
        assert np.array_equal(np.asarray(whole)[512:, 512:], expected)


def test_samples_lie_where_the_data_folder_has_them(data_dir: Path) -> None:
    with (data_dir / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = {Path(row["image"]).stem: row for row in csv.DictReader(file)}
    tile = {Path(sample.tile.image).stem: sample.tile for sample in samples()}["kampala_huts"]
    row = rows["z21_1238424_1046544"]
    assert tile.place is not None
    assert (tile.place[0].c, tile.place[0].f) == (float(row["x_min"]), float(row["y_max"]))
    # Banepa's index has no positions: the tile's name says them, and its zoom the GSD that the index gives.
    banepa = {Path(sample.tile.image).stem: sample.tile for sample in samples()}["banepa_centre"]
    assert banepa.open().grid.cm_per_px == pytest.approx(float(rows["A_z19_386692_220243"]["cm_per_px"]), rel=0.005)
