"""Fits of calibration and estimates on rows of tiles whose probabilities are known to be right or too sure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scinet.models.confidence import expected_iou
from scinet.models.model import Model
from scinet.models.scaling import logit_histogram
from training.calibration import measure_tile
from training.calibration_fit import check, curves, fit, images, reliability
from training.packed_tiles import PackedTiles


def tile(random: np.random.Generator, place: str, cm_per_px: float, temperature: float = 1.0) -> dict[str, Any]:
    """A tile of 2,000 px whose probabilities are too sure by a temperature, and whose share of buildings varies."""
    true = random.normal(random.uniform(-3, 0), 2.5, 2000)
    is_building = random.random(2000) < 1 / (1 + np.exp(-true))
    probability = (1 / (1 + np.exp(-temperature * true))).astype(np.float32)
    mask = probability > 0.5
    shared = int((mask & is_building).sum())
    return {
        "place": place,
        "cm_per_px": cm_per_px,
        "all": logit_histogram(probability).tolist(),
        "buildings": logit_histogram(probability, is_building).tolist(),
        "pixel_counts": [shared, int(mask.sum()) - shared, int(is_building.sum()) - shared],
        "object_counts": [shared // 100, 2, 3],
    }


@pytest.fixture
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame([tile(random, place, step) for place in "abcd" for step in (10.0, 20.0) for _ in range(40)])


def test_images_pool_tiles_of_one_place_and_resolution(rows: pd.DataFrame) -> None:
    together = images(rows)
    assert set(together["place"]) == set("abcd") and set(together["cm_per_px"]) == {10.0, 20.0}
    assert {sum(row) for row in together["all"]} == {4 * 2000}
    assert together["iou"].between(0, 1).all() and together["object_f1"].between(0, 1).all()


def test_images_without_buildings_have_no_score() -> None:
    row = tile(np.random.default_rng(0), "a", 10.0) | {"buildings": [0] * 64}
    assert images(pd.DataFrame([row] * 8)).empty


def test_estimates_of_a_calibrated_model_are_near_and_their_intervals_hold(rows: pd.DataFrame) -> None:
    calibration = fit(rows)
    assert all(scaling == pytest.approx((1, 0), abs=0.1) for _, *scaling in calibration.scalings)
    found = check(rows).set_index("score").loc["iou"]
    assert (found["mean_error"] < 0.05).all()
    assert found["covered"].mean() >= 0.9
    assert (found["width"] < 0.3).all()


def test_the_interval_is_as_wide_as_the_strangest_place_needs(rows: pd.DataFrame) -> None:
    random = np.random.default_rng(1)
    strange = pd.DataFrame([tile(random, "e", 10.0, temperature=6.0) for _ in range(40)])
    strange["pixel_counts"] = [[tp // 2, fp + tp // 2, fn] for tp, fp, fn in strange["pixel_counts"]]
    line, wider = fit(rows).lines["iou"], fit(pd.concat([rows, strange])).lines["iou"]
    assert wider.high - wider.low > line.high - line.low


def test_a_scaling_from_elsewhere_mends_a_model_that_is_too_sure() -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame([tile(random, place, 10.0, temperature=2.0) for place in "abc" for _ in range(40)])
    found = reliability(rows).iloc[0]
    assert found["temperature"] == pytest.approx(2, rel=0.1)
    assert found["error_with_scaling"] < 0.5 * found["error"]


def test_the_curve_of_a_calibrated_model_is_the_diagonal(rows: pd.DataFrame) -> None:
    found = curves(rows)
    assert [curve.cm_per_px for curve in found] == [10.0, 20.0]
    for curve in found:
        probability, share, weight = np.array(curve.points).T
        np.testing.assert_allclose(probability, share, atol=0.05)
        assert weight.sum() == pytest.approx(1, abs=1e-3)
        assert curve.error < 0.02


def test_a_tile_is_measured_on_its_working_grid(town_folder: Path, tmp_path: Path, brightness_model: Model) -> None:
    pack = PackedTiles(town_folder, "train", tmp_path / "cache")
    first = pack.tiles[0]
    row = measure_tile(brightness_model, pack, first, 2.0 * first.cm_per_px)
    assert sum(row["all"]) == pytest.approx(first.width * first.height / 4, rel=0.1)
    assert sum(row["buildings"]) == row["pixel_counts"][0] + row["pixel_counts"][2]
    assert 0 <= expected_iou(np.array(row["all"])) <= 1
