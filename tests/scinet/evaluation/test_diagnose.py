"""Scenes whose errors are known, drawn in characters, and the identities of the error shares."""

import math

import numpy as np
import pytest
from skimage.metrics import variation_of_information

from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.scores import iou
from scinet.raster.components import label


def scene(*blocks: tuple[int, int, int, int], shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    """A bool mask with rectangles (top, left, height, width)."""
    out = np.zeros(shape, bool)
    for top, left, height, width in blocks:
        out[top : top + height, left : left + width] = True
    return out


A, B = (5, 5, 20, 20), (5, 30, 20, 20)  # two buildings of 400 px


def kinds(truth: np.ndarray, prediction: np.ndarray, **options) -> tuple[list[str], list[str]]:
    report = diagnose(truth, prediction, pixel_area_m2=1.0, **options)
    return report.buildings.kind.tolist(), report.components.kind.tolist()


@pytest.mark.parametrize(
    ("prediction", "buildings", "components"),
    [
        pytest.param(scene(A, B), ["found", "found"], ["good", "good"], id="perfect"),
        pytest.param(scene(A), ["found", "missed"], ["good"], id="one lost"),
        pytest.param(scene(), ["missed", "missed"], [], id="all lost"),
        pytest.param(scene((5, 5, 20, 45)), ["merged", "merged"], ["merger"], id="one component over both"),
        pytest.param(
            scene((5, 5, 20, 9), (5, 16, 20, 9), B),
            ["fragmented", "found"],
            ["good", "good", "good"],
            id="split in two",
        ),
        pytest.param(scene(A, B, (30, 5, 5, 5)), ["found", "found"], ["good", "good", "false"], id="invented"),
        pytest.param(scene((5, 5, 20, 8), B), ["missed", "found"], ["good", "good"], id="less than half found"),
        pytest.param(scene((5, 5, 20, 11), B), ["found", "found"], ["good", "good"], id="just over half found"),
    ],
)
def test_kinds(prediction, buildings, components):
    assert kinds(scene(A, B), prediction) == (buildings, components)


def test_a_hole_makes_a_building_fragmented():
    prediction = scene(A, B)
    prediction[10:16, 10:16] = False  # 36 of 400 px
    report = diagnose(scene(A, B), prediction, pixel_area_m2=0.25)
    assert report.buildings.kind.tolist() == ["fragmented", "found"]
    assert report.buildings.holes_m2.tolist() == [9.0, 0.0]
    assert report.shares.holes == pytest.approx(36 / 800)
    assert report.shares.omission == pytest.approx(36 / 800)
    assert report.holes_mask.sum() == 36


def test_a_true_courtyard_is_not_a_hole():
    truth = scene((5, 5, 20, 20))
    truth[10:16, 10:16] = False
    report = diagnose(truth, truth, pixel_area_m2=1.0)
    assert report.shares == (0, 0, 0, 0, 0)
    assert report.buildings.kind.tolist() == ["found"]


def test_crumbs_below_a_square_metre_do_not_fragment():
    prediction = scene((5, 5, 20, 16), (5, 22, 3, 3))
    small_pixels = diagnose(scene(A), prediction, pixel_area_m2=0.01)
    large_pixels = diagnose(scene(A), prediction, pixel_area_m2=1.0)
    assert small_pixels.buildings.pieces.tolist() == [1]
    assert large_pixels.buildings.pieces.tolist() == [2]


def test_shares_of_a_known_scene():
    # A in two pieces of 180 and 140 px, B covered by a component that reaches 100 px beyond it
    report = diagnose(scene(A, B), scene((5, 5, 20, 9), (5, 18, 20, 7), (5, 30, 20, 25)), pixel_area_m2=1.0)
    assert report.shares.omission == pytest.approx(80 / 800)
    assert report.shares.fragmentation == pytest.approx(140 / 720)
    assert report.shares.merging == 0
    assert report.shares.false_area == pytest.approx(100 / 820)
    assert report.buildings.wholeness.tolist() == pytest.approx([180 / 320, 1])


def test_partners_and_own_ids():
    touching = np.zeros((20, 40), np.int32)
    touching[5:15, 5:15], touching[5:15, 15:25] = 1, 2  # a row of houses: a mask cannot part them, ids can
    report = diagnose(touching, touching > 0, pixel_area_m2=1.0)
    assert report.buildings.kind.tolist() == ["merged", "merged"]
    assert report.buildings.partners.tolist() == [1, 1]
    assert report.shares.merging == pytest.approx(0.5)
    assert diagnose(touching > 0, touching > 0, pixel_area_m2=1.0).buildings.kind.tolist() == ["found"]


def test_nodata_counts_nothing_and_splits_nothing():
    truth = scene((5, 5, 20, 50))
    valid = np.ones(truth.shape, bool)
    valid[:, 25:30] = False  # a gap across the building
    report = diagnose(truth, truth, valid=valid, pixel_area_m2=1.0)
    assert report.buildings.kind.tolist() == ["found"]
    assert report.buildings.area_m2.tolist() == [45 * 20]
    assert report.counts.tp == 45 * 20


@pytest.mark.parametrize(("truth", "prediction"), [(scene(), scene()), (scene(), scene(A)), (scene(A), scene())])
def test_nothing_to_share_is_nan(truth, prediction):
    shares = diagnose(truth, prediction, pixel_area_m2=1.0).shares
    assert math.isnan(shares.omission) == (not truth.any())
    assert math.isnan(shares.false_area) == (not prediction.any())
    assert math.isnan(shares.fragmentation) and math.isnan(shares.merging)


def test_two_shapes_are_refused():
    with pytest.raises(ValueError):
        diagnose(np.zeros((4, 4), bool), np.zeros((4, 5), bool), pixel_area_m2=1.0)


def random_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth, prediction = np.zeros((80, 90), bool), np.zeros((80, 90), bool)
    for _ in range(14):
        top, left = random.integers(0, 70, 2)
        height, width = random.integers(4, 18, 2)
        truth[top : top + height, left : left + width] = True
        if random.random() < 0.8:
            dy, dx = random.integers(-3, 4, 2)
            prediction[max(0, top + dy) : top + dy + height, max(0, left + dx) : left + dx + width] = True
    return truth, prediction & (random.random(truth.shape) > 0.02)


@pytest.mark.parametrize("seed", range(8))
def test_identities_of_the_segmentation_indices(seed):
    """IoU of the best pair = 1 / (1/(c s) + 1/(q t) - 1), and OS = 1 - c s, US = 1 - q t by their definitions."""
    truth, prediction = random_pair(seed)
    report = diagnose(truth, prediction, pixel_area_m2=1.0)
    checked = 0
    for i in range(1, report.truth_labels.max() + 1):
        building = report.truth_labels == i
        inside = np.bincount(report.predicted_labels[building], minlength=2)
        inside[0] = 0
        j = int(inside.argmax())
        component = report.predicted_labels == j
        owners = np.bincount(report.truth_labels[component], minlength=2)
        owners[0] = 0
        if not inside[j] or owners.argmax() != i:
            continue  # no pair, or not each other's best
        shared = (building & component).sum()
        c_s = report.buildings.completeness[i - 1] * report.buildings.wholeness[i - 1]
        q_t = report.components.correctness[j - 1] * report.components.purity[j - 1]
        assert 1 - c_s == pytest.approx(1 - shared / building.sum())  # over-segmentation index
        assert 1 - q_t == pytest.approx(1 - shared / component.sum())  # under-segmentation index
        assert 1 / (1 / c_s + 1 / q_t - 1) == pytest.approx(shared / (building | component).sum())
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("seed", range(8))
def test_tally_agrees_with_pixel_counts(seed):
    truth, prediction = random_pair(seed)
    report = diagnose(truth, prediction, pixel_area_m2=1.0)
    union = (truth | prediction).sum()
    assert iou(report.counts) == pytest.approx((truth & prediction).sum() / union, abs=1e-6)
    assert report.shares.omission == pytest.approx((truth & ~prediction).sum() / truth.sum())
    assert report.shares.holes <= report.shares.omission
    assert (report.tally + report.tally).shares == pytest.approx(report.shares)
    assert all(0 <= share <= 1 for share in report.shares)


@pytest.mark.parametrize("seed", range(8))
def test_splits_and_merges_agree_with_variation_of_information(seed):
    """On the shared pixels H(prediction | truth) is 0 without fragmentation, H(truth | prediction) without merging."""
    truth, prediction = random_pair(seed)
    t, p = label(truth), label(prediction)
    both = truth & prediction
    splits, merges = variation_of_information(t[both][None], p[both][None])
    shares = diagnose(truth, prediction, pixel_area_m2=1.0).shares
    assert (splits > 1e-9) == (shares.fragmentation > 0)
    assert (merges > 1e-9) == (shares.merging > 0)
