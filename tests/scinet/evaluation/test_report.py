import json
from typing import Any

import numpy as np
import pytest

from scinet.evaluation.evaluate import evaluate, evaluate_on_grids
from scinet.evaluation.report import report, to_json
from scinet.models.card import Card
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.segmentation.strategies import Strategy

CARD = Card(name="sci-net", architecture="sci-net", gsd_range_cm_per_px=(5.0, 40.0), window_px=128, sha256="abc")


def as_read(content: dict[str, Any]) -> Any:
    return json.loads(to_json(content))


def test_a_report_has_settings_scores_and_kinds(noise_raster: Raster) -> None:
    truth = np.zeros(noise_raster.shape, bool)
    truth[10:30, 10:30] = truth[50:70, 50:70] = True
    probability = np.zeros(noise_raster.shape, np.float32)
    probability[10:30, 10:25] = probability[80:84, 100:105] = 1
    evaluation = evaluate(probability, noise_raster, truth, threshold=0.4, min_area_m2=0.1)
    content = as_read(report("noise", CARD, Strategy("direct"), evaluation, evaluation))
    assert content["image"]["name"] == "noise" and content["image"]["crs"] == "EPSG:32630"
    assert content["image"]["cm_per_px"] == pytest.approx(10, rel=0.002)
    assert (content["image"]["width_px"], content["working"]["height_px"]) == (128, 96)
    assert content["model"] == {"name": "sci-net", "architecture": "sci-net", "sha256": "abc"}
    assert content["settings"] == {
        "strategy": "direct",
        "places": "unknown",
        "flips": False,
        "scales": [1.0],
        "threshold": 0.4,
        "min_area_m2": 0.1,
    }
    assert content["mask"]["components"] == 2
    assert content["mask"]["building_area_m2"] == pytest.approx(320 * noise_raster.pixel_area_m2)
    against = content["truth"]
    assert against["counts_px"] == {"tp": 300, "fp": 20, "fn": 500}
    assert against["scores"]["iou"] == pytest.approx(300 / 820, abs=1e-6)
    assert against["shares"]["omission"] == pytest.approx(500 / 800)
    assert against["buildings"] == {"found": 1, "missed": 1, "merged": 0, "fragmented": 0}
    assert against["components"] == {"good": 1, "merger": 0, "false": 1}
    assert against["objects"]["f1"] == 0.5 and against["objects"]["mean_iou"] == 0.75
    assert against["objects"]["average_precision"] == pytest.approx(51 / 101)
    same = {name: against[name] for name in ("scores", "shares", "objects")}
    assert content["native"] == {"grid": "native", **same}


def test_a_report_tells_the_working_grid_from_the_native_one(noise_raster: Raster) -> None:
    truth = np.zeros(noise_raster.shape, bool)
    truth[10:31, 10:31] = True
    working = resample(noise_raster, 40)
    evaluations = evaluate_on_grids(np.ones(working.shape, np.float32), working, noise_raster, truth)
    content = as_read(report("noise", CARD, Strategy("direct"), **evaluations))
    assert (content["image"]["width_px"], content["working"]["width_px"]) == (128, 32)
    assert content["mask"]["share_of_valid_pixels"] == 1.0
    assert content["native"]["scores"]["precision"] == pytest.approx(21 * 21 / (96 * 128))
    assert content["truth"]["scores"]["precision"] != content["native"]["scores"]["precision"]


def test_what_has_no_score_is_null(noise_raster: Raster) -> None:
    nothing = np.zeros(noise_raster.shape, np.float32)
    evaluation = evaluate(nothing, noise_raster, nothing > 0)
    text = to_json(report("noise", CARD, Strategy("direct"), evaluation, evaluation))
    against = json.loads(text)["truth"]
    assert "NaN" not in text and against["shares"]["omission"] is None and against["scores"]["iou"] == 1
    without = evaluate(nothing, noise_raster)
    content = as_read(report("noise", CARD, Strategy(), without, without))
    assert content["truth"] is content["native"] is None
