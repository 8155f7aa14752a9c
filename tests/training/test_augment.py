import numpy as np
import pytest
from PIL import Image

from training.augment import (
    RESAMPLING_KERNELS,
    degraded,
    grayscale,
    hue_rotated,
    one_of_eight,
    photometric,
    resampled_by,
    saturated,
    turned,
)


def generator(seed=0):
    return np.random.default_rng(seed)


def flat(*colour, side=16):
    return np.full((side, side, 3), colour, np.uint8)


def noise(side=32):
    return generator(9).integers(0, 256, (side, side, 3), np.uint8)


@pytest.mark.parametrize("change", [photometric, degraded])
def test_a_change_depends_on_the_generator_alone(change):
    np.testing.assert_array_equal(change(noise(), generator(1)), change(noise(), generator(1)))
    assert not np.array_equal(change(noise(), generator(1)), change(noise(), generator(2)))


def test_no_strength_changes_nothing():
    for seed in range(5):
        np.testing.assert_allclose(photometric(noise(), generator(seed), 0.0), noise(), atol=1)


def test_more_strength_changes_more():
    def change(strength):
        changed = [photometric(noise(), generator(seed), strength).astype(int) for seed in range(20)]
        return np.abs(np.array(changed) - noise()).mean()

    assert 0 < change(0.25) < change(0.5) < change(1.0)


def test_brightness_is_spread_over_the_wanted_range():
    means = [photometric(flat(60, 60, 60), generator(seed)).mean() / 255 for seed in range(200)]
    assert min(means) < 0.27
    assert max(means) > 0.7


def test_ground_that_no_tile_covers_stays_black():
    pixels = noise()
    pixels[:8] = 0
    for seed in range(20):
        assert not photometric(pixels, generator(seed))[:8].any()


def test_saturation_by_known_values():
    red = np.full((1, 1, 3), (1, 0, 0), np.float32)
    np.testing.assert_allclose(saturated(red, 0)[0, 0], 0.299, atol=1e-6)
    np.testing.assert_allclose(saturated(red, 1)[0, 0], (1, 0, 0), atol=1e-6)


@pytest.mark.parametrize(("degrees", "wanted"), [(0, (1, 0, 0)), (120, (0, 1, 0)), (240, (0, 0, 1)), (360, (1, 0, 0))])
def test_hue_by_known_values(degrees, wanted):
    red = np.full((1, 1, 3), (1, 0, 0), np.float32)
    np.testing.assert_allclose(hue_rotated(red, degrees)[0, 0], wanted, atol=1e-6)


def test_grey_has_no_hue():
    grey = np.full((2, 2, 3), 0.4, np.float32)
    np.testing.assert_allclose(hue_rotated(grey, 37), grey, atol=1e-6)


def test_grayscale_by_known_values():
    np.testing.assert_array_equal(grayscale(flat(200, 0, 0)), flat(60, 60, 60))
    np.testing.assert_array_equal(grayscale(flat(90, 90, 90)), flat(90, 90, 90))


@pytest.mark.parametrize("kernel", RESAMPLING_KERNELS)
def test_flat_ground_stays_flat_whatever_the_kernel(kernel):
    np.testing.assert_array_equal(resampled_by(kernel, flat(10, 20, 30, side=40), 16), flat(10, 20, 30))


def test_nearest_and_bilinear_alias_and_lanczos_does_not():
    stripes = np.broadcast_to((np.arange(64) % 4 < 2).astype(np.uint8)[None, :, None] * 255, (64, 64, 3)).copy()
    spread = {
        kernel: np.ptp(resampled_by(kernel, stripes, 14)[7, 2:-2, 0].astype(int)) for kernel in RESAMPLING_KERNELS
    }
    assert spread["nearest"] == 255
    assert spread["bilinear"] > 100
    assert spread["lanczos"] < 60


def test_an_unknown_kernel_is_refused():
    with pytest.raises(ValueError, match="unknown resampling kernel 'box'"):
        resampled_by("box", noise(), 16)


def test_degradation_keeps_brightness_and_size():
    smooth = np.asarray(Image.fromarray(noise(4)).resize((64, 64), Image.Resampling.BICUBIC))
    for seed in range(20):
        changed = degraded(smooth, generator(seed))
        assert changed.shape == smooth.shape
        assert abs(changed.mean() - smooth.mean()) < 6


def test_a_quarter_turn_is_exact_in_the_middle():
    pixels = np.dstack([noise(32), noise(32)[..., 0] // 128 * 255])
    np.testing.assert_array_equal(turned(pixels, 90, 16), np.rot90(pixels)[8:24, 8:24])
    np.testing.assert_array_equal(turned(pixels, 0, 16), pixels[8:24, 8:24])


def test_the_eight_ways_differ_and_the_first_is_the_chip_itself():
    ways = [one_of_eight(noise(), number) for number in range(8)]
    np.testing.assert_array_equal(ways[0], noise())
    assert len({way.tobytes() for way in ways}) == 8
