"""Losses: equation 4 of the paper for building, and their like for the other outputs.

Whatever is summed over a batch is summed over all processes, and computed in float32 whatever the logits are. Pixels
whose truth is NaN, because nobody labelled them, do not count.
"""

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor

from scinet.models.architectures import Output
from training.parallel import summed


def dice_loss(logits: Tensor, truth: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - Dice over the whole batch, of all processes; both (N, 1, H, W), truth in {0, 1} or NaN."""
    known = ~truth.isnan()
    probability, building = logits.sigmoid() * known, truth.nan_to_num()
    overlap = summed((probability * building).sum())
    return 1 - (2 * overlap + smooth) / (summed(probability.sum()) + summed(building.sum()) + smooth)


def cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy over the whole batch, of all processes; both (N, 1, H, W), truth in [0, 1] or NaN."""
    known = ~truth.isnan()
    each = F.binary_cross_entropy_with_logits(logits.float(), truth.nan_to_num(), reduction="none")
    return summed((each * known).sum()) / summed(known.sum().float()).clamp(min=1)


def segmentation_loss(logits: Tensor, truth: Tensor, *, bce_weight: float = 0.5, dice_weight: float = 0.5) -> Tensor:
    """Equation 4: a weighted sum of binary cross-entropy and Dice; both (N, 1, H, W), truth in {0, 1}."""
    logits = logits.float()
    return bce_weight * cross_entropy(logits, truth) + dice_weight * dice_loss(logits, truth)


def output_losses(
    logits: Tensor, truth: Tensor, outputs: Sequence[Output], *, bce_weight: float = 0.5, dice_weight: float = 0.5
) -> dict[Output, Tensor]:
    """The loss of each output of a model; logits and truth (N, C, H, W).

    Building and boundary have equation 4, distance, which is anything from 0 to 1, the cross-entropy alone.
    """
    losses: dict[Output, Tensor] = {}
    for number, name in enumerate(outputs):
        part = logits[:, number : number + 1], truth[:, number : number + 1]
        if name == "distance":
            losses[name] = cross_entropy(*part)
        else:
            losses[name] = segmentation_loss(*part, bce_weight=bce_weight, dice_weight=dice_weight)
    return losses


def weighted(losses: Mapping[Output, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The sum of the losses, each by its weight; an output without a weight does not count."""
    total = sum(weights[name] * loss for name, loss in losses.items() if name in weights)
    assert isinstance(total, Tensor)
    return total
