"""Calibration and estimates without a reference, on probabilities whose truth is known."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from scinet.models.confidence import Calibration, Line, expected_iou, fit_line
from scinet.models.promise import THRESHOLDS, Promised, Tried
from scinet.models.reliability import Reliability
from scinet.models.scaling import (
    BINS,
    Scaling,
    calibrated,
    calibration_error,
    chance_of_error,
    fit_scaling,
    logit,
    logit_histogram,
)


def drawn(temperature: float, shift: float = 0.0, count: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Histograms of all pixels and of buildings of a model that needs a scaling."""
    random = np.random.default_rng(0)
    true = random.uniform(-4, 4, count)
    probability = (1 / (1 + np.exp(-temperature * (true - shift)))).astype(np.float32)
    is_building = random.random(count) < 1 / (1 + np.exp(-true))
    return logit_histogram(probability), logit_histogram(probability, is_building)


def test_every_probability_has_its_place() -> None:
    histogram = logit_histogram(np.float32([0, 1e-9, 0.4999, 0.5001, 1]))
    assert histogram.sum() == 5
    assert histogram[0] == 2 and histogram[-1] == 1
    assert histogram[BINS // 2 - 1] == 1 and histogram[BINS // 2] == 1


def test_pixels_can_be_left_out() -> None:
    assert logit_histogram(np.float32([0.2, 0.9]), np.array([True, False])).nonzero()[0] < BINS // 2


@pytest.mark.parametrize("scaling", [Scaling(0.5, 0.0), Scaling(1.0, -1.0), Scaling(2.0, 0.7)])
def test_the_scaling_of_a_model_is_found(scaling: Scaling) -> None:
    whole, buildings = drawn(*scaling)
    assert fit_scaling(whole, buildings) == pytest.approx(scaling, abs=0.06)
    assert calibration_error(whole, buildings, scaling) < 0.01


def test_the_scaling_of_a_model_that_is_always_right_is_finite() -> None:
    whole = logit_histogram(np.float32([0.1, 0.2, 0.8, 0.9]))
    assert fit_scaling(whole, whole * (np.arange(BINS) >= BINS // 2)).temperature == pytest.approx(0.25)
    assert np.isfinite(fit_scaling(whole, whole * 0)).all()


def test_a_model_that_is_too_sure_has_an_error() -> None:
    whole, buildings = drawn(3.0)
    assert calibration_error(whole, buildings) > 0.05
    assert np.isnan(calibration_error(whole * 0, whole * 0))


def test_the_expected_iou_is_the_true_one_of_a_calibrated_model() -> None:
    whole, buildings = drawn(1.0)
    predicted = slice(BINS // 2, None)
    union = whole[predicted].sum() + buildings[: BINS // 2].sum()
    assert expected_iou(whole) == pytest.approx(buildings[predicted].sum() / union, abs=0.01)
    assert expected_iou(whole * 0) == 0


def test_a_higher_threshold_is_expected_to_miss_more() -> None:
    whole, _ = drawn(1.0)
    assert expected_iou(whole, threshold=0.9) < expected_iou(whole, threshold=0.5)


def test_a_temperature_brings_probabilities_to_the_middle() -> None:
    assert np.all(np.abs(calibrated(Scaling(2.0)) - 0.5) < np.abs(calibrated() - 0.5))


def test_the_chance_of_error_is_that_of_the_calibrated_probability() -> None:
    probability = np.float32([0, 0.1, 0.5, 0.6, 1])
    np.testing.assert_allclose(chance_of_error(probability), [0, 0.1, 0.5, 0.4, 0], atol=1e-6)
    tempered = chance_of_error(probability, scaling=Scaling(2.0))
    assert tempered[1] == pytest.approx(0.25, abs=1e-3) and tempered[[0, 4]].tolist() == [0, 0]
    shifted = chance_of_error(probability, scaling=Scaling(1.0, -np.log(3)))
    np.testing.assert_allclose(shifted, [0, 1 / 28, 0.25, 2 / 3, 0], atol=1e-3)
    assert chance_of_error(probability, threshold=0.55)[2:4] == pytest.approx([0.5, 0.4])


def test_a_line_is_found() -> None:
    expected = np.linspace(0.2, 0.9, 20)
    true = 1 / (1 + np.exp(-(0.8 * logit(expected) - 0.5)))
    line = fit_line(expected, true)
    assert (line.slope, line.intercept) == pytest.approx((0.8, -0.5))


def test_the_nearest_scaling_counts() -> None:
    calibration = Calibration(((10, 1.5, 0.1), (40, 3.0, 0.2)))
    assert [calibration.scaling_at(step) for step in (5, 19, 21, 80)] == [(1.5, 0.1)] * 2 + [(3.0, 0.2)] * 2


def test_an_image_without_valid_pixels_has_no_estimate() -> None:
    calibration = Calibration(((10, 1.0, 0.0),), {"iou": Line(1, 0)})
    assert calibration.estimate(np.zeros(BINS, np.int64), 10) == {}


def test_a_calibration_is_read_as_it_was_written() -> None:
    calibration = Calibration(
        ((10.0, 1.5, -0.5), (40.0, 3.0, 0.0)),
        {"iou": Line(0.8, -0.5, -1, 1)},
        0.9,
        (Promised(10.0, (0.5,) * len(THRESHOLDS), (0.6,) * len(THRESHOLDS)),),
        (Tried("recall", 0.9, 0.95, 0.85, 0.4),),
        {"unknown": (Reliability(10.0, 0.05, ((0.1, 0.2, 1.0),)),)},
        "unet",
    )
    written = json.loads(json.dumps(asdict(calibration)))
    assert Calibration.from_json(written) == calibration
    former = {name: written[name] for name in ("scalings", "lines", "coverage")}
    assert Calibration.from_json(former).lines == calibration.lines


@pytest.mark.parametrize(
    "change",
    [
        {"scalings": []},
        {"scalings": [[10, -1, 0]]},
        {"scalings": [[10, 1]]},
        {"lines": {"beauty": {"slope": 1, "intercept": 0, "low": 0, "high": 0}}},
        {"lines": {"iou": {"slope": 1, "intercept": 0}}},
        {"lines": {"iou": [1, 0, 0, 0]}},
        {"coverage": 0},
        {"promised": [[0.5]]},
        {"promised": [{"cm_per_px": 10, "recall": [0.5], "precision": [0.5]}]},
        {"tried": [{"quantity": "beauty", "least": 0.9, "mean": 0.9, "worst": 0.8, "cost": 0.4}]},
        {"reliability": {"known": [{"cm_per_px": 10, "error": 0.1, "points": [[0.1, 0.2]]}]}},
        {"coverage": 1.5},
        {"lines": {"iou": {"slope": float("nan"), "intercept": 0, "low": 0, "high": 0}}},
    ],
)
def test_a_damaged_calibration_is_refused(change: dict[str, object]) -> None:
    good = Calibration(((10.0, 1.5, 0.0),), {"iou": Line(0.8, -0.5, -1, 1)})
    with pytest.raises((ValueError, KeyError)):
        Calibration.from_json({**asdict(good), **change})
