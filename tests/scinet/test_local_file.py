"""Only regular files are opened, whatever they are given as."""

import os
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import Affine

from scinet.errors import SciNetError
from scinet.evaluation.truth import read_truth
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene
from scinet.vector.read import read_footprints

IMAGE = Raster(np.zeros((40, 60, 3), np.uint8), np.ones((40, 60), bool), Affine(0.1, 0, 0, 0, -0.1, 0), None)


@pytest.fixture(params=["device", "pipe", "folder"])
def irregular(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "device":
        return Path("/dev/zero")
    path = tmp_path / "a.tif"
    if request.param == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    return path


@pytest.mark.skipif(os.name == "nt", reason="has no /dev/zero")
def test_what_is_not_a_regular_file_is_refused_at_once(irregular: Path) -> None:
    with pytest.raises(SciNetError, match=r"cannot be opened|folder"):
        open_scene(irregular)
    with pytest.raises(SciNetError, match="cannot be opened"):
        read_truth(irregular, IMAGE, irregular.name)
    with pytest.raises(SciNetError, match="cannot be opened"):
        read_footprints(irregular)
