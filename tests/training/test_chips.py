import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from training.chips import Chips, dataset_share, resized
from training.errors import DataError
from training.packed_tiles import PackedTiles
from training.recipe import Recipe

SIDE = 64


def noise(seed=0, side=SIDE):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def blank(side=SIDE):
    return np.zeros((side, side), bool)


def squares(side=SIDE):
    """Bright buildings on dark ground, and the mask of the buildings."""
    mask = blank(side)
    mask[5:25, 8:30] = mask[36:60, 30:50] = True
    return np.where(mask[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2), mask


def pack_of(folder, tmp_path, split="train"):
    return PackedTiles(folder, split, tmp_path / "cache")


@pytest.fixture
def scene(make_folder, tmp_path):
    """Two neighbours of one scene, left and right, 10 cm/px."""
    place = {"crs": "EPSG:32630", "metres_per_px": 0.1, "y_max": 6400.0}
    left = {"pixels": noise(1), "mask": noise(1)[..., 0] > 127, "x_min": 1000.0, **place}
    right = {"pixels": noise(2), "mask": noise(2)[..., 0] > 127, "x_min": 1006.4, **place}
    return pack_of(make_folder(left, right), tmp_path)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_chip_depends_on_the_seed_and_its_index_alone(scene, workers):
    chips = Chips([scene], Recipe(chip_px=32, seed=5), 6)
    images = torch.cat([image for image, _ in DataLoader(chips, 2, num_workers=workers)])
    again = Chips([scene], Recipe(chip_px=32, seed=5), 1000)
    for index in (4, 0, 5):
        torch.testing.assert_close(images[index], again[index][0], rtol=0, atol=0)
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[0], Chips([scene], Recipe(chip_px=32, seed=6), 1)[0][0])


def test_a_chip_is_normalised_and_shaped(scene):
    image, truth = Chips([scene], Recipe(chip_px=32, gsd_range_cm_per_px=(10.0, 10.0)), 1)[0]
    assert image.shape == (3, 32, 32)
    assert truth.shape == (1, 32, 32)
    assert {tensor.dtype for tensor in (image, truth)} == {torch.float32}
    assert -1 <= image.min() < -0.9
    assert 0.9 < image.max() <= 1
    assert set(truth.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("cm_per_px", "period_px"), [(5.0, 32), (10.0, 16), (20.0, 8), (40.0, 4)])
def test_the_content_has_the_scale_of_the_gsd(make_folder, tmp_path, cm_per_px, period_px):
    stripes = (np.arange(512) // 8 % 2 * 255).astype(np.uint8)  # a period of 16 px = 1.6 m
    pixels = np.broadcast_to(stripes[None, :, None], (512, 512, 3)).copy()
    pack = pack_of(make_folder({"pixels": pixels, "mask": blank(512)}), tmp_path)
    recipe = Recipe(chip_px=64, gsd_range_cm_per_px=(cm_per_px, cm_per_px))
    row = Chips([pack], recipe, 1)[0][0][0, 32].numpy()
    spectrum = np.abs(np.fft.rfft(row - row.mean()))
    assert spectrum.argmax() == 64 / period_px


def test_gsds_are_spread_over_the_whole_range_log_uniformly(make_folder, tmp_path, monkeypatch):
    pack = pack_of(make_folder({"pixels": noise(side=600), "mask": blank(600)}), tmp_path)
    sides = []
    window = pack.window
    monkeypatch.setattr(pack, "window", lambda *place: sides.append(place[-1]) or window(*place))
    chips = Chips([pack], Recipe(chip_px=100, gsd_range_cm_per_px=(2.5, 40.0)), 200)
    monkeypatch.setattr("training.chips.ENOUGH_COVERED", -1.0)  # the first place is taken
    for index in range(200):
        chips[index]
    cm_per_px = np.array(sides) * 10 / 100
    assert 2.4 < cm_per_px.min() < 2.8
    assert 36 < cm_per_px.max() < 40.1
    assert np.median(cm_per_px) == pytest.approx(10, rel=0.35)  # the geometric middle


@pytest.mark.parametrize("cm_per_px", [4.0, 10.0, 23.0])
def test_truth_and_image_stay_aligned(make_folder, tmp_path, cm_per_px):
    pixels, mask = squares()
    pack = pack_of(make_folder({"pixels": pixels, "mask": mask}), tmp_path)
    chips = Chips([pack], Recipe(chip_px=32, gsd_range_cm_per_px=(cm_per_px, cm_per_px)), 8)
    buildings = 0
    for index in range(8):
        image, truth = chips[index]
        np.testing.assert_array_equal(truth[0].numpy() > 0, image[0].numpy() > 0)
        buildings += int(truth.sum())
    assert buildings > 0


def test_flips_turn_image_and_truth_alike(make_folder, tmp_path):
    pixels, mask = squares()
    pack = pack_of(make_folder({"pixels": pixels, "mask": mask}), tmp_path)
    whole = {"chip_px": SIDE, "gsd_range_cm_per_px": (10.0, 10.0)}
    straight = Chips([pack], Recipe(flip_probability=0.0, **whole), 1)[0]
    assert torch.equal(straight[1][0] > 0, torch.from_numpy(mask))
    # All three flips: both mirrors and a half turn are the identity
    assert torch.equal(Chips([pack], Recipe(flip_probability=1.0, **whole), 1)[0][0], straight[0])
    variants = {(): 0, (1,): 0, (2,): 0, (1, 2): 0}
    chips = Chips([pack], Recipe(flip_probability=0.5, **whole), 40)
    for image, truth in (chips[index] for index in range(40)):
        found = [axes for axes in variants if torch.equal(image, straight[0].flip(axes))]
        assert len(found) == 1
        assert torch.equal(truth, straight[1].flip(found[0]))
        variants[found[0]] += 1
    assert min(variants.values()) > 0


def test_the_rest_of_a_coarse_chip_is_black_and_no_building(make_folder, tmp_path):
    pack = pack_of(make_folder({"pixels": noise(), "mask": ~blank()}), tmp_path)
    image, truth = Chips([pack], Recipe(chip_px=64, gsd_range_cm_per_px=(16.0, 16.0)), 1)[0]
    assert float(truth.mean()) == pytest.approx((10 / 16) ** 2, abs=0.05)  # the tile is one building
    assert float((image[:, truth[0] == 0] == -1).float().mean()) > 0.9  # the tile's edge is averaged


def test_weights_are_shares_of_the_chips(make_folder, tmp_path):
    folder = make_folder(
        {"pixels": noise(), "mask": blank(), "dataset": "a"},
        {"pixels": noise(), "mask": blank(), "dataset": "b"},
        {"pixels": noise(side=128), "mask": blank(128), "dataset": "b"},
        {"pixels": noise(), "mask": blank(), "dataset": "c"},
    )
    pack = pack_of(folder, tmp_path)
    chips = Chips([pack], Recipe(dataset_weights={"a": 3.0, "b": 1.0}), 1)
    np.testing.assert_allclose(chips.chance, [0.75, 0.05, 0.2, 0])  # within b by area
    np.testing.assert_allclose(Chips([pack], Recipe(), 1).chance, [1 / 7, 1 / 7, 4 / 7, 1 / 7])
    with pytest.raises(DataError, match="no training tile of berlin"):
        Chips([pack], Recipe(dataset_weights={"berlin": 1.0}), 1)


@pytest.mark.parametrize("text", ["accra", "accra=", "accra=x", "=1", "accra=0", "accra=-1", "accra=nan", "accra=inf"])
def test_a_share_that_is_none_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"not of the form accra=0\.4"):
        dataset_share(text)
    assert dataset_share("accra=.4") == ("accra", 0.4)


def test_a_tile_without_a_building_is_fine(make_folder, tmp_path):
    pack = pack_of(make_folder({"pixels": noise(), "mask": blank()}), tmp_path)
    assert not Chips([pack], Recipe(chip_px=32), 1)[0][1].any()


def test_masks_of_zeros_and_ones_are_as_good(make_folder, tmp_path):
    pixels, mask = squares()
    pack = pack_of(make_folder({"pixels": pixels, "mask": mask.astype(np.uint8)}), tmp_path)
    recipe = Recipe(chip_px=SIDE, gsd_range_cm_per_px=(10.0, 10.0), flip_probability=0.0)
    np.testing.assert_array_equal(Chips([pack], recipe, 1)[0][1][0].numpy() > 0, mask)


def test_without_a_range_chips_keep_the_tiles_own_gsd(make_folder, tmp_path):
    pixels, mask = squares()
    pack = pack_of(make_folder({"pixels": pixels, "mask": mask}), tmp_path)
    recipe = Recipe(chip_px=SIDE, gsd_range_cm_per_px=None, flip_probability=0)
    image, truth = Chips([pack], recipe, 1)[0]
    np.testing.assert_array_equal(truth[0].numpy() > 0, mask)
    np.testing.assert_allclose(image.permute(1, 2, 0).numpy(), (pixels / 255 - 0.5) / 0.5, atol=1e-6)


def test_chips_are_resized_by_exact_area_means(make_folder, tmp_path):
    column = np.arange(48, dtype=np.uint8) * 5
    pixels = np.broadcast_to(column[None, :, None], (48, 48, 4)).copy()
    down = resized(pixels, 32)  # each new pixel covers one and a half old ones
    wanted = [(column[3 * i] + column[3 * i + 1] / 2) / 1.5 for i in range(16)]
    np.testing.assert_allclose(down[0, ::2, 0], wanted, atol=0.51)
    np.testing.assert_array_equal(down[..., 0], down[..., 3])


def test_leaving_a_data_set_out_leaves_none_of_its_tiles(make_folder, tmp_path):
    folder = make_folder(*({"pixels": noise(), "mask": blank(), "dataset": name} for name in "aab"))
    pack = PackedTiles(folder, "train", tmp_path / "cache", leave_out=["a"])
    assert [tile.dataset for tile in pack.tiles] == ["b"]
    np.testing.assert_array_equal(pack.tile(pack.tiles[0])[0], noise())


def test_recipes_that_differ_in_light_alone_see_the_same_ground(scene):
    plain = Recipe(chip_px=32, gsd_range_cm_per_px=(10, 20))
    for change in ({"photometric": 1.0}, {"grayscale_probability": 1.0}, {"degrade_probability": 1.0}):
        changed = Chips([scene], replace(plain, **change), 6)
        for index in range(6):
            assert torch.equal(changed[index][1], Chips([scene], plain, 6)[index][1])
            assert not torch.equal(changed[index][0], Chips([scene], plain, 6)[index][0])


def test_a_turned_chip_keeps_its_middle_and_its_size(make_folder, tmp_path):
    pixels = np.zeros((200, 200, 3), np.uint8)
    y, x = np.mgrid[:200, :200] - 99.5
    mask = np.hypot(x, y) < 20  # a round building looks the same however it is turned
    pixels[mask] = 255
    pack = pack_of(make_folder({"pixels": pixels, "mask": mask}), tmp_path)
    recipe = Recipe(chip_px=100, gsd_range_cm_per_px=(20, 20), turn_probability=1.0)
    for index in range(4):
        image, truth = Chips([pack], recipe, 4)[index]
        assert image.shape == (3, 100, 100)
        assert int(truth.sum()) == pytest.approx(np.pi * 10**2, rel=0.05)
        assert float((image[0] > 0).float().sub(truth[0]).abs().mean()) < 0.01
        middle = truth[0].nonzero().float().mean(dim=0)
        assert (middle - 49.5).abs().max() < 1.5


def test_a_mosaic_fills_a_coarse_chip_with_the_data_sets_own_tiles(make_folder, tmp_path):
    grey = [np.full((SIDE, SIDE, 3), value, np.uint8) for value in (50, 100, 150, 250)]
    tiles = [{"pixels": tile, "mask": tile[..., 0] == 100, "dataset": "a"} for tile in grey[:3]]
    pack = pack_of(make_folder(*tiles, {"pixels": grey[3], "mask": blank(), "dataset": "b"}), tmp_path)
    recipe = Recipe(chip_px=64, gsd_range_cm_per_px=(40, 40), mosaic_probability=1.0, dataset_weights={"a": 1.0})
    image, truth = Chips([pack], recipe, 1)[0]
    values = ((image + 1) * 127.5).round()
    assert values.min() >= 50
    assert values.max() <= 150
    assert {50.0, 100.0, 150.0} <= set(values.unique().tolist())
    assert torch.equal(truth[0] > 0, values[0] == 100) or 0 < truth.mean() < 1


def test_standardised_chips_have_mean_0_and_about_deviation_1(scene):
    image, _ = Chips([scene], Recipe(chip_px=32, standardise=True), 1)[0]
    torch.testing.assert_close(image.mean(dim=(1, 2)), torch.zeros(3), atol=1e-5, rtol=0)
    assert image.std(dim=(1, 2)).sub(1).abs().max() < 0.2
