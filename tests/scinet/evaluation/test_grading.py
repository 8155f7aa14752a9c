import doctest
from math import nan

import numpy as np
import pytest

from scinet.evaluation import evaluate, grading
from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.grading import agreement, grade, holds_to, steps_around
from scinet.raster.components import label
from scinet.raster.resample import resample
from scinet.raster.resolution import STEPS_CM_PER_PX


def test_doctests():
    result = doctest.testmod(grading)
    assert result.attempted == 3 and result.failed == 0


def test_native_takes_the_place_of_a_step_that_is_nearly_it():
    assert steps_around(5.05)[3:6] == [4.0, 5.05, 6.3]
    assert set(steps_around(5.18)) == {*STEPS_CM_PER_PX, 5.18}
    assert steps_around(300.0)[-1] == 300.0


@pytest.fixture
def probability():
    """Two houses of 24 x 24 px on a raster of 96 x 128 px: one found, one missed."""
    truth, found = np.zeros((96, 128), bool), np.zeros((96, 128), np.float32)
    truth[16:40, 16:40] = truth[16:40, 80:104] = True
    found[16:40, 16:40] = 0.9
    return truth, found


def test_on_the_native_grid_both_grids_are_one(noise_raster, probability):
    truth, found = probability
    calls = []

    def labels_on(raster):
        calls.append(raster.shape)
        return label(truth)

    graded = grade(found, 0.5, working=noise_raster, native=noise_raster, labels_on=labels_on)
    tallies = {grid: each.diagnosis.tally for grid, each in graded.items()}
    expected = diagnose(truth, found > 0.5, pixel_area_m2=noise_raster.pixel_area_m2).tally
    assert tallies == {"working": expected, "native": expected}
    assert calls == [(96, 128)]
    assert expected.shares.omission == 0.5


def test_a_coarse_mask_loses_on_the_native_grid_alone(noise_raster, probability):
    truth, _ = probability
    working = resample(noise_raster, 40)
    coarse_truth = label(truth[2::4, 2::4])
    labels = {truth.shape: label(truth), coarse_truth.shape: coarse_truth}
    exact = (coarse_truth > 0).astype(np.float32)
    graded = grade(exact, 0.5, working=working, native=noise_raster, labels_on=lambda r: labels[r.shape])
    tallies = {grid: each.diagnosis.tally for grid, each in graded.items()}
    assert tallies["working"].shares.omission == 0
    assert tallies["working"].true * 16 == tallies["native"].true  # the houses lie on the coarse grid
    assert 0 < tallies["native"].shares.omission < 0.05  # bilinear interpolation rounds the corners


def test_agreement_is_the_iou_with_the_own_native_mask(noise_raster, probability):
    _, found = probability
    assert agreement(found > 0.5, found > 0.5, noise_raster) == pytest.approx(1)
    other = np.zeros_like(found)
    other[16:40, 28:52] = 0.9
    assert agreement(other > 0.5, found > 0.5, noise_raster) == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize(
    "scores, expected",
    [
        ({10: 0.8, 20: 0.77, 40: 0.75}, 20),  # 0.75 is less than 0.76
        ({10: 0.8, 20: 0.5, 40: 0.8}, 10),  # a break is a break
        ({5: 0.1, 10: 0.8, 20: 0.9}, 20),  # finer than native counts nothing
        ({20: 0.8, 40: 0.8}, None),  # native has not run yet
        ({10: 0.0, 20: 0.0}, None),
        ({10: nan, 20: 0.5}, None),
        ({10: 0.8, 20: nan}, 10),
    ],
)
def test_holds_to(scores, expected):
    assert holds_to(scores, native_cm_per_px=10) == expected


def test_a_sweep_tells_its_progress_in_order(brightness_model, noise_raster):
    shares: list[float] = []
    rows = evaluate.sweep(noise_raster, None, [brightness_model] * 3, [10, 14, 20], progress=shares.append)
    assert [(row["cm_per_px"], row["grid"]) for row in rows[:6]] == [
        (step, grid) for step in (10, 14, 20) for grid in ("native", "working")
    ]
    assert len(rows) == 18
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_a_sweep_that_is_stopped_begins_nothing_more(brightness_model, noise_raster):
    calls: list[float] = []

    def stop(share: float) -> None:
        calls.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate.sweep(noise_raster, None, [brightness_model], [10, 14, 20, 28, 40], progress=stop)
    assert len(calls) <= 2  # of the runs that were under way
