import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from training import dataset
from training.dataset import Chips, DataError, PackedTiles, dataset_share, describe, read_index
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


def test_tiles_are_what_the_files_hold(scene):
    for number, tile in enumerate(scene.tiles):
        pixels, building = scene.tile(tile)
        np.testing.assert_array_equal(pixels, noise(number + 1))
        np.testing.assert_array_equal(building, noise(number + 1)[..., 0] > 127)


def test_a_window_runs_over_neighbouring_tiles(scene):
    first = scene.tiles[0]
    window, covered = scene.window(first.scene, first.column + 32, first.row, SIDE)
    assert covered.all()
    np.testing.assert_array_equal(window[..., :3], np.hstack([noise(1), noise(2)])[:, 32:96])
    np.testing.assert_array_equal(window[..., 3] > 0, window[..., 0] > 127)


def test_outside_of_all_tiles_nothing_is_covered(scene):
    first = scene.tiles[0]
    window, covered = scene.window(first.scene, first.column - 10, first.row - 4, SIDE)
    assert not covered[:4].any()
    assert not covered[:, :10].any()
    assert covered[4:, 10:].all()
    assert not window[~covered].any()


def test_tiles_without_a_place_or_of_another_zoom_are_scenes_of_their_own(make_folder, tmp_path):
    place = {"crs": "EPSG:32630", "x_min": 1000.0, "y_max": 6400.0}
    tiles = [{"pixels": noise(n), "mask": blank()} for n in range(4)]
    folder = make_folder(
        {**tiles[0], **place, "metres_per_px": 0.1}, {**tiles[1], **place, "metres_per_px": 0.2}, tiles[2], tiles[3]
    )
    assert len({tile.scene for tile in pack_of(folder, tmp_path).tiles}) == 4


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
    for index in range(200):
        chips._window(np.random.default_rng(index))
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
    with pytest.raises(dataset.argparse.ArgumentTypeError, match=r"not of the form accra=0\.4"):
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


def test_tiles_are_decoded_once(make_folder, tmp_path):
    folder = make_folder({"pixels": noise(), "mask": blank()})
    pack_of(folder, tmp_path)
    (folder / "0.png").unlink()
    np.testing.assert_array_equal(pack_of(folder, tmp_path).tile(pack_of(folder, tmp_path).tiles[0])[0], noise())


def test_description_for_the_card(make_folder, tmp_path):
    folder = make_folder(
        {"pixels": noise(), "mask": blank(), "dataset": "b", "licence": "CC-BY"},
        {"pixels": noise(), "mask": blank(), "dataset": "b", "licence": "CC-BY", "cm_per_px": 5.0},
        {"pixels": noise(), "mask": blank(), "dataset": "a"},
    )
    assert describe([pack_of(folder, tmp_path)]) == [
        {"dataset": "a", "tiles": 1, "cm_per_px": [10.0], "licence": "none"},
        {"dataset": "b", "tiles": 2, "cm_per_px": [5.0, 10.0], "licence": "CC-BY"},
    ]


def truncate(folder):
    Image.fromarray(noise()).save(folder / "whole.jpg")
    (folder / "0.png").write_bytes((folder / "whole.jpg").read_bytes()[:1500])


def without_column(folder, column):
    pd.read_csv(folder / "index.csv").drop(columns=column).to_csv(folder / "index.csv", index=False)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "index.csv").unlink(), r"holds no index\.csv"),
        (lambda f: (f / "index.csv").write_text(""), "cannot be read as CSV"),
        (lambda f: (f / "index.csv").write_bytes(b"\xff\xfe\x00\x01"), "cannot be read as CSV"),
        (lambda f: without_column(f, "cm_per_px"), "lacks the column cm_per_px"),
        (lambda f: (f / "0.png").unlink(), r"0\.png is missing"),
        (lambda f: (f / "0_mask.png").unlink(), r"0_mask\.png is missing"),
        (lambda f: (f / "0.png").write_text("no image"), "cannot be read as an image"),
        (truncate, "cannot be read as an image: image file is truncated"),
        (lambda f: Image.fromarray(blank(32)).save(f / "0_mask.png"), r"0_mask\.png is 32 x 32 px, .* 64 x 64"),
    ],
)
def test_bad_folders_are_named_in_a_sentence(make_folder, tmp_path, damage, message):
    folder = make_folder({"pixels": noise(), "mask": blank()})
    damage(folder)
    with pytest.raises(DataError, match=message):
        pack_of(folder, tmp_path)
    cache = tmp_path / "cache"
    assert not cache.exists() or not list(cache.iterdir())  # half a pack is never left


def test_an_empty_split_is_named(make_folder, tmp_path):
    with pytest.raises(DataError, match="no tile in the split 'val'"):
        pack_of(make_folder({"pixels": noise(), "mask": blank()}), tmp_path, "val")


def test_a_full_disk_while_decoding_leaves_no_pack(make_folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(DataError, match=r"No space left on device.*free some disk space"):
        pack_of(make_folder({"pixels": noise(), "mask": blank()}), tmp_path)
    assert not list((tmp_path / "cache").iterdir())


def test_the_real_index_has_what_training_needs(data_dir):
    assert {"train", "val", "test"} <= set(read_index(data_dir)["split"])


def test_without_a_range_chips_keep_the_tiles_own_gsd(make_folder, tmp_path):
    pixels, mask = squares()
    pack = pack_of(make_folder({"pixels": pixels, "mask": mask}), tmp_path)
    recipe = Recipe(chip_px=SIDE, gsd_range_cm_per_px=None, flip_probability=0)
    image, truth = Chips([pack], recipe, 1)[0]
    np.testing.assert_array_equal(truth[0].numpy() > 0, mask)
    np.testing.assert_allclose(image.permute(1, 2, 0).numpy(), (pixels / 255 - 0.5) / 0.5, atol=1e-6)


def test_colour_jitter_changes_the_image_alone_and_by_the_index(make_folder, tmp_path):
    pixels, mask = squares()
    pixels = pixels // 2 + 40
    pack = pack_of(make_folder({"pixels": pixels, "mask": mask}), tmp_path)
    plain, jittered = (
        Chips([pack], Recipe(chip_px=SIDE, gsd_range_cm_per_px=(10, 20), colour_jitter=jitter), 4)
        for jitter in (0, 0.3)
    )
    for index in range(4):
        assert torch.equal(plain[index][1], jittered[index][1])
        assert torch.equal(jittered[index][0], jittered[index][0])
        difference = (plain[index][0] - jittered[index][0]).abs()
        assert difference.mean() > 0.005
        assert jittered[index][0].abs().max() <= 1
