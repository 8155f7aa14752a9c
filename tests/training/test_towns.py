from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rasterio.transform import Affine
from shapely import box

from scinet.raster.raster import Raster
from scinet.vector.footprints import Footprints
from training.chips import Chips
from training.packed_tiles import PackedTiles
from training.recipe import Recipe
from training.towns import building_numbers, main, write_town, write_towns


@pytest.mark.slow
def test_towns_are_a_data_folder_that_chips_come_from(tmp_path: Path):
    write_towns(tmp_path / "towns", count=2, first_seed=7)
    index = pd.read_csv(tmp_path / "towns" / "index.csv")
    assert len(index) == 2 and set(index["split"]) == {"train"}
    for row in index.itertuples():
        image = Image.open(tmp_path / "towns" / row.image)
        mask = np.asarray(Image.open(tmp_path / "towns" / row.mask))
        assert image.size == (row.width, row.height) == mask.shape[::-1]
        assert 0.02 < (mask > 0).mean() < 0.8 and mask.max() > 1  # buildings have numbers
    pack = PackedTiles(tmp_path / "towns", "train", tmp_path / "cache")
    image, truth = Chips([pack], Recipe(chip_px=64), count=4)[0]
    assert image.shape == (3, 64, 64) and truth.shape == (1, 64, 64)
    # The same seeds give the same towns; those that are there are not drawn again
    write_towns(tmp_path / "again", count=1, first_seed=7)
    before = (tmp_path / "again" / "images" / "7.jpg").stat().st_mtime_ns
    write_towns(tmp_path / "again", count=2, first_seed=7)
    assert (tmp_path / "again" / "images" / "7.jpg").stat().st_mtime_ns == before
    assert pd.read_csv(tmp_path / "again" / "index.csv").equals(index)
    assert (tmp_path / "again" / "images" / "8.jpg").read_bytes() == (
        tmp_path / "towns" / "images" / "8.jpg"
    ).read_bytes()


def test_a_town_without_a_building_has_an_empty_mask():
    raster = Raster(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.bool_), Affine.scale(1, -1), None)
    assert not building_numbers(Footprints((), None), raster).any()
    house = Footprints((box(0, -4, 4, 0),), None)
    assert building_numbers(house, raster).sum() == 16


def test_some_towns_have_a_hall_of_a_length_of_its_own(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    row = write_town(tmp_path, seed=7, hall_share=1.0)
    numbers = np.asarray(Image.open(tmp_path / row["mask"]))
    largest_m2 = np.bincount(numbers.ravel())[1:].max() * (row["cm_per_px"] / 100) ** 2
    assert largest_m2 > 150  # no other roof is as large


@pytest.mark.parametrize("options", [["--halls", "7"], ["--halls", "nan"], ["--count", "0"]])
def test_impossible_numbers_are_refused_before_anything_is_written(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main([str(tmp_path / "towns"), *options])
    assert "a share from 0 to 1" in capsys.readouterr().err
    assert not (tmp_path / "towns").exists()
