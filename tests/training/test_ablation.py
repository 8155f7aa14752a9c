import json
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from scinet.models.card import Card
from scinet.models.model import Model
from training import ablation
from training.errors import DataError
from training.packed_tiles import PackedTiles
from training.train_options import parse_arguments

DOCS = Path(__file__).parents[2] / "docs"


class Told(nn.Module):
    """Calls bright pixels building, and notes which resolutions it is told."""

    takes_cm_per_px = True

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float] = []

    def forward(self, image: Tensor, cm_per_px: Tensor) -> Tensor:
        self.told.append(round(float(cm_per_px[0]), 1))
        return image.float().mean(dim=1, keepdim=True) * 100


@pytest.fixture
def two_houses(make_folder, tmp_path) -> PackedTiles:
    """Two houses 3 px of 10 cm apart, which the image shows as they are."""
    mask = np.zeros((120, 120), bool)
    mask[20:100, 10:57] = mask[20:100, 60:110] = True
    pixels = np.where(mask[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    return PackedTiles(make_folder({"pixels": pixels, "mask": mask}), "train", tmp_path / "cache")


def test_scores_by_known_values_and_what_the_model_is_told(two_houses: PackedTiles) -> None:
    network = Told()
    model = Model(network, Card("bright", "unet", (5.0, 60.0), 576), torch.device("cpu"))
    rows = {
        (row["cm_per_px"], row["told"]): row
        for row in ablation.place_scores(model, [(two_houses, two_houses.tiles[0])])
    }
    assert list(rows) == [("native", 1.0), *((step, told) for step in ("20", "40", "60") for told in (1.0, 0.5, 2.0))]
    told = [cm_per_px for cm_per_px, _ in groupby(network.told)]  # the same for all windows of an image
    assert told == [10.0, 20.0, 10.0, 40.0, 20.0, 80.0, 60.0, 30.0, 120.0]
    apart, fused = rows["native", 1.0], rows["60", 1.0]
    assert apart["micro_iou"] == 1.0 and apart["object_f1"] == 1.0 and apart["found"] == 1.0
    assert apart["merging"] == 0.0 and apart["buildings"] == 2
    assert fused["merging"] > 0.4 and fused["found"] == 0.0


def test_a_model_that_is_not_told_the_resolution_is_not_told_a_wrong_one(two_houses: PackedTiles) -> None:
    network = Told()
    network.takes_cm_per_px = False
    network.forward = lambda image: image.mean(dim=1, keepdim=True)  # type: ignore[method-assign,assignment]
    model = Model(network, Card("bright", "unet", (5.0, 60.0), 576), torch.device("cpu"))
    rows = ablation.place_scores(model, [(two_houses, two_houses.tiles[0])])
    assert {row["told"] for row in rows} == {1.0} and len(rows) == 4


def test_every_part_can_be_trained() -> None:
    for options in ablation.PARTS.values():
        parse_arguments([*options, "--data", "x", "--ema-decay", "0.9"])


def test_a_part_trains_once_per_fold_and_its_rows_replace_former_ones(
    town_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ablation, "FOLDS", (("b",), ("c",)))
    trained = []

    def train_main(arguments: list[str]) -> None:
        name = arguments[arguments.index("--name") + 1]
        trained.append((name, [arguments[at + 1] for at, word in enumerate(arguments) if word == "--leave-out"]))
        (tmp_path / "runs" / name).mkdir(parents=True)

    scores = {"micro_iou": 0.5, "object_f1": 0.25, "merging": 0.1, "fragmentation": 0.0, "found": 0.75, "buildings": 8}
    monkeypatch.setattr(ablation, "train", SimpleNamespace(main=train_main))
    monkeypatch.setattr(ablation, "load_model", lambda path, device: path)
    monkeypatch.setattr(
        ablation,
        "place_scores",
        lambda model, tiles: [{"cm_per_px": "40", "told": told, **scores} for told in (1.0, 2.0)],
    )
    table = tmp_path / "t.csv"
    command = ["--part", "three outputs, scale", "--table", str(table), "--data", str(town_folder)]
    command += ["--runs", str(tmp_path / "runs"), "--ema-decay", "0.9"]
    ablation.main(command)
    ablation.main(command)  # what is done is not done again
    assert trained == [("three-outputs-scale-b", ["b"]), ("three-outputs-scale-c", ["c"])]
    rows = pd.read_csv(table)
    assert rows.groupby(["place", "told"]).size().to_dict() == {
        (place, told): 1 for place in ("accra", "b", "c") for told in (1.0, 2.0)
    }
    assert len(json.loads((tmp_path / "runs" / "three-outputs-scale-b" / "ablation.json").read_text())) == 4
    capsys.readouterr()
    ablation.main(["--show", "--table", str(table)])
    shown = capsys.readouterr().out
    assert "| three outputs, scale | 40 | 0.500 | 0.250 | 0.100 | 0.000 | 0.750 | b, c | 100,000 |" in shown
    assert "| three outputs, scale | 40, told 80 |" in shown


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.csv is missing"):
        ablation.main(["--show", "--table", str(tmp_path / "no.csv")])


def test_the_table_in_the_docs_is_that_of_the_file() -> None:
    assert ablation.markdown(pd.read_csv(DOCS / "ablation.csv")) in (DOCS / "training.md").read_text(encoding="utf-8")
