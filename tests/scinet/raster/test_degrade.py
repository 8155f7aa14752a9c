"""What a worse sensor does to an image."""

import numpy as np
import pytest

from scinet.errors import RasterError
from scinet.raster.degrade import AMOUNTS, DEGRADATION_NAMES, Degradation, DegradationName
from scinet.raster.kernels import KERNELS, resample_with
from scinet.raster.raster import Raster
from scinet.raster.resample import resample


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_the_first_amount_leaves_the_image_and_the_others_change_it_more_and_more(
    noise_raster: Raster, name: DegradationName
) -> None:
    cm_per_px = 20.0 if name == "kernel" else noise_raster.cm_per_px
    degraded = [Degradation(name, amount).at(noise_raster, cm_per_px).pixels for amount in AMOUNTS[name]]
    clean = resample(noise_raster, cm_per_px).pixels
    assert (degraded[0] == clean).all()
    changes = [np.abs(pixels - clean.astype(float)).mean() for pixels in degraded]
    assert min(changes[1:]) > 0 and (name == "kernel" or changes == sorted(changes))


def test_a_point_is_spread_to_the_width_that_was_asked_for(noise_raster: Raster) -> None:
    pixels = np.zeros((41, 41, 3), np.uint8)
    pixels[:, 20] = 255  # a line
    image = Raster(pixels, np.ones((41, 41), bool), noise_raster.transform, noise_raster.crs)
    profile = Degradation("blur", 4.0).at(image, image.cm_per_px).pixels[20, :, 0].astype(float)
    assert profile[22] == pytest.approx(profile[20] / 2, rel=0.05)  # two px from the middle: half of the maximum


def test_noise_has_the_deviation_that_was_asked_for(noise_raster: Raster) -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    image = Raster(grey, np.ones((200, 200), bool), noise_raster.transform, noise_raster.crs)
    assert Degradation("noise", 10.0).at(image, image.cm_per_px).pixels.std() == pytest.approx(10, rel=0.02)


def test_nodata_stays_nodata(noise_raster: Raster) -> None:
    valid = noise_raster.valid.copy()
    valid[:10] = False
    image = Raster(noise_raster.pixels, valid, noise_raster.transform, noise_raster.crs)
    assert not Degradation("noise", 20.0).at(image, image.cm_per_px).pixels[:10].any()


def test_kernels_keep_the_mean_and_leave_nodata_out(noise_raster: Raster) -> None:
    grey = np.where(noise_raster.valid[..., None], np.uint8(120), np.uint8(0)).repeat(3, axis=2)
    valid = noise_raster.valid.copy()
    valid[:, :40] = False
    grey[~valid] = 0
    image = Raster(grey, valid, noise_raster.transform, noise_raster.crs)
    for kernel in KERNELS:
        coarse = resample_with(image, 40, kernel)
        assert coarse.valid.any() and not coarse.valid[:, :8].any()
        assert (coarse.pixels[coarse.valid] == 120).all() and not coarse.pixels[~coarse.valid].any()


def test_nearest_takes_single_pixels_and_area_means_all(noise_raster: Raster) -> None:
    fine = {tuple(pixel) for pixel in noise_raster.pixels.reshape(-1, 3)}
    nearest, area = (resample_with(noise_raster, 30, kernel) for kernel in ("nearest", "area"))
    assert all(tuple(pixel) in fine for pixel in nearest.pixels.reshape(-1, 3))
    assert nearest.pixels.std() > 2 * area.pixels.std()  # of 3 x 3 pixels of noise


def test_a_kernel_at_the_images_own_resolution_is_refused(noise_raster: Raster) -> None:
    with pytest.raises(RasterError, match="coarser resolution"):
        Degradation("kernel", "nearest").at(noise_raster, noise_raster.cm_per_px)


@pytest.mark.parametrize("amount", [-1.0, float("nan"), 101.0])
def test_an_amount_that_is_not_possible_is_refused(noise_raster: Raster, amount: float) -> None:
    with pytest.raises(RasterError, match="not possible"):
        Degradation("blur", amount).at(noise_raster, noise_raster.cm_per_px)
