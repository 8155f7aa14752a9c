"""A small georeferenced image with reference buildings, and models with random weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from scinet.cli.main import main
from scinet.raster.raster import Raster
from scinet.raster.scene import read_raster
from scinet.vector.footprint_file import write_footprints

RunJson = Callable[..., Any]


@pytest.fixture(autouse=True)
def _checkpoints(random_checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(random_checkpoints))


@pytest.fixture
def scene(tmp_path: Path, noise_raster: Raster) -> Path:
    """A GeoTIFF of noise with a nodata collar."""
    path = tmp_path / "scene.tif"
    pixels = noise_raster.pixels.clip(1)
    pixels[:, :16] = 0
    profile = {"driver": "GTiff", "width": 128, "height": 96, "count": 3, "dtype": "uint8", "nodata": 0}
    with rasterio.open(path, "w", transform=noise_raster.transform, crs=noise_raster.crs, **profile) as file:
        file.write(pixels.transpose(2, 0, 1))
    return path


@pytest.fixture
def truth(scene: Path, tmp_path: Path) -> Path:
    """Footprints of some blocks on the scene, in longitude and latitude."""
    labels = np.zeros((96, 128), np.int32)
    labels[10:40, 30:60], labels[50:90, 40:110] = 1, 2
    path = tmp_path / "truth.geojson"
    write_footprints(path, labels > 0, read_raster(scene))
    return path


@pytest.fixture
def run_json(capsys: pytest.CaptureFixture[str]) -> RunJson:
    """Runs a command with --json and gives what it prints."""

    def run(*arguments: object) -> Any:
        capsys.readouterr()
        assert main([*map(str, arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run
