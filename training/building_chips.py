"""Chips for models with several outputs: what each should be, and the resolution."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scinet.models.architectures import Output
from scinet.raster.resample import resample_mask
from training.augment import turned_labels
from training.building_labels import Labels, building_labels, labels_at, outputs_of_labels
from training.chips import Chips, Ground
from training.packed_tiles import UNLABELLED, PackedTiles
from training.recipe import Recipe

FINER = 2  # how much finer the teacher of a consistent view sees


class BuildingChips(Chips):
    """Random chips: image float32 (3, S, S) normalised, outputs float32 (C, S, S), resolution float32 () in cm/px.

    They show the same ground in the same order as `Chips` does. Where the recipe asks for consistency, the image is
    (3, 2 S, 2 S): its means over 2 x 2 px are what the model sees, all of it is what its teacher sees. Outputs are NaN
    where nobody knows what they should be: on tiles without a mask, which count for consistency alone.
    """

    def __init__(self, packs: list[PackedTiles], recipe: Recipe, count: int, outputs: tuple[Output, ...]):
        super().__init__(packs, recipe, count)
        self.outputs = outputs

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        ground = self.ground(index)
        finer = FINER if self.recipe.consistency else 1
        side_px = self.recipe.chip_px
        pixels = self.seen(ground, finer * side_px)
        share = pixels[..., 3].reshape(side_px, finer, side_px, finer).mean(axis=(1, 3))
        labels = labels_at(chip_labels(ground, side_px), share > 127)
        wanted = outputs_of_labels(labels, ground.cm_per_px)
        truth = torch.from_numpy(np.stack([wanted[name] for name in self.outputs]))
        truth[:, unlabelled(ground, side_px)] = torch.nan
        return self.normalised(pixels), truth, torch.tensor(ground.cm_per_px, dtype=torch.float32)


def chip_labels(ground: Ground, side_px: int) -> Labels:
    """The buildings of a chip, told apart at its tiles' resolution: labels (side, side), 0 for none."""
    numbers = ground.pixels[..., 3]
    return _laid(building_labels(numbers * (numbers != UNLABELLED)), ground, side_px)


def unlabelled(ground: Ground, side_px: int) -> NDArray[np.bool_]:
    """The pixels of a chip on tiles without a mask, bool (side, side)."""
    where = ground.pixels[..., 3] == UNLABELLED
    if not where.any():
        return np.zeros((side_px, side_px), np.bool_)
    return _laid(where.astype(np.int32), ground, side_px) > 0


def _laid(labels: Labels, ground: Ground, side_px: int) -> Labels:
    """Labels of a ground's pixels on its chip: (side, side)."""
    whole_px = ground.side_px(side_px)
    resized = resample_mask(labels, (whole_px, whole_px))
    return resized if ground.angle is None else turned_labels(resized, ground.angle, side_px)
