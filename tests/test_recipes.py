"""The page of recipes: each of its blocks runs, in order, and leaves what it says."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import rasterio

from scinet.cli.main import main
from scinet.models.card import list_models

PROJECT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    if not {"sci-net", "unet"} <= {card.name for card in list_models()}:
        pytest.skip("no checkpoints on board")
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((PROJECT / "docs" / "cli.md").read_text())
    assert len(blocks) > 12 and {language for language, _ in blocks} == {"python", "sh"}
    names: dict[str, Any] = {}
    printed = {}
    for language, text in blocks:
        if language == "python":
            exec(compile(text, "docs/cli.md", "exec"), names)
            continue
        for line in text.splitlines():
            arguments = shlex.split(line)
            assert arguments[:3] == ["python", "-m", "scinet"], line
            capsys.readouterr()
            assert main(arguments[3:]) == 0, line
            printed[line] = capsys.readouterr().out
    for line, output in printed.items():
        if "--json" in line:
            assert json.loads(output), line
    with rasterio.open("mask_40.tif") as mask, rasterio.open("exact.tif") as exact:
        assert mask.shape == (150, 150) and exact.dtypes == ("float32",) and exact.shape == (300, 300)
    for path in ("buildings.gpkg", "buildings.fgb", "scene.gpkg", "polygons/a.gpkg", "polygons/b.gpkg"):
        assert pyogrio.read_info(path, force_feature_count=True)["features"] > 0, path
    assert Path("masks/b.tif").exists() and Path("mask_mine.tif").exists() and Path("mask_onnx.tif").exists()
    assert not list(tmp_path.glob("*.part"))
