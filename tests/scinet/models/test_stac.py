"""Cards as STAC items."""

import json
import re
from dataclasses import replace

import pytest

from scinet.cli.main import main
from scinet.models.card import Card, list_models
from scinet.models.stac import MLM, stac_item

CARD = Card("unet-2", "unet", gsd_range_cm_per_px=(2.5, 40.0), window_px=576, mean=0.4, std=0.2, sha256="0f" * 32)


def test_an_item_has_what_the_extension_requires() -> None:
    item = stac_item(CARD)
    properties = item["properties"]
    assert MLM in item["stac_extensions"] and item["geometry"] is None and "bbox" not in item
    for name in ("name", "architecture", "framework", "tasks", "input", "output"):
        assert properties[f"mlm:{name}"], name
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]+[a-zA-Z0-9]", properties["mlm:name"])
    (taken,), (given,) = properties["mlm:input"], properties["mlm:output"]
    assert taken["bands"] == [band["name"] for band in properties["bands"]] == ["red", "green", "blue"]
    assert taken["value_scaling"] == 3 * [{"type": "z-score", "mean": 0.4, "stddev": 0.2}]
    assert "bands" in taken["input"]["dim_order"]
    for shape in (taken["input"], given["result"]):
        assert len(shape["shape"]) == len(shape["dim_order"]) == 4 and shape["data_type"] == "float32"
    assert "mlm:hyperparameters" not in properties  # it may not be empty


def test_the_weights_are_where_they_can_be_had() -> None:
    assert stac_item(CARD)["assets"]["weights"]["href"].endswith("/unet-2.safetensors")
    weights = stac_item(replace(CARD, url="https://host/w.safetensors"))["assets"]["weights"]
    assert weights["href"] == "https://host/w.safetensors" and "mlm:model" in weights["roles"]
    assert weights["mlm:artifact_type"]
    assert weights["file:checksum"] == "1220" + CARD.sha256


def test_the_command_lists_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--stac"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["type"] == "FeatureCollection"
    assert [item["id"] for item in found["features"]] == [card.name for card in list_models()]
