"""Fixtures that several test folders share."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet.models.build import build
from scinet.models.card import Card
from scinet.models.checkpoint import save_checkpoint
from scinet.models.model import Model
from scinet.raster.raster import Raster

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real tiles: SCINET_DATA, else ../shared/data. Without it, tests that need it are skipped."""
    folder = Path(os.environ.get("SCINET_DATA") or PROJECT.parent / "shared" / "data")
    if not (folder / "index.csv").is_file():
        pytest.skip("needs real tiles: set SCINET_DATA to a folder with an index.csv")
    return folder


@pytest.fixture(scope="session")
def random_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Sci-Net and a UNet with seeded random weights."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in ("sci-net", "unet"):
        torch.manual_seed(0)
        card = Card(name=name, architecture=name, gsd_range_cm_per_px=(2.5, 40.0), window_px=128)
        save_checkpoint(folder, build(name), card)
    return folder


@pytest.fixture
def noise_raster() -> Raster:
    """96 x 128 px of noise at 10 cm/px in UTM 30N."""
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    transform = Affine(0.1, 0, 810000, 0, -0.1, 620000)
    return Raster(pixels, np.ones((96, 128), bool), transform, CRS.from_epsg(32630))


class MeanBrightness(torch.nn.Module):
    """A network that depends on its whole window: the logit is the window's mean minus the pixel's brightness."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        own = image.mean(dim=1, keepdim=True)
        return own.mean(dim=(2, 3), keepdim=True) - own


@pytest.fixture
def brightness_model() -> Model:
    card = Card(
        name="brightness",
        architecture="unet",
        gsd_range_cm_per_px=(5.0, 20.0),
        window_px=64,
        scales={"unknown": ((10, 2, 1.5),)},
    )
    return Model(MeanBrightness(), card, torch.device("cpu"))
