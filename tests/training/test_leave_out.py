import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from scinet.models.card import Card
from scinet.models.model import Model
from training import leave_out
from training.errors import DataError
from training.packed_tiles import PackedTiles

DOCS = Path(__file__).parents[2] / "docs"


class BrightIsBuilding(torch.nn.Module):
    """Calls every pixel above the middle grey a building."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean(dim=1, keepdim=True) * 100


@pytest.fixture
def half_right(make_folder, tmp_path):
    """A tile whose upper half is bright; only the upper left quarter is a building."""
    pixels, mask = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), bool)
    pixels[:32], mask[:32, :32] = 255, True
    return PackedTiles(make_folder({"pixels": pixels, "mask": mask}), "train", tmp_path / "cache")


def test_scores_by_known_values(half_right):
    model = Model(BrightIsBuilding(), Card("bright", "unet", (5.0, 60.0), 576), torch.device("cpu"))
    scores = leave_out.place_scores(model, [(half_right, half_right.tiles[0])])
    assert scores == pytest.approx({"native": 0.5, "10": 0.5, "20": 0.5, "40": 0.5}, abs=1e-5)


def test_a_tile_is_not_scored_finer_than_it_is(make_folder, tmp_path):
    pixels = np.full((64, 64, 3), 255, np.uint8)
    folder = make_folder({"pixels": pixels, "mask": pixels[..., 0] > 0, "cm_per_px": 30.0})
    pack = PackedTiles(folder, "train", tmp_path / "cache")
    model = Model(BrightIsBuilding(), Card("bright", "unet", (5.0, 60.0), 576), torch.device("cpu"))
    scores = leave_out.place_scores(model, [(pack, pack.tiles[0])])
    assert (scores["native"], scores["40"]) == (1.0, 1.0)
    assert np.isnan(scores["10"])
    assert np.isnan(scores["20"])


def test_tiles_are_taken_evenly():
    assert leave_out.evenly(list(range(9)), 3) == [0, 4, 8]  # type: ignore[arg-type]
    assert leave_out.evenly(list(range(2)), 3) == [0, 1]  # type: ignore[arg-type]


def test_a_setting_trains_once_per_fold_without_its_places(town_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(leave_out, "FOLDS", (("b",), ("c",)))
    monkeypatch.setattr(leave_out, "TRAINED", "town")
    trained = []

    def train_main(arguments):
        trained.append([arguments[at + 1] for at, word in enumerate(arguments) if word == "--leave-out"])
        (tmp_path / "runs" / arguments[3]).mkdir(parents=True)

    monkeypatch.setattr(leave_out, "train", SimpleNamespace(main=train_main))
    monkeypatch.setattr(leave_out, "load_model", lambda path, device: path)
    monkeypatch.setattr(leave_out, "place_scores", lambda model, tiles: dict.fromkeys(leave_out.SCORES, 0.25))
    command = ["--setting", "plain", "--table", str(tmp_path / "t.csv"), "--data", str(town_folder)]
    command += ["--runs", str(tmp_path / "runs"), "--photometric", "0.5"]
    leave_out.main(command)
    assert trained == [["b"], ["c"]]
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["place"].tolist() == ["b", "town", "c"]
    assert table["left_out"].tolist() == [True, False, True]
    assert json.loads(table["recipe"][0]) == {"photometric": 0.5}
    leave_out.main(command)  # what is done is not done again
    assert len(trained) == 2
    assert len(pd.read_csv(tmp_path / "t.csv")) == 3
    capsys.readouterr()
    leave_out.main(["--show", "--table", str(tmp_path / "t.csv")])
    assert "| plain | 0.250 | 0.250 |" in capsys.readouterr().out


def test_a_place_that_no_folder_has_is_named(town_folder, tmp_path):
    with pytest.raises(DataError, match=r"No data set is named kampala, christchurch|named christchurch, kampala"):
        leave_out.main(
            ["--setting", "x", "--data", str(town_folder), "--runs", str(tmp_path), "--encoder-weights", "none"]
        )


def test_the_table_in_the_docs_is_that_of_the_file():
    table = leave_out.markdown(pd.read_csv(DOCS / "leave_out.csv"))
    assert table in (DOCS / "training.md").read_text(encoding="utf-8")


def test_a_setting_begins_where_another_ended_in_the_same_fold(town_folder, tmp_path, monkeypatch):
    starts = []

    def train_main(arguments):
        starts.append(arguments[arguments.index("--start-from") + 1])
        (tmp_path / arguments[3]).mkdir()

    monkeypatch.setattr(leave_out, "train", SimpleNamespace(main=train_main))
    monkeypatch.setattr(leave_out, "load_model", lambda path, device: path)
    monkeypatch.setattr(leave_out, "place_scores", lambda model, tiles: dict.fromkeys(leave_out.SCORES, 0.25))
    monkeypatch.setattr(leave_out, "PackedTiles", lambda *where: SimpleNamespace(tiles=[]))
    options = ["--data", str(town_folder), "--runs", str(tmp_path)]
    leave_out.run_fold("second", ("b", "c"), options, after="first")
    assert starts == [str(tmp_path / "first-b-c" / "first-b-c.safetensors")]
    assert json.loads(str(leave_out.about(options, "first")["recipe"])) == {"after": "first"}
