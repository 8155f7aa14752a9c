import numpy as np
import pandas as pd
import pytest
from PIL import Image

from training.errors import DataError
from training.packed_tiles import PackedTiles, describe, labelled_tiles

SIDE = 64


def noise(seed=0, side=SIDE):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def blank(side=SIDE):
    return np.zeros((side, side), bool)


def pack_of(folder, tmp_path, split="train"):
    return PackedTiles(folder, split, tmp_path / "cache")


@pytest.fixture
def scene(make_folder, tmp_path):
    """Two neighbours of one scene, left and right, 10 cm/px."""
    place = {"crs": "EPSG:32630", "metres_per_px": 0.1, "y_max": 6400.0}
    left = {"pixels": noise(1), "mask": noise(1)[..., 0] > 127, "x_min": 1000.0, **place}
    right = {"pixels": noise(2), "mask": noise(2)[..., 0] > 127, "x_min": 1006.4, **place}
    return pack_of(make_folder(left, right), tmp_path)


def truncate(folder):
    Image.fromarray(noise()).save(folder / "whole.jpg")
    (folder / "0.png").write_bytes((folder / "whole.jpg").read_bytes()[:1500])


def without_column(folder, column):
    pd.read_csv(folder / "index.csv").drop(columns=column).to_csv(folder / "index.csv", index=False)


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


def test_many_resolutions_are_a_range_on_the_card(make_folder, tmp_path):
    tiles = [{"pixels": noise(), "mask": blank(), "cm_per_px": 5.0 + each} for each in range(13)]
    (row,) = describe([pack_of(make_folder(*tiles), tmp_path)])
    assert row["tiles"] == 13
    assert row["cm_per_px_range"] == [5.0, 17.0]
    assert "cm_per_px" not in row


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "index.csv").unlink(), r"holds no index\.csv"),
        (lambda f: (f / "index.csv").write_text(""), "contains no images"),
        (lambda f: (f / "index.csv").write_bytes(b"\xff\xfe\x00\x01"), r"index\.csv cannot be read"),
        (lambda f: without_column(f, "cm_per_px"), "says nothing of the cm_per_px of 0"),
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
    assert {"train", "val", "test"} <= {tile.split for tile in labelled_tiles(data_dir)}
