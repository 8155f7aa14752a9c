import numpy as np
import torch
from rasterio.transform import Affine
from torch import nn

from scinet.raster.raster import Raster
from training.adapt import mix_in_statistics, windows_of


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)).eval()


def test_the_whole_share_normalises_by_the_scene_alone():
    image, norms = torch.rand(3, 3, 16, 16) * 5 + 2, network()
    expected = network().train()(image)
    mix_in_statistics(norms, image, 1.0)
    torch.testing.assert_close(norms(image), expected, rtol=1e-3, atol=1e-3)


def test_a_share_lies_between_training_and_scene():
    image, norms = torch.rand(1, 3, 16, 16) + 7, network()
    mean = norms[0](image).mean(dim=(0, 2, 3))
    mix_in_statistics(norms, image, 0.3)
    torch.testing.assert_close(norms[1].running_mean, 0.3 * mean)
    assert not norms[1]._forward_pre_hooks


def test_no_share_changes_nothing():
    image, norms = torch.rand(1, 3, 16, 16), network()
    before = norms(image)
    mix_in_statistics(norms, image, 0.0)
    torch.testing.assert_close(norms(image), before)


def test_windows_have_one_size_and_come_from_the_middle():
    rasters = []
    for side in (40, 64):
        pixels = np.zeros((side, side, 3), np.uint8)
        pixels[side // 2, side // 2] = side
        rasters.append(Raster(pixels, np.ones((side, side), bool), Affine.identity(), None))
    windows = windows_of(rasters)
    assert windows.shape == (2, 40, 40, 3)
    assert windows[0, 20, 20, 0] == 40 and windows[1, 20, 20, 0] == 64
