import math

import pytest
import torch

from training.loss import dice_loss, segmentation_loss


def batch(values):
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def test_against_values_by_hand():
    logits = batch([0.0, math.log(3), -math.log(3), 0.0])  # probabilities 1/2, 3/4, 1/4, 1/2
    truth = batch([1, 1, 0, 0])
    bce = -(math.log(0.5) + math.log(0.75) + math.log(0.75) + math.log(0.5)) / 4
    dice = 1 - (2 * 1.25 + 1) / (2 + 2 + 1)
    assert float(dice_loss(logits, truth)) == pytest.approx(dice)
    assert float(segmentation_loss(logits, truth)) == pytest.approx(0.5 * bce + 0.5 * dice)
    weighted = segmentation_loss(logits, truth, bce_weight=1.0, dice_weight=0.25)
    assert float(weighted) == pytest.approx(bce + 0.25 * dice)


def test_a_perfect_prediction_costs_nothing_and_the_opposite_much():
    truth = (torch.arange(64) % 3 == 0).float().reshape(1, 1, 8, 8)
    assert segmentation_loss(40 * truth - 20, truth) < 1e-4
    assert segmentation_loss(20 - 40 * truth, truth) > 10


def test_a_blank_truth_has_a_finite_loss_that_teaches():
    logits = torch.full((1, 1, 4, 4), -3.0, requires_grad=True)
    loss = segmentation_loss(logits, torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert torch.isfinite(loss) and float(loss.detach()) > 0
    assert (logits.grad > 0).all()  # downwards: less building


def test_half_precision_logits_are_summed_in_full():
    logits = torch.zeros(1, 1, 512, 512, dtype=torch.bfloat16)
    loss = segmentation_loss(logits, torch.zeros(1, 1, 512, 512), dice_weight=0.0)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(0.5 * math.log(2), rel=1e-5)


def test_pixels_that_nobody_labelled_do_not_count():
    logits, truth = batch([0.3, -1.0, 2.0, 5.0]), batch([1, 0, 1, math.nan])
    assert float(segmentation_loss(logits, truth)) == pytest.approx(
        float(segmentation_loss(logits[..., :3], truth[..., :3]))
    )
    nobody = batch([math.nan] * 4)
    assert float(segmentation_loss(logits, nobody)) == 0.0
