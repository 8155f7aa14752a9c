"""The lists of models and of a folder's images."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scinet.cli.main import main


def test_models_lists_the_models(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["models"]) == 0
    assert "Sci-Net" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert [card["name"] for card in json.loads(capsys.readouterr().out)] == ["sci-net", "unet"]
    monkeypatch.setenv("SCINET_CHECKPOINTS", str(tmp_path))
    assert main(["models"]) == 2
    assert "There is no model" in capsys.readouterr().err


def test_samples_lists_images_and_references_that_are_there(
    capsys: pytest.CaptureFixture[str], run_json: Callable[..., Any]
) -> None:
    listed = run_json("samples")["samples"]
    assert listed[0]["title"] == "Accra, a building site" and "ODbL" in listed[0]["licence"]
    for row in listed:
        assert Path(row["image"]).is_file() and Path(row["truth"]).is_file() and row["problem"] is None
    assert main(["samples"]) == 0
    assert all(row["image"] in printed for printed in [capsys.readouterr().out] for row in listed)


def test_tiles_lists_a_folder(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], run_json: Callable[..., Any]
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    listed = run_json("tiles", tmp_path)["tiles"]
    assert [row["name"] for row in listed] == ["broken", "scene"]
    assert "broken.png" in listed[0]["problem"]
    assert (listed[1]["width_px"], listed[1]["crs"], listed[1]["problem"]) == (128, "EPSG:32630", None)
    assert main(["tiles", str(tmp_path)]) == 0
    assert "128 x 96 px, 9.99 cm/px" in capsys.readouterr().out


def test_tiles_that_are_not_there_are_one_sentence(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tiles", str(tmp_path), "--city", "Atlantis"]) == 2
    assert main(["tiles", str(tmp_path), "--split", "test"]) == 2
    assert main(["tiles", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 3
