"""Generated data folders in the layout that training reads."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from scinet.evaluation.truth import truth_labels
from scinet.synthetic.town import make_town


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    """Sums in one order: runs that see the same chips end with the same bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_folder(folder: Path, tiles: list[dict]) -> Path:
    """Tiles as dicts of ``pixels``, ``mask`` and columns of the index that differ from the usual."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, tile in enumerate(tiles):
        tile = dict(tile)
        pixels, mask = tile.pop("pixels"), tile.pop("mask")
        Image.fromarray(pixels).save(folder / f"{number}.png")
        Image.fromarray(mask).save(folder / f"{number}_mask.png")
        height, width = pixels.shape[:2]
        usual = {"image": f"{number}.png", "mask": f"{number}_mask.png", "dataset": "town", "cm_per_px": 10.0}
        rows.append({**usual, "width": width, "height": height, "split": "train", "licence": "none", **tile})
    pd.DataFrame(rows).to_csv(folder / "index.csv", index=False)
    return folder


@pytest.fixture
def make_folder(tmp_path) -> Callable[..., Path]:
    return lambda *tiles: write_folder(tmp_path / "data", list(tiles))


@pytest.fixture(scope="package")
def town_folder(tmp_path_factory) -> Path:
    """Two training tiles and a validation tile of generated towns, 100 px at 40 cm/px."""
    tiles = []
    for seed, split in ((3, "train"), (4, "train"), (5, "val")):
        town = make_town(seed=seed, size_m=40.0)
        raster = town.render(40)
        mask = truth_labels(town.footprints, raster) > 0
        assert 0 < np.count_nonzero(mask) < mask.size
        tiles.append({"pixels": raster.pixels, "mask": mask, "cm_per_px": 40.0, "split": split})
    return write_folder(tmp_path_factory.mktemp("town"), tiles)
