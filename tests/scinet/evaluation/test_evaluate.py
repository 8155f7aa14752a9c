"""Masks of a probability on both grids of an image."""

import numpy as np
import pytest
from numpy.typing import NDArray

from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.evaluate import evaluate, evaluate_on_grids
from scinet.raster.components import label
from scinet.raster.raster import Raster
from scinet.raster.resample import resample

Houses = tuple[NDArray[np.bool_], NDArray[np.float32]]


@pytest.fixture
def houses() -> Houses:
    """Two reference houses of 24 x 24 px on 96 x 128 px, and a probability that finds the first one."""
    truth, found = np.zeros((96, 128), bool), np.zeros((96, 128), np.float32)
    truth[16:40, 16:40] = truth[16:40, 80:104] = True
    found[16:40, 16:40] = 0.9
    return truth, found


def test_a_mask_holds_what_is_above_the_threshold(noise_raster: Raster) -> None:
    probability = np.full(noise_raster.shape, 0.5, np.float32)
    probability[10:20, 10:20] = 0.51
    evaluation = evaluate(probability, noise_raster)
    assert evaluation.prediction.sum() == 100 and evaluation.diagnosis is None
    assert evaluation.building_area_m2 == pytest.approx(1.0, rel=0.01)  # 10 x 10 px of 10 cm
    assert evaluate(probability, noise_raster, threshold=0.4).prediction.all()


def test_small_components_are_dropped(noise_raster: Raster) -> None:
    probability = np.zeros(noise_raster.shape, np.float32)
    probability[10:30, 10:30] = probability[50:52, 50:52] = 1.0
    evaluation = evaluate(probability, noise_raster, min_area_m2=1.0)
    assert evaluation.predicted_labels.max() == 1 and evaluation.prediction.sum() == 400
    assert (evaluation.threshold, evaluation.min_area_m2) == (0.5, 1.0)


def test_nodata_is_never_building(noise_raster: Raster) -> None:
    noise_raster.valid[:, :64] = False
    evaluation = evaluate(np.ones(noise_raster.shape, np.float32), noise_raster)
    assert not evaluation.prediction[:, :64].any() and evaluation.prediction[:, 64:].all()


def test_the_reference_may_be_given_as_a_mask_or_by_a_function(noise_raster: Raster, houses: Houses) -> None:
    truth, found = houses
    by_mask = evaluate(found, noise_raster, truth)
    by_function = evaluate(found, noise_raster, lambda raster: label(truth))
    assert by_mask.diagnosis is not None and by_function.diagnosis is not None
    assert by_mask.diagnosis.tally == by_function.diagnosis.tally
    assert by_mask.predicted is by_mask.diagnosis.predicted


def test_at_the_native_resolution_both_grids_are_one(noise_raster: Raster, houses: Houses) -> None:
    truth, found = houses
    calls = []

    def labels_on(raster: Raster) -> NDArray[np.int32]:
        calls.append(raster.shape)
        return label(truth)

    evaluations = evaluate_on_grids(found, noise_raster, noise_raster, labels_on)
    assert evaluations["working"] is evaluations["native"] and calls == [(96, 128)]
    diagnosis = evaluations["native"].diagnosis
    assert diagnosis is not None
    assert diagnosis.tally == diagnose(truth, found > 0.5, pixel_area_m2=noise_raster.pixel_area_m2).tally
    assert diagnosis.shares.omission == 0.5


def test_a_coarse_mask_loses_only_on_the_native_grid(noise_raster: Raster, houses: Houses) -> None:
    truth, _ = houses
    working = resample(noise_raster, 40)
    coarse_truth = label(truth[2::4, 2::4])
    labels = {truth.shape: label(truth), coarse_truth.shape: coarse_truth}
    exact = (coarse_truth > 0).astype(np.float32)
    evaluations = evaluate_on_grids(exact, working, noise_raster, lambda raster: labels[raster.shape])
    on_working, on_native = evaluations["working"].diagnosis, evaluations["native"].diagnosis
    assert on_working is not None and on_native is not None
    assert on_working.shares.omission == 0
    assert on_working.tally.true * 16 == on_native.tally.true  # the houses lie on the coarse grid
    assert 0 < on_native.shares.omission < 0.05  # bilinear interpolation rounds the corners


def test_buildings_that_a_model_parted_stay_apart_on_the_native_grid(noise_raster: Raster) -> None:
    working = resample(noise_raster, 40)
    probability = np.full(working.shape, 0.9, np.float32)
    row, column = np.indices(probability.shape)
    probability[row == column] = 0  # a line as `scinet.segmentation.instances` draws them: its pixels touch at corners
    found = evaluate_on_grids(probability, working, noise_raster, threshold=0.3)
    assert [found[grid].predicted_labels.max() for grid in ("working", "native")] == [2, 2]


def test_nodata_does_not_grow_on_the_native_grid(noise_raster: Raster) -> None:
    working = resample(noise_raster, 40)
    working.valid[:, 8:] = False
    probability = np.where(working.valid, np.float32(0.9), np.float32(0))
    prediction = evaluate_on_grids(probability, working, noise_raster, threshold=0.3)["native"].prediction
    assert prediction[:, :33].all() and not prediction[:, 34:].any()  # interpolated across the edge
