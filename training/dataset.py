"""Tiles decoded once into memory-mapped arrays, and chips cut from them at any GSD.

A data folder holds ``index.csv`` with one row a tile (``image``, ``mask``, ``dataset``, ``cm_per_px``,
``split`` and, where the tile has a georeference, ``crs``, ``x_min``, ``y_max``, ``metres_per_px``), JPEG
or PNG images and 1-bit masks of the same size.
"""

import argparse
import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageEnhance, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from scinet.errors import SciNetError
from training.recipe import Recipe

ASPECTS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


class DataError(SciNetError):
    """Training data that is missing, damaged or of another shape than its index says."""


@dataclass(frozen=True)
class Tile:
    """Where a tile lies in the packed array, and where in its scene: tiles of a scene share a pixel grid."""

    image: str
    dataset: str
    scene: tuple[str, ...]
    cm_per_px: float
    column: int  # of the upper left corner on the scene's pixel grid
    row: int
    width: int
    height: int
    offset: int  # in pixels, into the packed array
    licence: str


class PackedTiles:
    """The tiles of one split, decoded: a flat uint8 memory map, (pixels, 4) as red, green, blue, building.

    A data folder is decoded once into ``cache`` (a file named after the index's content); processes
    share its pages, and a crop costs a copy, no decoding.
    """

    def __init__(self, data: Path, split: str, cache: Path):
        index = read_index(data)
        rows = index[index["split"] == split]
        if rows.empty:
            raise DataError(f"{data / 'index.csv'} has no tile in the split {split!r}.")
        self.tiles = _layout(rows)
        self.pixels = _packed(data, rows, self.tiles, split, cache)
        self._by_scene: dict[tuple[str, ...], list[Tile]] = defaultdict(list)
        for tile in self.tiles:
            self._by_scene[tile.scene].append(tile)

    def tile(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        """RGB uint8 (H, W, 3) and building bool (H, W) of one tile."""
        block = self._block(tile)
        return block[..., :3], block[..., 3] > 0

    def _block(self, tile: Tile) -> np.ndarray:
        flat = self.pixels[tile.offset : tile.offset + tile.width * tile.height]
        return flat.reshape(tile.height, tile.width, 4)

    def window(self, scene: tuple[str, ...], column: int, row: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        """A square of the scene's grid put together of its tiles, uint8 (side, side, 4), and where they cover it."""
        out = np.zeros((side, side, 4), np.uint8)
        covered = np.zeros((side, side), bool)
        for tile in self._by_scene[scene]:
            left, right = max(column, tile.column), min(column + side, tile.column + tile.width)
            top, bottom = max(row, tile.row), min(row + side, tile.row + tile.height)
            if left >= right or top >= bottom:
                continue
            into = np.s_[top - row : bottom - row, left - column : right - column]
            out[into] = self._block(tile)[top - tile.row : bottom - tile.row, left - tile.column : right - tile.column]
            covered[into] = True
        return out, covered


class Chips(Dataset[tuple[Tensor, Tensor]]):
    """Random chips: image float32 (3, S, S) normalised, truth float32 (1, S, S).

    Ground that no tile covers is black and no building, and it counts in the loss: left out of it, a network
    is free to call the black collars of a scene buildings, and does.

    Chip ``i`` depends on the seed and ``i`` alone, so every system sees the same chips in the same
    order, whatever the number of workers and wherever a run was resumed.
    """

    def __init__(self, packs: Sequence[PackedTiles], recipe: Recipe, count: int):
        self.recipe = recipe
        self.count = count
        self.tiles = [(pack, tile) for pack in packs for tile in pack.tiles]
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

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self.recipe.seed, index))
        for _ in range(8):  # a small tile alone fills little of a coarse chip: draw again
            pixels, covered = self._window(random)
            if covered.mean() > 0.25:
                break
        image, truth = self._resized(_flipped(random, pixels, self.recipe.flip_probability))
        image = _recoloured(random, image, self.recipe.colour_jitter)
        return (
            normalise(torch.from_numpy(np.array(image)).permute(2, 0, 1), self.recipe),
            torch.from_numpy(np.asarray(truth) > 127).float()[None],
        )

    def _window(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        pack, tile = self.tiles[random.choice(len(self.tiles), p=self.chance)]
        low, high = np.log(self.recipe.gsd_range_cm_per_px or (tile.cm_per_px, tile.cm_per_px))
        cm_per_px = float(np.exp(random.uniform(low, high)))
        side = max(8, round(self.recipe.chip_px * cm_per_px / tile.cm_per_px))
        column = _corner(random, tile.column, tile.width, side)
        row = _corner(random, tile.row, tile.height, side)
        return pack.window(tile.scene, column, row, side)

    def _resized(self, pixels: np.ndarray) -> tuple[Image.Image, Image.Image]:
        size = (self.recipe.chip_px,) * 2
        down = pixels.shape[0] > size[0]
        # Averages going down, as the app's resample does (that one to the fraction of a pixel)
        method = Image.Resampling.BOX if down else Image.Resampling.BILINEAR
        return (
            Image.fromarray(pixels[..., :3]).resize(size, method),
            Image.fromarray(pixels[..., 3]).resize(size, method),
        )


def normalise(image: Tensor, recipe: Recipe) -> Tensor:
    """uint8 in 0..255 to float32 with the recipe's mean and deviation."""
    return (image.float() / 255 - recipe.mean) / recipe.std


def _corner(random: np.random.Generator, start: int, length: int, side: int) -> int:
    """Corner of a window within the tile where it fits, else of one that holds the whole tile."""
    low, high = sorted((start, start + length - side))
    return int(random.integers(low, high + 1))


def _flipped(random: np.random.Generator, pixels: np.ndarray, probability: float) -> np.ndarray:
    """Horizontal flip, vertical flip and rotation by 180 degrees, each with the given probability."""
    horizontal, vertical, turned = random.random(3) < probability
    columns = -1 if horizontal ^ turned else 1
    rows = -1 if vertical ^ turned else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])


def _recoloured(random: np.random.Generator, image: Image.Image, jitter: float) -> Image.Image:
    if jitter:
        for aspect, factor in zip(ASPECTS, random.uniform(1 - jitter, 1 + jitter, len(ASPECTS)), strict=True):
            image = aspect(image).enhance(factor)
    return image


def read_index(data: Path) -> pd.DataFrame:
    """The folder's index.csv. Raises DataError where it or a column is missing."""
    path = data / "index.csv"
    if not path.is_file():
        raise DataError(f"{data} holds no index.csv; give the folder that does with --data.")
    try:
        index = pd.read_csv(path)
    except ValueError as error:  # empty, ragged or no text
        raise DataError(f"{path} cannot be read as CSV: {str(error).strip()}.") from error
    missing = {"image", "mask", "dataset", "cm_per_px", "width", "height", "split", "licence"} - set(index.columns)
    if missing:
        raise DataError(f"{path} lacks the column {', '.join(sorted(missing))}.")
    return index


def _layout(rows: pd.DataFrame) -> list[Tile]:
    tiles, offset = [], 0
    for row in rows.itertuples():
        placed = "x_min" in rows and pd.notna(row.x_min) and pd.notna(row.crs)
        # Tiles without a place are scenes of their own; the zooms of one place are scenes apart.
        scene = (row.dataset, row.crs, f"{row.metres_per_px:.6g}") if placed else (row.dataset, row.image)
        column = round(row.x_min / row.metres_per_px) if placed else 0
        line = round(-row.y_max / row.metres_per_px) if placed else 0
        tiles.append(
            Tile(row.image, row.dataset, scene, row.cm_per_px, column, line, row.width, row.height, offset, row.licence)
        )
        offset += row.width * row.height
    return tiles


def _packed(data: Path, rows: pd.DataFrame, tiles: list[Tile], split: str, cache: Path) -> np.ndarray:
    total = tiles[-1].offset + tiles[-1].width * tiles[-1].height
    digest = hashlib.sha256(f"{data.resolve()}\n{rows.to_csv()}".encode()).hexdigest()[:12]
    path = cache / f"{split}-{digest}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".part{os.getpid()}")
        try:
            with part.open("wb") as file:  # written in order: a map on a full disk would end in a bus error
                header = {"descr": "|u1", "fortran_order": False, "shape": (total, 4)}
                np.lib.format.write_array_header_1_0(file, header)
                for row, tile in zip(rows.itertuples(), tiles, strict=True):
                    image, mask = _decoded(data / row.image, "RGB", tile), _decoded(data / row.mask, "L", tile)
                    file.write(np.dstack([image, np.where(mask > 0, np.uint8(255), np.uint8(0))]).tobytes())
            part.replace(path)
        except OSError as error:
            raise DataError(f"{path} cannot be written ({error}); free some disk space.") from error
        finally:
            part.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")


def _decoded(path: Path, mode: str, tile: Tile) -> np.ndarray:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert(mode))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; index.csv names it.") from error
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}.") from error
    if pixels.shape[:2] != (tile.height, tile.width):
        found = f"{pixels.shape[1]} x {pixels.shape[0]}"
        raise DataError(f"{path} is {found} px, but index.csv says {tile.width} x {tile.height}.")
    return pixels


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


def describe(packs: Sequence[PackedTiles]) -> list[dict]:
    """One row a data set for a checkpoint's card: tiles, GSD range in cm/px, and the attribution it carries."""
    tiles = [tile for pack in packs for tile in pack.tiles]
    return [
        {
            "dataset": name,
            "tiles": len(group),
            "cm_per_px": sorted({tile.cm_per_px for tile in group}),
            "licence": "; ".join(sorted({tile.licence for tile in group})),
        }
        for name in sorted({tile.dataset for tile in tiles})
        for group in [[tile for tile in tiles if tile.dataset == name]]
    ]
