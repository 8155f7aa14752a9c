"""Equation 4 of the paper: a weighted sum of binary cross-entropy and Dice."""

import torch.nn.functional as F
from torch import Tensor

from training.parallel import size, summed


def dice_loss(logits: Tensor, truth: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - Dice over the whole batch, of all processes; both (N, 1, H, W), truth in {0, 1}."""
    probability = logits.sigmoid()
    overlap = summed((probability * truth).sum())
    return 1 - (2 * overlap + smooth) / (summed(probability.sum()) + summed(truth.sum()) + smooth)


def segmentation_loss(logits: Tensor, truth: Tensor, *, bce_weight: float = 0.5, dice_weight: float = 0.5) -> Tensor:
    """Scalar loss over the whole batch, of all processes, computed in float32 whatever the logits are."""
    logits = logits.float()
    bce = summed(F.binary_cross_entropy_with_logits(logits, truth)) / size()
    return bce_weight * bce + dice_weight * dice_loss(logits, truth)
