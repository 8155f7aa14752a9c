import math

import numpy as np
import pytest

from scinet.evaluation.scores import Counts, f1, iou, macro, micro, precision, recall

BLANK = Counts(0, 0, 0)


def test_counts_add_and_come_from_masks():
    truth = np.array([[1, 1, 0, 0]], bool)
    prediction = np.array([[1, 0, 1, 0]], bool)
    assert Counts.of(truth, prediction) == Counts(tp=1, fp=1, fn=1)
    assert Counts.of(truth, prediction, valid=np.array([[0, 1, 1, 1]], bool)) == Counts(tp=0, fp=1, fn=1)
    assert Counts(1, 2, 3) + Counts(4, 5, 6) == Counts(5, 7, 9)


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="prediction"):
        Counts.of(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


@pytest.mark.parametrize(
    ("counts", "expected_iou", "expected_f1"),
    [
        (Counts(50, 25, 25), 0.5, 2 / 3),
        (Counts(10, 0, 0), 1.0, 1.0),
        (Counts(0, 7, 0), 0.0, 0.0),
        (Counts(0, 0, 7), 0.0, 0.0),
        (BLANK, 1.0, 1.0),
    ],
)
def test_iou_and_f1(counts, expected_iou, expected_f1):
    assert iou(counts) == pytest.approx(expected_iou, abs=1e-4)
    assert f1(counts) == pytest.approx(expected_f1, abs=1e-4)
    # F1 = 2 IoU / (1 + IoU): the identity that the paper's own row for Sci-Net misses
    assert f1(counts) == pytest.approx(2 * iou(counts) / (1 + iou(counts)), abs=1e-4)


def test_epsilon_is_the_papers():
    assert iou(Counts(0, 1, 0)) == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-9)


def test_nothing_to_score_is_nan():
    assert math.isnan(precision(Counts(0, 0, 5)))
    assert math.isnan(recall(Counts(0, 5, 0)))


def test_micro_pools_and_macro_averages():
    tiles = [Counts(90, 10, 0), Counts(0, 0, 100), BLANK]
    assert micro(tiles).iou == pytest.approx(90 / 200, abs=1e-5)
    assert macro(tiles).iou == pytest.approx((0.9 + 0 + 1) / 3, abs=1e-4)
    assert macro(tiles).precision == pytest.approx(0.9)  # the other tiles predict nothing
    assert math.isnan(macro([]).iou)
