"""One image at many resolutions."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from scinet.errors import TargetError
from scinet.evaluation.diagnose import Tally
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.object_scores import ObjectTally
from scinet.evaluation.sweep import sweep
from scinet.evaluation.sweep_rows import COLUMNS, SweepPoint, sweep_rows, verdicts
from scinet.evaluation.target import Target
from scinet.models.confidence import Estimate
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample

HALF_FOUND = Tally(true=200, predicted=100, shared=100, largest_pieces=100, largest_owners=100)
HOUSES = ObjectTally(buildings=4, components=3, matches=np.array([3, 2, 1])).scores
POINT = SweepPoint(
    "UNet",
    20.0,
    50.0,
    3,
    {"working": HALF_FOUND, "native": HALF_FOUND},
    {"working": HOUSES, "native": HOUSES},
    agreement=0.9,
)


def test_a_point_counts_the_mask_on_the_working_grid_and_errors_on_both(noise_raster: Raster) -> None:
    truth = np.zeros(noise_raster.shape, bool)
    truth[16:40, 16:40] = True
    working = resample(noise_raster, 40)
    probability = np.zeros(working.shape, np.float32)
    probability[4:10, 4:10] = probability[15:17, 15:17] = 1.0
    point = SweepPoint.of("UNet", 40.0, evaluate_on_grids(probability, working, noise_raster, truth))
    assert (point.model, point.cm_per_px, point.components) == ("UNet", 40.0, 2)
    assert point.building_area_m2 == pytest.approx(40 * 0.16, rel=0.01)
    assert point.tallies["working"].true == 36 and point.tallies["native"].true == 24 * 24
    assert point.objects["working"].recall == 1.0 and point.objects["working"].precision == 0.5
    assert isnan(point.agreement)
    without = SweepPoint.of("UNet", 40.0, evaluate_on_grids(probability, working, noise_raster))
    assert without == replace(
        point, tallies={}, objects={}, smallest_found_m2={}, parts={}, agreement=without.agreement
    )


def test_rows_come_by_model_then_resolution_then_grid() -> None:
    points = [replace(POINT, cm_per_px=40.0), replace(POINT, model="MANet"), POINT]
    rows = sweep_rows(points)
    assert [(row["model"], row["cm_per_px"], row["grid"]) for row in rows] == [
        (model, cm_per_px, grid)
        for model, cm_per_px in (("UNet", 20.0), ("UNet", 40.0), ("MANet", 20.0))
        for grid in ("native", "working")
    ]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert rows[0]["iou"] == pytest.approx(0.5, abs=1e-6) and rows[0]["omission"] == 0.5
    assert rows[0]["object_recall"] == 0.5 and rows[0]["object_buildings"] == 4
    assert (rows[0]["building_area_m2"], rows[0]["components"], rows[0]["agreement"]) == (50.0, 3, 0.9)


def test_without_a_reference_there_is_the_agreement_alone() -> None:
    (row, _) = sweep_rows([replace(POINT, tallies={}, objects={})])
    assert isnan(row["iou"]) and isnan(row["holes"]) and isnan(row["object_f1"]) and row["agreement"] == 0.9


def test_verdicts_come_by_model_and_need_a_reference() -> None:
    good, bad = np.tile([20.0, 20, 18, 1, 1, 1, 1, 1], (16, 1)), np.tile([20.0, 20, 5, 0, 1, 1, 0, 1], (16, 1))
    points = [
        replace(POINT, cm_per_px=step, model=model, parts={"working": good if step < limit else bad})
        for model, limit in (("UNet", 40), ("MANet", 5))
        for step in (10.0, 20.0, 40.0)
    ]
    unet, manet = verdicts(points, Target("iou", 0.7), native_cm_per_px=10.0)
    assert (unet.model, unet.kept, manet.model, manet.kept) == ("UNet", 20.0, "MANet", None)
    with pytest.raises(TargetError, match="needs reference buildings"):
        verdicts([POINT], Target("iou", 0.7), native_cm_per_px=10.0)


def test_without_a_reference_estimates_have_columns_and_give_the_verdicts() -> None:
    estimates = {"iou": Estimate(0.75, 0.6, 0.9, 0.9)}
    bare = replace(POINT, tallies={}, objects={}, estimates=estimates)
    (row, _) = sweep_rows([bare])
    assert (row["estimated_iou"], row["estimated_iou_low"], row["estimated_iou_high"]) == (0.75, 0.6, 0.9)
    other = replace(bare, model="mine", estimates={})
    (found,) = verdicts([bare, other], Target("iou", 0.7), native_cm_per_px=20.0)
    assert (found.model, found.kept, found.is_estimated) == ("UNet", 20.0, True)


def test_a_sweep_reports_its_progress_in_order(brightness_model: Model, noise_raster: Raster) -> None:
    shares: list[float] = []
    rows = sweep(noise_raster, None, [brightness_model], [10, 14, 20], progress=shares.append)
    assert [(row["cm_per_px"], row["grid"]) for row in rows] == [
        (step, grid) for step in (10, 14, 20) for grid in ("native", "working")
    ]
    assert len(shares) >= 3 and shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_the_native_resolution_agrees_with_itself(brightness_model: Model, noise_raster: Raster) -> None:
    native = noise_raster.cm_per_px
    rows = sweep(noise_raster, None, [brightness_model], [40.0, native])
    agreements = {row["cm_per_px"]: row["agreement"] for row in rows}
    assert agreements[native] == 1.0 and 0 <= agreements[40.0] < 1
    assert all(isnan(row["agreement"]) for row in sweep(noise_raster, None, [brightness_model], [40.0]))


def test_a_stopped_sweep_starts_nothing_more(brightness_model: Model, noise_raster: Raster) -> None:
    calls: list[float] = []

    def stop(done: float) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(noise_raster, None, [brightness_model], [10, 14, 20, 28, 40], progress=stop)
    assert len(calls) == 1
