"""The results of the sample tiles on board: of the weights on board, the same pixels as a run gives, and small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scinet.datasets.sample_results import (
    FOLDER,
    THRESHOLD,
    TILES,
    Results,
    origin,
    read_index,
    read_mask,
    sample_mask,
    write_index,
    write_masks,
)
from scinet.datasets.samples import samples
from scinet.errors import RasterError
from scinet.models.card import list_models
from scinet.models.checkpoint import load_model
from scinet.models.device import has_bfloat16
from scinet.segmentation.segment import segment
from training.sample_results import wanted_results

CARDS = sorted(list_models(), key=lambda card: card.name)


def test_results_are_of_the_weights_on_board() -> None:
    """If this fails, weights or cards have changed: python -m training.sample_results makes the results again."""
    assert {row.tile for row in read_index()} == set(TILES)
    assert [(row.file, row.origins) for row in read_index()] == [
        (row.file, row.origins) for row in wanted_results(CARDS)
    ]


def test_results_stay_small_and_none_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"index.csv", *(row.file for row in read_index())}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4_000_000


@pytest.mark.parametrize("tile", TILES)
def test_a_result_has_the_pixels_of_a_run(tile: str) -> None:
    (sample,) = [sample for sample in samples() if sample.tile.name == tile]
    card, cm_per_px = CARDS[0], 100.0
    working, probability = segment(sample.tile.open().read(), load_model(card.name), cm_per_px)
    expected = (probability > THRESHOLD) & working.valid
    found = sample_mask(tile, card, cm_per_px)
    assert found is not None and found.shape == expected.shape and expected.any()
    # The results were made in bfloat16, as on every processor that has it; others may round a pixel the other way
    allowed = 0 if has_bfloat16(load_model(card.name).device) else 0.002 * expected.size
    assert np.count_nonzero(found != expected) <= allowed


def test_masks_of_every_step_fit_the_image() -> None:
    rasters = {sample.tile.name: sample.tile.open().read() for sample in samples() if sample.tile.name in TILES}
    for row in read_index():
        shape = rasters[row.tile].grid.at(row.cm_per_px).shape
        assert all(read_mask(FOLDER / row.file, page).shape == shape for page in range(len(CARDS)))


def test_a_result_of_other_weights_or_another_resolution_is_not_given() -> None:
    card = CARDS[0]
    assert sample_mask(TILES[0], card, 100.0) is not None
    assert sample_mask(TILES[0], replace(card, sha256="0" * 64), 100.0) is None
    assert sample_mask(TILES[0], replace(card, scales={"unknown": ((100, 1.5, 1),)}), 100.0) is None
    assert sample_mask(TILES[0], replace(card, name="mine"), 100.0) is None
    assert sample_mask(TILES[0], card, 101.0) is None
    assert sample_mask("accra_halls", card, 100.0) is None


def test_masks_and_their_index_are_read_as_written(tmp_path: Path) -> None:
    masks = list(np.random.default_rng(0).random((3, 33, 70)) > 0.5)
    write_masks(tmp_path / "town_20.tif", masks)
    assert all(np.array_equal(read_mask(tmp_path / "town_20.tif", page), mask) for page, mask in enumerate(masks))
    index = [Results("town", 20.0, {card.name: origin(card, 20) for card in CARDS}), Results("town", 5.175924, {})]
    write_index(tmp_path, index)
    assert read_index(tmp_path) == index


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "town_20.tif").write_bytes(b"II*\0")
    with pytest.raises(RasterError, match=r"town_20\.tif is damaged"):
        read_mask(tmp_path / "town_20.tif", 0)
    (tmp_path / "index.csv").write_text("tile,cm_per_px\ntown,fine\n")
    with pytest.raises(RasterError, match="restore it from the repository"):
        read_index(tmp_path)
