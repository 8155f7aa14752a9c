"""Chips and the learner of models with several outputs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from scinet.models.build import run
from scinet.models.checkpoint import load_model, load_trained
from scinet.raster.components import label
from training import train
from training.building_chips import BuildingChips
from training.chips import Chips
from training.errors import DataError
from training.learner import Learner
from training.packed_tiles import PackedTiles, describe
from training.recipe import Recipe
from training.train_options import parse_arguments, recipe_of

OUTPUTS = ("building", "boundary", "distance")
CHANGED = Recipe(
    chip_px=48, gsd_range_cm_per_px=(20.0, 60.0), turn_probability=0.5, photometric=0.5, degrade_probability=0.5
)


@pytest.fixture
def towns(town_folder: Path, tmp_path: Path) -> PackedTiles:
    return PackedTiles(town_folder, "train", tmp_path / "cache")


def test_chips_show_the_same_ground_and_buildings_as_for_the_other_models(towns: PackedTiles) -> None:
    plain, ours = Chips([towns], CHANGED, 8), BuildingChips([towns], CHANGED, 8, OUTPUTS)
    for index in range(8):
        image, truth, cm_per_px = ours[index]
        assert torch.equal(image, plain[index][0]) and torch.equal(truth[:1], plain[index][1])
        assert truth.shape == (3, 48, 48) and 19 < float(cm_per_px) < 61
        assert not (truth[2] > 0)[truth[0] == 0].any() and (truth[2] > 0)[truth[0] > 0].all()


def test_a_finer_view_has_the_same_middle_and_truth(towns: PackedTiles) -> None:
    plain = replace(CHANGED, photometric=0.0, degrade_probability=0.0, turn_probability=0.0)
    finer = BuildingChips([towns], replace(plain, consistency=1.0), 4, OUTPUTS)
    for index in range(4):
        image, truth, cm_per_px = finer[index]
        once, same_truth, same_cm_per_px = BuildingChips([towns], plain, 4, OUTPUTS)[index]
        assert image.shape == (3, 96, 96) and cm_per_px == same_cm_per_px
        assert (nn.functional.avg_pool2d(image, 2) - once).abs().mean() < 0.03
        assert (truth - same_truth)[0].abs().mean() < 0.02


def test_a_mask_of_16_bits_keeps_buildings_apart_that_share_an_edge(
    make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    numbers = np.zeros((64, 64), np.uint16)
    numbers[8:40, 8:30], numbers[8:40, 30:56] = 300, 7
    folder = make_folder({"pixels": np.full((64, 64, 3), 99, np.uint8), "mask": numbers > 0})
    Image.fromarray(numbers).save(folder / "0_mask.png")
    pack = PackedTiles(folder, "train", tmp_path / "cache")
    recipe = Recipe(chip_px=64, gsd_range_cm_per_px=None, flip_probability=0.0)
    _, truth, _ = BuildingChips([pack], recipe, 1, OUTPUTS)[0]
    assert torch.equal(truth[0] > 0, torch.from_numpy(numbers > 0))
    assert label(((truth[2] > 0.5) & (truth[0] > 0)).numpy()).max() == 2
    assert truth[1, 20, 28:32].all()
    assert torch.equal(Chips([pack], recipe, 1)[0][1][0] > 0, torch.from_numpy(numbers > 0))


def unlabelled_beside_labelled(make_folder: Callable[..., Path]) -> Path:
    """Two tiles of one scene: the left one is all building, the right one has no mask."""
    place = {"crs": "EPSG:32630", "y_max": 600.0, "metres_per_px": 0.1}
    tile = {"pixels": np.full((64, 64, 3), 99, np.uint8), "mask": np.full((64, 64), 255, np.uint8), **place}
    folder = make_folder({**tile, "x_min": 500.0}, {**tile, "x_min": 506.4})
    index = pd.read_csv(folder / "index.csv")
    index["mask"] = ["0_mask.png", None]
    index.to_csv(folder / "index.csv", index=False)
    return folder


def test_tiles_without_a_mask_are_seen_and_not_known(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = unlabelled_beside_labelled(make_folder)
    pack = PackedTiles(folder, "train", tmp_path / "cache", unlabelled=True)
    recipe = Recipe(chip_px=32, gsd_range_cm_per_px=(40.0, 40.0), flip_probability=0.0, consistency=1.0)
    for turns in (0.0, 1.0):
        image, truth, _ = BuildingChips([pack], replace(recipe, turn_probability=turns), 1, OUTPUTS)[0]
        known, is_ground = ~truth[0].isnan(), (image > -1).all(0)[::2, ::2]
        assert torch.equal(known, ~truth.isnan().any(0))
        assert known.any() and not known.all()
        assert truth[0][known & is_ground].mean() > 0.8  # but for its blurred edge, the tile is building
    assert describe([pack])[0]["unlabelled_tiles"] == 1


def test_without_consistency_a_missing_mask_is_refused(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = unlabelled_beside_labelled(make_folder)
    command = ["--model", "instance-net", "--data", str(folder), "--runs", str(tmp_path), "--encoder-weights", "none"]
    with pytest.raises(DataError, match=r"names no mask of 1; only training.train --consistency learns"):
        train.main(command)


class Spy(nn.Module):
    """A convolution that notes what it is asked."""

    takes_cm_per_px = True

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.asked: list[tuple[int, float]] = []

    def forward(self, image: Tensor, cm_per_px: Tensor) -> Tensor:
        self.asked.append((image.shape[-1], float(cm_per_px[0])))
        logits: Tensor = self.convolution(image)
        return logits


def test_the_teacher_sees_the_image_twice_as_fine_and_is_told_so() -> None:
    torch.manual_seed(0)
    recipe = Recipe(batch=2, chip_px=16, ema_decay=0.9, consistency=1.0, output_weights={"building": 1.0})
    learner = Learner(Spy(), recipe, torch.device("cpu"), OUTPUTS)
    truth = (torch.rand(2, 3, 16, 16) > 0.5).float()
    learner.learn(0, torch.randn(2, 3, 32, 32), truth, torch.tensor([40.0, 10.0]))
    assert learner.network.asked == [(16, 40.0)] and learner.kept.asked[-1] == (32, 20.0)


def test_ground_without_labels_teaches_consistency_alone() -> None:
    image, nothing = torch.randn(2, 3, 32, 32), torch.full((2, 3, 16, 16), torch.nan)
    changed = {}
    for consistency in (0.0, 1.0):
        torch.manual_seed(0)
        recipe = Recipe(batch=2, ema_decay=0.9, consistency=consistency, output_weights={"building": 1.0})
        learner = Learner(Spy(), recipe, torch.device("cpu"), OUTPUTS)
        before = learner.network.convolution.weight.clone()
        learner.learn(0, image if consistency else image[..., :16, :16], nothing, torch.tensor([40.0, 10.0]))
        changed[consistency] = (learner.network.convolution.weight - before).abs().amax(dim=(1, 2, 3)) > 0
    assert changed[0.0].tolist() == [False] * 3 and changed[1.0].tolist() == [True, False, False]


def test_outputs_count_by_their_weights() -> None:
    image, truth, cm_per_px = torch.randn(2, 3, 16, 16), torch.ones(2, 3, 16, 16), torch.tensor([40.0, 10.0])
    losses = {}
    for weights in ({"building": 1.0}, {"building": 1.0, "distance": 2.0}):
        torch.manual_seed(0)
        recipe = Recipe(batch=2, output_weights=weights)
        learner = Learner(Spy(), recipe, torch.device("cpu"), OUTPUTS)
        before = learner.network.convolution.weight.clone()
        losses[len(weights)] = learner.learn(0, image, truth, cm_per_px)
        changed = (learner.network.convolution.weight - before).abs().amax(dim=(1, 2, 3)) > 0
        assert changed.tolist() == [True, False, len(weights) == 2]
    assert losses[2] > losses[1]


@pytest.mark.slow
def test_one_command_trains_it_and_the_card_keeps_the_weights(
    town_folder: Path, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    unlabelled = unlabelled_beside_labelled(make_folder)
    command = [
        *("--model", "instance-net", "--data", str(town_folder), "--runs", str(tmp_path), "--encoder-weights", "none"),
        *("--data", str(unlabelled)),
        *("--epochs", "1", "--chips-per-epoch", "4", "--batch", "2", "--chip-px", "64", "--workers", "0"),
        *("--resolution-range", "20", "60", "--ema-decay", "0.9", "--consistency", "0.5", "--device", "cpu"),
        "--no-scale-input",
    ]
    train.main(command)
    model = load_model(tmp_path / "instance-net" / "instance-net.safetensors", torch.device("cpu"))
    assert model.outputs == OUTPUTS and model.takes_cm_per_px
    recipe = model.card.settings["recipe"]
    assert recipe["output_weights"] == {"building": 1.0, "boundary": 0.5, "distance": 0.5}
    assert recipe["consistency"] == 0.5 and recipe["scale_input"] is False
    assert model.card.data[0]["tiles"] == 4 and model.card.data[0]["unlabelled_tiles"] == 1
    network, _ = load_trained(tmp_path / "instance-net" / "instance-net.safetensors")
    with torch.inference_mode():
        image = torch.randn(1, 3, 64, 64)
        fine, coarse = (run(network, image, torch.tensor([cm_per_px])) for cm_per_px in (5.0, 50.0))
    assert torch.equal(fine, coarse)  # it was told nothing


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "unet", "--no-scale-input"], "unet does not take the resolution"),
        (["--model", "unet", "--output-weight", "boundary=1"], "unet has no output boundary"),
        (["--model", "instance-net", "--consistency", "0.5"], "needs a moving average"),
    ],
)
def test_options_that_make_no_sense_for_a_model_are_refused(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_arguments([*options, "--data", "x"])
    assert says in capsys.readouterr().err


def test_the_seven_learn_building_alone() -> None:
    recipe = recipe_of(parse_arguments(["--model", "unet", "--data", "x"]))
    assert recipe.deviations() == {}
