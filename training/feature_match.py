"""How far an encoder's features are from a teacher's."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scinet.models.device import has_bfloat16
from training.errors import DataError
from training.recipe import Recipe

CLAMP_DEVIATIONS = 6.0
DEEP_STRIDE, DEEP_WEIGHT = 8, 2.0  # the levels of strides 8, 16 and 32 count twice
BRIGHTNESS = 0.3  # a chip is multiplied by exp(u), u uniform in +-0.3


class Match(nn.Module):
    """How far an encoder's levels are from a teacher's: a scalar loss.

    The teacher's features are standardised per channel and clamped; a 1x1 convolution a level maps the encoder's
    channels to the teacher's. Levels are paired by their stride.
    """

    def __init__(self, encoder: nn.Module, teacher: nn.Module):
        super().__init__()
        self.encoder_strides, channels = levels_of(encoder)
        mine = dict(zip(self.encoder_strides, channels, strict=True))
        self.teacher_strides, channels = levels_of(teacher)
        theirs = dict(zip(self.teacher_strides, channels, strict=True))
        self.common = sorted(mine.keys() & theirs.keys())
        if not self.common:
            raise DataError(f"The teacher's levels have the strides {self.teacher_strides}, none of the encoder's.")
        self.maps = nn.ModuleList(nn.Conv2d(mine[s], theirs[s], kernel_size=1) for s in self.common)
        # In training mode a batch's own statistics, averaged for later: momentum None is the plain mean over batches
        self.standards = nn.ModuleList(
            nn.BatchNorm2d(theirs[s], eps=1e-6, momentum=None, affine=False) for s in self.common
        )

    def forward(self, levels: list[Tensor], wanted: list[Tensor]) -> Tensor:
        """Levels (N, C, H, W) of the encoder and of the teacher, each in its own order."""
        mine = dict(zip(self.encoder_strides, levels, strict=True))
        theirs = dict(zip(self.teacher_strides, wanted, strict=True))
        total = levels[0].new_zeros((), dtype=torch.float32)
        for stride, to_teacher, standard in zip(self.common, self.maps, self.standards, strict=True):
            target = standard(theirs[stride].float()).clamp(-CLAMP_DEVIATIONS, CLAMP_DEVIATIONS)
            weight = DEEP_WEIGHT if stride >= DEEP_STRIDE else 1.0
            total = total + weight * F.smooth_l1_loss(to_teacher(mine[stride].float()), target)
        return total


def levels_of(network: nn.Module) -> tuple[list[int], list[int]]:
    """Stride and channels of each level that a timm ``features_only`` network returns."""
    info: Any = network.feature_info
    return info.reduction(), info.channels()


def distance(
    encoder: nn.Module, matches: nn.ModuleList, teachers: Sequence[nn.Module], image: Tensor, recipe: Recipe, step: int
) -> Tensor:
    """The mean loss over the teachers on a batch (N, 3, S, S), normalised as the encoder takes it.

    Brightness varies by the seed and the step alone, so that a resumed run equals an uninterrupted one.
    """
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    gain = torch.empty(len(image), 1, 1, 1).uniform_(-BRIGHTNESS, BRIGHTNESS, generator=generator).exp()
    colours = ((image * recipe.std + recipe.mean) * gain.to(image.device)).clamp(0, 1)
    colours = colours.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=has_bfloat16(image.device)):
        levels = encoder((colours - recipe.mean) / recipe.std)
        with torch.no_grad():
            wanted = [teacher(_normalised_for(teacher, colours)) for teacher in teachers]
    return torch.stack([match(levels, each) for match, each in zip(matches, wanted, strict=True)]).mean()


def _normalised_for(teacher: nn.Module, colours: Tensor) -> Tensor:
    mean, std = (colours.new_tensor(teacher.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))  # type: ignore[index]
    return (colours - mean) / std
