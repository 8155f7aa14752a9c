import json

import numpy as np
import pytest

from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.report import report, to_json
from scinet.models.card import Card
from scinet.raster.raster import Raster

CARD = Card(name="sci-net", architecture="sci-net", gsd_range_cm_per_px=(5.0, 40.0), window_px=128, sha256="abc")


def test_a_report_tells_settings_scores_and_kinds(noise_raster: Raster) -> None:
    truth = np.zeros(noise_raster.shape, bool)
    truth[10:30, 10:30] = truth[50:70, 50:70] = True
    mask = np.zeros_like(truth)
    mask[10:30, 10:25] = mask[80:84, 100:105] = True
    diagnosis = diagnose(truth, mask, pixel_area_m2=noise_raster.pixel_area_m2)
    content = json.loads(
        to_json(
            report(
                "noise",
                noise_raster,
                noise_raster,
                CARD,
                mask,
                diagnosis,
                strategy="direct",
                threshold=0.4,
                min_area_m2=2.0,
            )
        )
    )
    assert content["image"]["name"] == "noise" and content["image"]["crs"] == "EPSG:32630"
    assert content["image"]["cm_per_px"] == pytest.approx(10, rel=0.002)
    assert (content["image"]["width_px"], content["working"]["height_px"]) == (128, 96)
    assert content["model"] == {"name": "sci-net", "architecture": "sci-net", "sha256": "abc"}
    assert content["settings"] == {"strategy": "direct", "threshold": 0.4, "min_area_m2": 2.0}
    assert content["mask"]["components"] == 2
    assert content["mask"]["building_area_m2"] == pytest.approx(320 * noise_raster.pixel_area_m2)
    against = content["truth"]
    assert against["counts_px"] == {"tp": 300, "fp": 20, "fn": 500}
    assert against["scores"]["iou"] == pytest.approx(300 / 820, abs=1e-6)
    assert against["shares"]["omission"] == pytest.approx(500 / 800)
    assert against["buildings"] == {"found": 1, "missed": 1, "merged": 0, "fragmented": 0}
    assert against["components"] == {"good": 1, "merger": 0, "false": 1}


def test_nothing_to_score_is_null(noise_raster: Raster) -> None:
    empty = np.zeros(noise_raster.shape, bool)
    diagnosis = diagnose(empty, empty, pixel_area_m2=1.0)
    text = to_json(report("n", noise_raster, noise_raster, CARD, empty, diagnosis, strategy="direct", threshold=0.5))
    against = json.loads(text)["truth"]
    assert "NaN" not in text and against["shares"]["omission"] is None and against["scores"]["iou"] == 1
    without = report("n", noise_raster, noise_raster, CARD, empty, None, strategy="canonical", threshold=0.5)
    assert json.loads(to_json(without))["truth"] is None
