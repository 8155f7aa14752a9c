"""What a worse sensor does to an image."""

import numpy as np
import pytest

from scinet.errors import RasterError
from scinet.raster.degrade import AMOUNTS, DEGRADATION_NAMES, Degradation, DegradationName
from scinet.raster.raster import Raster


@pytest.mark.parametrize("name", DEGRADATION_NAMES)
def test_the_first_amount_leaves_the_image_and_the_others_change_it_more_and_more(
    noise_raster: Raster, name: DegradationName
) -> None:
    assert Degradation(name, AMOUNTS[name][0]).apply(noise_raster) is noise_raster
    degraded = [Degradation(name, amount).apply(noise_raster).pixels for amount in AMOUNTS[name]]
    changes = [np.abs(pixels - noise_raster.pixels.astype(float)).mean() for pixels in degraded]
    assert changes == sorted(changes) and changes[1] > 0


def test_a_point_is_spread_to_the_width_that_was_asked_for(noise_raster: Raster) -> None:
    pixels = np.zeros((41, 41, 3), np.uint8)
    pixels[:, 20] = 255  # a line
    image = Raster(pixels, np.ones((41, 41), bool), noise_raster.transform, noise_raster.crs)
    profile = Degradation("blur", 4.0).apply(image).pixels[20, :, 0].astype(float)
    assert profile[22] == pytest.approx(profile[20] / 2, rel=0.05)  # two px from the middle: half of the maximum


def test_noise_has_the_deviation_that_was_asked_for(noise_raster: Raster) -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    image = Raster(grey, np.ones((200, 200), bool), noise_raster.transform, noise_raster.crs)
    assert Degradation("noise", 10.0).apply(image).pixels.std() == pytest.approx(10, rel=0.02)


def test_nodata_stays_nodata(noise_raster: Raster) -> None:
    valid = noise_raster.valid.copy()
    valid[:10] = False
    image = Raster(noise_raster.pixels, valid, noise_raster.transform, noise_raster.crs)
    assert not Degradation("noise", 20.0).apply(image).pixels[:10].any()


@pytest.mark.parametrize("amount", [-1.0, float("nan"), 101.0])
def test_an_amount_that_is_not_possible_is_refused(noise_raster: Raster, amount: float) -> None:
    with pytest.raises(RasterError, match="not possible"):
        Degradation("blur", amount).apply(noise_raster)
