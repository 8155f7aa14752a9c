"""Random chips cut from packed tiles at any resolution, changed as the recipe says."""

import argparse
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.transform import Affine
from torch import Tensor
from torch.utils.data import Dataset

from scinet.raster.raster import Raster
from scinet.raster.resample import Resampled, resample_probability
from scinet.raster.stream import RasterStream, read_into
from training.augment import (
    RESAMPLING_KERNELS,
    degraded,
    grayscale,
    one_of_eight,
    photometric,
    resampled_by,
    turned,
)
from training.errors import DataError
from training.packed_tiles import PackedTile, PackedTiles, is_building_alone
from training.recipe import Recipe

ENOUGH_COVERED = 0.25  # of a chip; a small tile fills less of a coarse one, and another place is drawn
MOSAIC_BELOW = 0.95  # a chip that one scene covers to this share is not made a mosaic


@dataclass(frozen=True)
class Place:
    """A square of a scene's pixel grid that becomes a chip."""

    pack: PackedTiles
    tile: PackedTile
    column: int
    row: int
    side: int

    def cm_per_px(self, chip_px: int) -> float:
        """The resolution at which it has `chip_px` per side."""
        return self.side * self.tile.cm_per_px / chip_px

    def wider(self, factor: float) -> "Place":
        """The same centre with a side `factor` times as long."""
        side = math.ceil(self.side * factor)
        margin = (side - self.side) // 2
        return replace(self, column=self.column - margin, row=self.row - margin, side=side)

    def window(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Its pixels uint8 (side, side, 4), and bool (side, side) where a tile covers it."""
        return self.pack.window(self.tile.scene, self.column, self.row, self.side)


class Ground(NamedTuple):
    """What a chip shows, and how it is changed.

    Attributes:
        pixels: uint8 (H, H, 4) at its tiles' resolution, as `PackedTiles` has them.
        cm_per_px: The resolution of the chip.
        angle: By how many degrees it is turned; the ground is then wider than the chip by the square root of 2.
        is_degraded: Whether it is resampled and compressed badly.
        change: Where the other changes are drawn from.
    """

    pixels: NDArray[np.uint8]
    cm_per_px: float
    angle: float | None
    is_degraded: bool
    change: np.random.Generator

    def side_px(self, chip_px: int) -> int:
        """The side of all of the ground where that of the chip is `chip_px`."""
        return chip_px if self.angle is None else math.ceil(math.sqrt(2) * chip_px)


class Chips(Dataset[tuple[Tensor, ...]]):
    """Random chips: image float32 (3, S, S) normalised, truth float32 (1, S, S).

    Ground that no tile covers is black and no building, and it counts in the loss: left out of it, a model
    is free to call the black collars of a scene buildings, and does.

    Chip ``i`` depends on the seed and ``i`` alone, so every model sees the same chips in the same
    order, whatever the number of workers and wherever a run was resumed. Where a chip lies and how it is
    changed are drawn apart: two recipes that differ in their augmentation alone see the same ground.
    """

    def __init__(self, packs: Sequence[PackedTiles], recipe: Recipe, count: int):
        self.recipe = recipe
        self.count = count
        self.tiles = [(pack, tile) for pack in packs for tile in pack.tiles]
        self.alike: dict[tuple[str, float, int, int], list[tuple[PackedTiles, PackedTile]]] = defaultdict(list)
        for pack, tile in self.tiles:
            self.alike[_kind(tile)].append((pack, tile))
        area = np.array([tile.width * tile.height * tile.cm_per_px**2 for _, tile in self.tiles])
        if recipe.dataset_weights:
            area = self._weighted(area)
        self.chance = area / area.sum()

    def _weighted(self, area: np.ndarray) -> np.ndarray:
        names = np.array([tile.dataset for _, tile in self.tiles])
        unknown = set(self.recipe.dataset_weights) - set(names)
        if unknown:
            raise DataError(f"There is no training tile of {', '.join(sorted(unknown))}; the weights name it.")
        out = np.zeros_like(area)
        for name, weight in self.recipe.dataset_weights.items():
            out[names == name] = weight * area[names == name] / area[names == name].sum()
        return out

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        ground = self.ground(index)
        pixels = self.seen(ground, self.recipe.chip_px)
        return self.normalised(pixels), torch.from_numpy(pixels[..., 3] > 127).float()[None]

    def ground(self, index: int) -> Ground:
        """What chip `index` shows, at its tiles' resolution, and how it is changed."""
        recipe = self.recipe
        lay = np.random.default_rng((recipe.seed, index))
        change = np.random.default_rng((recipe.seed, index, 1))
        angle = change.uniform(0, 360) if change.random() < recipe.turn_probability else None
        is_degraded = change.random() < recipe.degrade_probability
        pixels, cm_per_px = self._ground(lay, change, 1.0 if angle is None else math.sqrt(2))
        pixels = _flipped(lay, pixels, recipe.flip_probability)
        if recipe.turn_probability:
            pixels = one_of_eight(pixels, int(change.integers(8)))
        return Ground(pixels, cm_per_px, angle, is_degraded, change)

    def seen(self, ground: Ground, side_px: int) -> NDArray[np.uint8]:
        """A chip's ground as the model sees it: uint8 (side, side, 4), building from 0 to 255."""
        recipe, change = self.recipe, ground.change
        kernel = change.choice(("area", *RESAMPLING_KERNELS)) if ground.is_degraded else "area"
        pixels = resized(is_building_alone(ground.pixels), ground.side_px(side_px), kernel)
        if ground.angle is not None:
            pixels = turned(pixels, ground.angle, side_px)
        image = pixels[..., :3]
        if recipe.photometric:
            image = photometric(image, change, recipe.photometric)
        if change.random() < recipe.grayscale_probability:
            image = grayscale(image)
        if ground.is_degraded:
            image = degraded(image, change)
        return np.dstack([image, pixels[..., 3]])

    def normalised(self, pixels: NDArray[np.uint8]) -> Tensor:
        """The image float32 (3, side, side) of uint8 (side, side, 4)."""
        return normalise(torch.from_numpy(pixels[..., :3].copy()).permute(2, 0, 1), self.recipe)

    def _ground(
        self, lay: np.random.Generator, change: np.random.Generator, factor: float
    ) -> tuple[NDArray[np.uint8], float]:
        """A square of ground at its tiles' resolution, `factor` times as wide as the chip; the chip's resolution."""
        for attempt in range(8):
            place = self._place(lay)
            pixels, covered = place.window()
            if attempt == 0 and covered.mean() < MOSAIC_BELOW and change.random() < self.recipe.mosaic_probability:
                pixels = self._mosaic(place.tile, math.ceil(place.side * factor), change)
                return pixels, place.cm_per_px(self.recipe.chip_px)
            if covered.mean() > ENOUGH_COVERED:
                break
        pixels = place.wider(factor).window()[0] if factor > 1 else pixels
        return pixels, place.cm_per_px(self.recipe.chip_px)

    def _place(self, random: np.random.Generator) -> Place:
        pack, tile = self.tiles[random.choice(len(self.tiles), p=self.chance)]
        low, high = np.log(self.recipe.gsd_range_cm_per_px or (tile.cm_per_px, tile.cm_per_px))
        cm_per_px = float(np.exp(random.uniform(low, high)))
        side = max(8, round(self.recipe.chip_px * cm_per_px / tile.cm_per_px))
        column = _corner(random, tile.column, tile.width, side)
        row = _corner(random, tile.row, tile.height, side)
        return Place(pack, tile, column, row, side)

    def _mosaic(self, tile: PackedTile, side: int, random: np.random.Generator) -> NDArray[np.uint8]:
        """A square filled with tiles drawn from those of the same data set, resolution and size, each laid at will."""
        alike = self.alike[_kind(tile)]
        cell = min(tile.width, tile.height)
        count = side // cell + 2
        out = np.empty((count * cell, count * cell, 4), np.uint8)
        for row in range(0, len(out), cell):
            for column in range(0, len(out), cell):
                pack, drawn = alike[random.integers(len(alike))]
                block = pack.block(drawn)[:cell, :cell]
                out[row : row + cell, column : column + cell] = one_of_eight(block, int(random.integers(8)))
        top, left = random.integers(len(out) - side + 1, size=2)
        return out[top : top + side, left : left + side]


def resized(pixels: NDArray[np.uint8], side: int, kernel: str = "area") -> NDArray[np.uint8]:
    """A square (H, H, 4) of red, green, blue and building at `side` pixels.

    "area" is what inference does: exact area means going down, bilinear going up. Other kernels are for the image
    alone, and going down alone.
    """
    size = (side, side)
    if pixels.shape[:2] == size:
        return pixels
    colours, building = np.ascontiguousarray(pixels[..., :3]), pixels[..., 3].astype(np.float32)
    if kernel == "area" or side > len(pixels):
        source = RasterStream(Raster(colours, np.ones(colours.shape[:2], np.bool_), Affine.identity(), None))
        image = np.empty((*size, 3), np.uint8)
        read_into(Resampled(source, source.grid.resized(size)), image)
    else:
        image = resampled_by(kernel, colours, side)
    return np.dstack([image, (resample_probability(building, size) + 0.5).astype(np.uint8)])


def normalise(image: Tensor, recipe: Recipe) -> Tensor:
    """uint8 in 0..255 to float32 with the recipe's mean and deviation, or with the image's own per channel."""
    image = (image.float() / 255 - recipe.mean) / recipe.std
    return standardised(image) if recipe.standardise else image


def standardised(image: Tensor) -> Tensor:
    """Images (..., H, W) brought to mean 0 and deviation 1, each channel by itself."""
    deviation, mean = torch.std_mean(image, dim=(-2, -1), keepdim=True)
    return (image - mean) / (deviation + 0.05)


def _kind(tile: PackedTile) -> tuple[str, float, int, int]:
    return tile.dataset, tile.cm_per_px, tile.width, tile.height


def _corner(random: np.random.Generator, start: int, length: int, side: int) -> int:
    """Corner of a window within the tile where it fits, else of one that holds the whole tile."""
    low, high = sorted((start, start + length - side))
    return int(random.integers(low, high + 1))


def _flipped(random: np.random.Generator, pixels: np.ndarray, probability: float) -> np.ndarray:
    """Horizontal flip, vertical flip and rotation by 180 degrees, each with the given probability."""
    horizontal, vertical, upside_down = random.random(3) < probability
    columns = -1 if horizontal ^ upside_down else 1
    rows = -1 if vertical ^ upside_down else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])


def dataset_share(text: str) -> tuple[str, float]:
    """An argument of the command lines: ``dataset_share("accra=.4") == ("accra", 0.4)``."""
    name, _, share = text.partition("=")
    try:
        value = float(share)
    except ValueError:
        value = 0.0
    if not name or not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form accra=0.4, with a share above 0")
    return name, value
