"""What an encoder makes of windows of an image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scinet.models.checkpoint import load_model
from scinet.models.familiarity import fit_familiarity
from scinet.models.model import Model
from scinet.raster.geotiff import write_raster
from scinet.raster.raster import Raster
from scinet.raster.scene import open_scene
from scinet.segmentation.encoder_statistics import channel_means, distance_of, distance_of_scene, windows_of


@pytest.fixture(scope="module")
def unet(random_checkpoints: Path) -> Model:
    return load_model(random_checkpoints / "unet.safetensors")


def test_windows_have_sides_that_the_encoder_takes_and_lie_within_the_image(noise_raster: Raster) -> None:
    assert [window.shape for window in windows_of(noise_raster)] == [(96, 96, 3)]
    large = replace(noise_raster, pixels=np.zeros((600, 300, 3), np.uint8), valid=np.ones((600, 300), bool))
    assert [window.shape for window in windows_of(large)] == [(256, 256, 3)] * 2
    assert not list(windows_of(replace(large, pixels=large.pixels[:31], valid=large.valid[:31])))


def test_windows_of_nodata_do_not_count(noise_raster: Raster) -> None:
    assert not list(windows_of(replace(noise_raster, valid=np.zeros_like(noise_raster.valid))))


def test_the_means_are_those_of_the_encoders_channels(unet: Model, noise_raster: Raster) -> None:
    window = noise_raster.pixels[:64, :64]
    means = channel_means(unet, [window, 255 - window])
    assert means is not None and means.shape == (2, 1008)
    assert not np.allclose(means[0], means[1])
    for stage in (means[:, :120], means[:, 120:]):
        assert (stage**2).mean(axis=1) == pytest.approx([1, 1], rel=1e-3)


def test_a_network_without_an_encoder_does_not_tell(brightness_model: Model, noise_raster: Raster) -> None:
    assert channel_means(brightness_model, [noise_raster.pixels[:64, :64]]) is None


def test_an_image_unlike_the_training_is_far_in_memory_and_on_disk(
    unet: Model, noise_raster: Raster, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    square = {"valid": np.ones((128, 128), bool)}
    dull = [
        replace(noise_raster, pixels=random.integers(90, 110, (128, 128, 3), np.uint8), **square) for _ in range(12)
    ]
    seen = np.concatenate(
        [found for each in dull if (found := channel_means(unet, list(windows_of(each)))) is not None]
    )
    knowing = replace(unet, card=replace(unet.card, familiarity=fit_familiarity(seen)))
    wild = replace(noise_raster, pixels=random.integers(0, 256, (128, 128, 3), np.uint8), **square)
    near, far = distance_of(dull[0], knowing), distance_of(wild, knowing)
    assert near is not None and far is not None
    assert far.value > 3 * near.value
    write_raster(tmp_path / "wild.tif", wild)
    on_disk = distance_of_scene(open_scene(tmp_path / "wild.tif"), None, knowing)
    assert on_disk is not None and on_disk.value == pytest.approx(far.value, rel=1e-3)
    coarser = distance_of_scene(open_scene(tmp_path / "wild.tif"), 2 * wild.cm_per_px, knowing)
    assert coarser is not None and coarser.value != pytest.approx(far.value, rel=1e-2)
    assert distance_of(wild, unet) is None
