"""Object scores: worked examples, a slow dense account of random masks, torchmetrics and polymetrics."""

import math

import geopandas as gpd
import numpy as np
import pytest
import torch
from polymetrics import evaluate as evaluate_polygons
from polymetrics.matching import iou_matrix
from polymetrics.metrics import average_precision
from rasterio.features import shapes
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from shapely.geometry import shape as to_geometry
from torchmetrics.detection import PanopticQuality

from scinet.evaluation.boundary import boundary_counts
from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.object_scores import IOU_THRESHOLDS, ObjectScores, ObjectTally
from scinet.evaluation.objects import Objects, find_objects, mean_inside
from scinet.raster.components import components, label


def objects_of(truth: np.ndarray, prediction: np.ndarray, pixel_area_m2: float = 1.0, valid=None, **options) -> Objects:
    return find_objects(diagnose(truth, prediction, pixel_area_m2=pixel_area_m2, valid=valid), **options)


def scores_of(truth: np.ndarray, prediction: np.ndarray, **options) -> ObjectScores:
    return objects_of(truth, prediction, **options).tally.scores


def scene(*blocks: tuple[int, int, int, int], shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    """A bool mask with rectangles (top, left, height, width)."""
    out = np.zeros(shape, bool)
    for top, left, height, width in blocks:
        out[top : top + height, left : left + width] = True
    return out


def random_pair(seed: int, shape: tuple[int, int] = (96, 130)) -> tuple[np.ndarray, np.ndarray]:
    """Houses, and a prediction that shifts, splits, fuses, loses and invents some."""
    random = np.random.default_rng(seed)
    truth, prediction = np.zeros(shape, bool), np.zeros(shape, bool)
    for _ in range(30):
        top, left = random.integers(0, shape[0] - 6), random.integers(0, shape[1] - 6)
        height, width = random.integers(3, 16, 2)
        truth[top : top + height, left : left + width] = True
        if random.random() < 0.8:
            dy, dx = random.integers(-2, 3, 2)
            prediction[max(0, top + dy) : top + dy + height, max(0, left + dx) : left + dx + width] = True
    for _ in range(4):
        prediction[:, random.integers(0, shape[1])] = False
    return truth, prediction & (random.random(shape) > 0.01)


SEEDS = range(12)

TRUTH = scene((5, 5, 10, 10), (5, 30, 10, 10), (25, 5, 4, 4))
# IoU 1, 60 / 140 and 0, and one that is invented
PREDICTION = scene((5, 5, 10, 10), (5, 34, 10, 10), (25, 40, 5, 5))


def test_scores_of_a_known_scene():
    scores = scores_of(TRUTH, PREDICTION, pixel_area_m2=0.5)  # buildings of 50, 50 and 8 m2
    assert (scores.precision, scores.recall, scores.f1) == (1 / 3, 1 / 3, 1 / 3)
    assert (scores.precision_25, scores.recall_25, scores.f1_25) == (2 / 3, 2 / 3, 2 / 3)
    assert (scores.mean_iou, scores.panoptic_quality) == (1.0, 1 / 3)
    assert (scores.buildings, scores.components, scores.count_error) == (3, 3, 0.0)
    assert (scores.recall_under_20_m2, scores.recall_50_to_200_m2) == (0.0, 0.5)  # 50 m2 belong to the upper class
    assert math.isnan(scores.recall_20_to_50_m2) and math.isnan(scores.recall_over_200_m2)
    assert math.isnan(scores.average_precision) and math.isnan(scores.boundary_iou)


def test_an_iou_of_just_a_half_is_not_a_match():
    truth = scene((5, 5, 10, 10))
    assert scores_of(truth, scene((5, 5, 10, 20))).f1 == 0.0
    assert scores_of(truth, scene((5, 5, 10, 19))).f1 == 1.0


def test_area_error_is_that_of_the_matched():
    found = objects_of(scene((5, 5, 10, 10), (5, 30, 10, 10)), scene((5, 5, 10, 12), (5, 30, 10, 9), (30, 1, 3, 3)))
    assert found.iou.tolist() == [100 / 120, 0.9]
    assert found.area_error.tolist() == [0.2, -0.1]
    assert found.tally.scores.area_error == pytest.approx(0.15)
    assert found.tally.scores.count_error == 0.5


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        pytest.param(scene(), scene(), (math.nan, math.nan, 1.0, math.nan, 1.0, math.nan), id="nothing at all"),
        pytest.param(scene(), scene((5, 5, 5, 5)), (0.0, math.nan, 0.0, math.nan, 0.0, math.nan), id="no building"),
        pytest.param(scene((5, 5, 5, 5)), scene(), (math.nan, 0.0, 0.0, math.nan, 0.0, 0.0), id="no component"),
    ],
)
def test_nothing_to_score(truth, prediction, expected):
    scores = scores_of(truth, prediction, probability=np.zeros(truth.shape, np.float32))
    found = (*scores[:3], scores.mean_iou, scores.panoptic_quality, scores.average_precision)
    assert found == pytest.approx(expected, nan_ok=True)


def test_below_a_half_as_many_pairs_are_made_as_can_be():
    # The first component could match either building, the second one the first building alone
    truth = scene((5, 5, 10, 10), (5, 15, 10, 8)).astype(np.int32)
    truth[:, 15:] *= 2
    prediction = scene((5, 5, 10, 4), (5, 10, 10, 13))
    low = objects_of(truth, prediction).tally
    assert low.matches.tolist() == [2, 1, 0]


def test_small_objects_are_left_out_on_both_sides():
    scores = scores_of(TRUTH, PREDICTION, least_px=26)  # without the hut of 16 px and the invented 25 px
    assert (scores.buildings, scores.components, scores.f1) == (2, 2, 0.5)
    assert scores_of(TRUTH, PREDICTION, least_px=25).components == 3


def test_average_precision_of_a_known_ranking():
    truth = scene(*((5, left, 5, 5) for left in (0, 10, 20, 30)))
    prediction = scene(*((5, left, 5, 5) for left in (0, 10, 20)), (20, 0, 5, 5), (20, 10, 5, 5))
    probability = np.zeros(truth.shape, np.float32)
    for (top, left), value in {(5, 0): 0.9, (20, 0): 0.8, (5, 10): 0.7, (20, 10): 0.6, (5, 20): 0.55}.items():
        probability[top : top + 5, left : left + 5] = value
    # Precision 1 up to recall 1/4 (26 of the 101 recalls), 2/3 to 1/2 (25), 3/5 to 3/4 (25), then 0
    expected = (26 + 25 * 2 / 3 + 25 * 3 / 5) / 101
    assert scores_of(truth, prediction, probability=probability).average_precision == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_confidence_is_the_mean_probability_inside(seed, monkeypatch):
    monkeypatch.setattr("scinet.evaluation.objects._BAND_PX", 1000)  # several bands
    _, prediction = random_pair(seed)
    prediction[-1, -4:] = True  # the last pixel as well
    probability = np.random.default_rng(seed).random(prediction.shape, np.float32)
    labels = label(prediction)
    expected = ndimage.mean(probability.astype(float), labels, np.arange(1, labels.max() + 1))
    assert mean_inside(components(prediction), probability) == pytest.approx(expected, rel=1e-12)


def test_touching_buildings_are_told_from_real_mergers():
    houses = np.zeros((40, 60), np.int32)
    for number, left in enumerate((5, 11, 17), 1):  # a row of three
        houses[5:15, left : left + 6] = number
    houses[5:15, 30:36], houses[5:15, 38:44] = 4, 5  # two that stand apart
    scores = scores_of(houses, scene((5, 5, 10, 18), (5, 30, 10, 14)))
    assert (scores.merged, scores.merged_touching) == (5, 3)
    assert scores.merging_touching == pytest.approx(120 / 300)
    # One component over both groups: all are merged with buildings that they do not touch
    fused = objects_of(houses, scene((5, 5, 10, 39)))
    assert (fused.tally.scores.merged, fused.tally.scores.merged_touching) == (5, 0)
    # The row is the component's largest block: 60 px of it lie with the largest house, 120 with those it touches
    assert fused.tally.scores.merging_touching == pytest.approx(120 / 300)


def test_buildings_that_meet_at_a_corner_do_not_touch():
    houses = np.zeros((30, 30), np.int32)
    houses[5:10, 5:10], houses[10:15, 10:15] = 1, 2
    scores = scores_of(houses, scene((5, 5, 10, 10), shape=(30, 30)))
    assert (scores.merged, scores.merged_touching, scores.merging_touching) == (2, 0, 0.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_touching_buildings_are_the_components_of_their_mask(seed):
    random = np.random.default_rng(seed)
    quarters = random.integers(0, 4, (30, 40)).astype(np.int32)  # 0 is open ground
    truth = sum((label(quarters == value) + 1000 * value) * (quarters == value) for value in (1, 2, 3))
    truth = np.unique(truth, return_inverse=True)[1].reshape(truth.shape).astype(np.int32)
    prediction = random.random(truth.shape) > 0.3
    by_mask, by_building = diagnose(truth > 0, prediction, pixel_area_m2=1.0), objects_of(truth, prediction)
    shares = diagnose(truth, prediction, pixel_area_m2=1.0).shares
    assert shares.merging - by_building.tally.scores.merging_touching == pytest.approx(by_mask.shares.merging)


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_agree_with_a_dense_account(seed):
    truth, prediction = random_pair(seed)
    valid = np.random.default_rng(seed).random(truth.shape) > 0.001
    probability = np.random.default_rng(seed).random(truth.shape, np.float32)
    found = objects_of(truth, prediction, 4.0, valid, probability=probability)

    true, predicted = label(truth) * valid, label(prediction) * valid
    buildings = [true == i for i in np.unique(true[true > 0])]
    parts = [predicted == j for j in np.unique(predicted[predicted > 0])]
    ious = np.array([[(b & c).sum() / (b | c).sum() for c in parts] for b in buildings])
    for threshold in IOU_THRESHOLDS:
        rows, columns = linear_sum_assignment(ious > threshold, maximize=True)
        matches = (ious[rows, columns] > threshold).sum()
        counts = found.tally.counts(threshold)
        assert (counts.tp, counts.fp, counts.fn) == (matches, len(parts) - matches, len(buildings) - matches)

    scores = found.tally.scores
    best = ious.max(axis=1)
    assert found.iou == pytest.approx(np.where(best > 0.5, best, np.nan), nan_ok=True)
    large = np.array([b.sum() * 4.0 >= 200 for b in buildings])
    assert scores.recall_over_200_m2 == pytest.approx((best[large] > 0.5).mean())
    assert scores.average_precision == pytest.approx(slow_average_precision(ious, parts, probability), rel=1e-12)


def slow_average_precision(ious: np.ndarray, parts: list[np.ndarray], probability: np.ndarray) -> float:
    ranked = np.argsort([-probability[part].astype(float).mean() for part in parts])
    points, matches = [], 0
    for number, part in enumerate(ranked, 1):
        matches += int((ious[:, part] > 0.5).any())
        points.append((matches / len(ious), matches / number))
    return float(np.mean([max((p for r, p in points if r >= least), default=0.0) for least in np.linspace(0, 1, 101)]))


@pytest.mark.parametrize("seed", SEEDS)
def test_panoptic_quality_is_that_of_torchmetrics(seed):
    truth, prediction = random_pair(seed)
    scores = scores_of(truth, prediction)

    def panoptic(mask: np.ndarray) -> torch.Tensor:  # (1, H, W, category and instance)
        return torch.from_numpy(np.stack([mask.astype(np.int32), label(mask)], axis=-1))[None]

    metric = PanopticQuality(things={1}, stuffs={0}, return_sq_and_rq=True, return_per_class=True)
    expected = metric(panoptic(prediction), panoptic(truth))[0]  # PQ, SQ, RQ of the buildings
    found = scores.panoptic_quality, scores.mean_iou, scores.f1
    assert found == pytest.approx(expected.tolist(), rel=1e-7)  # each IoU there is a float32


def polygons_of(mask: np.ndarray) -> gpd.GeoDataFrame:
    """The outlines of a mask's components in their order; in whole numbers, so that areas are without rounding."""
    labels = label(mask)
    outlines = sorted(shapes(labels, mask=labels > 0, connectivity=4), key=lambda outline: outline[1])
    return gpd.GeoDataFrame(geometry=[to_geometry(outline) for outline, _ in outlines], crs=3857)


@pytest.mark.parametrize("seed", SEEDS)
def test_matches_are_those_of_polymetrics(seed):
    truth, prediction = random_pair(seed)
    tally = objects_of(truth, prediction).tally
    true, predicted = polygons_of(truth), polygons_of(prediction)
    for threshold in (0.5, 0.75):
        above = np.nextafter(threshold, 1)  # a match has at least the threshold there, and more than it here
        expected = evaluate_polygons(true, predicted, above, compute_map=False)
        counts = tally.counts(threshold)
        assert (counts.tp, counts.fp, counts.fn) == (expected.tp, expected.fp, expected.fn)
        if threshold == 0.5:
            found = tally.scores
            assert (found.precision, found.recall) == (expected.precision, expected.recall)
            assert found.f1 == pytest.approx(expected.f1, rel=1e-15)  # of precision and recall there
            assert found.mean_iou == pytest.approx(expected.mean_iou, rel=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_average_precision_is_near_that_of_polymetrics(seed):
    """It draws straight lines between the recalls that were reached, where COCO takes the best precision beyond."""
    truth, prediction = random_pair(seed)
    probability = np.random.default_rng(seed).random(truth.shape, np.float32)
    found = objects_of(truth, prediction, probability=probability)
    predicted = polygons_of(prediction).assign(confidence=found.confidence)
    expected = average_precision(
        iou_matrix(predicted, polygons_of(truth)), found.confidence, found.iou.size, np.nextafter(0.5, 1)
    )
    assert found.tally.scores.average_precision == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_tallies_of_tiles_pool(seed):
    """Two tiles and the image of both next to each other have the same scores."""
    tiles = [random_pair(seed), random_pair(seed + 100)]
    gap = np.zeros((len(tiles[0][0]), 1), bool)
    probability = np.random.default_rng(seed).random((96, 261), np.float32)
    parts = probability[:, :130], probability[:, 131:]

    def tally(truth: np.ndarray, prediction: np.ndarray, part: np.ndarray) -> ObjectTally:
        boundary = boundary_counts(truth, prediction, width_px=2)
        return objects_of(truth, prediction, probability=part, boundary=boundary).tally

    whole = [np.hstack([left, gap, right]) for left, right in zip(*tiles, strict=True)]
    apart = sum((tally(*tile, part) for tile, part in zip(tiles, parts, strict=True)), ObjectTally())
    assert apart.scores == pytest.approx(tally(*whole, probability).scores, nan_ok=True)


def test_a_sum_with_a_tile_without_probability_has_no_average_precision():
    mask = scene((5, 5, 10, 10))
    ranked = objects_of(mask, mask, probability=mask.astype(np.float32)).tally
    assert ranked.scores.average_precision == 1.0
    assert math.isnan((ranked + objects_of(mask, mask).tally).scores.average_precision)
