"""Tiles decoded once into memory-mapped arrays.

A data folder holds ``index.csv`` with one row per tile (``image``, ``mask``, ``dataset``, ``cm_per_px``,
``split`` and, where the tile has a georeference, ``crs``, ``x_min``, ``y_max``, ``metres_per_px``), JPEG
or PNG images and masks of the same size: above 0 is building. A PNG mask of 16 bits numbers the buildings, so that
those that touch stay apart. A tile without a mask is unlabelled ground, for trainings with a loss of consistency.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from scinet.atomic_write import atomic_write
from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import RasterError, WriteError
from training.errors import DataError

MOST_RESOLUTIONS = 12  # of a data set, one by one on a card
UNLABELLED = 1  # in place of the building of a packed pixel: nobody knows whether there is one
LEAST_BUILDING = 128
_NEEDED = ("dataset", "cm_per_px", "shape", "split")


@dataclass(frozen=True)
class PackedTile:
    """Where a tile lies in the packed array, and where in its scene: tiles of a scene share a pixel grid."""

    dataset: str
    scene: tuple[str, ...]
    cm_per_px: float
    column: int  # of the upper left corner on the scene's pixel grid
    row: int
    width: int
    height: int
    offset: int  # in pixels, into the packed array
    licence: str
    is_labelled: bool = True  # by a mask


class PackedTiles:
    """The tiles of one split, decoded: a flat uint8 memory map, (pixels, 4) as red, green, blue, building.

    Building is 0 for ground and 128 to 255 for buildings: 255, or a number that those that touch do not share. It is
    `UNLABELLED` where a tile has no mask.

    A data folder is decoded once into ``cache`` (a file named after the index's content); processes
    share its pages, and a crop costs a copy, no decoding. ``leave_out`` names data sets whose tiles are not seen.
    Unless ``unlabelled``, every tile needs a mask.
    """

    def __init__(
        self, data: Path, split: str, cache: Path, leave_out: Collection[str] = (), *, unlabelled: bool = False
    ):
        tiles = listed_tiles(data, split) if unlabelled else labelled_tiles(data, split)
        every = _layout(tiles)
        self.pixels = _packed(tiles, every, split, cache)
        self.tiles = [tile for tile in every if tile.dataset not in leave_out]
        self._by_scene: dict[tuple[str, ...], list[PackedTile]] = defaultdict(list)
        for tile in self.tiles:
            self._by_scene[tile.scene].append(tile)

    def tile(self, tile: PackedTile) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """RGB uint8 (H, W, 3) and building bool (H, W) of one tile."""
        block = self.block(tile)
        return block[..., :3], block[..., 3] >= LEAST_BUILDING

    def block(self, tile: PackedTile) -> NDArray[np.uint8]:
        """RGB and building of one tile, uint8 (H, W, 4), not copied."""
        flat = self.pixels[tile.offset : tile.offset + tile.width * tile.height]
        return flat.reshape(tile.height, tile.width, 4)

    def window(
        self, scene: tuple[str, ...], column: int, row: int, side: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """A square of the scene's grid put together of its tiles, uint8 (side, side, 4), and where they cover it."""
        out = np.zeros((side, side, 4), np.uint8)
        covered = np.zeros((side, side), bool)
        for tile in self._by_scene[scene]:
            left, right = max(column, tile.column), min(column + side, tile.column + tile.width)
            top, bottom = max(row, tile.row), min(row + side, tile.row + tile.height)
            if left >= right or top >= bottom:
                continue
            into = np.s_[top - row : bottom - row, left - column : right - column]
            out[into] = self.block(tile)[top - tile.row : bottom - tile.row, left - tile.column : right - tile.column]
            covered[into] = True
        return out, covered


def labelled_tiles(folder: Path, split: str | None = None) -> list[Tile]:
    """The tiles of a folder's index.csv, or those of one split, which all have masks.

    Raises DataError as `listed_tiles` does, and where a mask is missing.
    """
    tiles = listed_tiles(folder, split)
    for tile in tiles:
        if tile.truth is None:
            raise DataError(
                f"{folder / 'index.csv'} names no mask of {tile.name}; only training.train --consistency learns "
                "from tiles without one."
            )
    return tiles


def listed_tiles(folder: Path, split: str | None = None) -> list[Tile]:
    """The tiles of a folder's index.csv, or those of one split, with masks or without.

    Raises DataError where there is no index or no tile, or a row lacks what training needs.
    """
    if not (folder / "index.csv").is_file():
        raise DataError(f"{folder} holds no index.csv; give the folder that does with --data.")
    try:
        tiles = tiles_in(folder)
    except RasterError as error:
        raise DataError(str(error)) from error
    for tile in tiles:
        missing = [name for name in _NEEDED if not getattr(tile, name)]
        if missing:
            raise DataError(f"{folder / 'index.csv'} says nothing of the {missing[0]} of {tile.name}.")
    chosen = [tile for tile in tiles if split in (None, tile.split)]
    if not chosen:
        raise DataError(f"{folder / 'index.csv'} has no tile in the split {split!r}.")
    return chosen


def _layout(tiles: Sequence[Tile]) -> list[PackedTile]:
    packed, offset = [], 0
    for tile in tiles:
        height, width = tile.shape or (0, 0)
        scene, column, row = _place_in_scene(tile)
        resolution, is_labelled = tile.cm_per_px or 0.0, tile.truth is not None
        where = (scene, resolution, column, row, width, height, offset)
        packed.append(PackedTile(tile.dataset, *where, tile.licence, is_labelled))
        offset += width * height
    return packed


def _place_in_scene(tile: Tile) -> tuple[tuple[str, ...], int, int]:
    """The scene, and the column and row of the tile's upper left corner on its pixel grid.

    Tiles without a place are scenes of their own; the zooms of one place are scenes apart.
    """
    if tile.place is None:
        return (tile.dataset, tile.name), 0, 0
    transform, crs = tile.place
    scene = (tile.dataset, crs.to_string(), f"{transform.a:.6g}")
    return scene, round(transform.c / transform.a), round(-transform.f / transform.a)


def _packed(tiles: Sequence[Tile], layout: Sequence[PackedTile], split: str, cache: Path) -> NDArray[np.uint8]:
    total = layout[-1].offset + layout[-1].width * layout[-1].height
    path = cache / f"{split}-{hashlib.sha256(repr(tiles).encode()).hexdigest()[:12]}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        try:
            # Written in order: a memory map on a full disk would end in a bus error
            with atomic_write(path) as part, part.open("wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (total, 4)}
                np.lib.format.write_array_header_1_0(file, header)
                for tile in tiles:
                    file.write(_pixels(tile).tobytes())
        except WriteError as error:
            raise DataError(f"{str(error).removesuffix('.')}; free some disk space.") from error
    pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return pixels


def _pixels(tile: Tile) -> NDArray[np.uint8]:
    """Red, green, blue and building, uint8 (H, W, 4)."""
    colours = _decoded(tile.image, tile, _colours)
    if tile.truth is None:
        return np.dstack([colours, np.full(colours.shape[:2], UNLABELLED, np.uint8)])
    return np.dstack([colours, _decoded(tile.truth, tile, _buildings)])


def is_building_alone(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Packed pixels (H, W, 4) without the numbers of buildings: 255 in all of them."""
    building = pixels[..., 3]
    if np.isin(building, (0, 255)).all():
        return pixels
    return np.dstack([pixels[..., :3], np.where(building >= LEAST_BUILDING, np.uint8(255), np.uint8(0))])


def _colours(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("RGB"))


def _buildings(mask: Image.Image) -> NDArray[np.uint8]:
    """255 in buildings; of a mask of 16 bits 255, 254, ... 128 by their numbers, then from 255 on again."""
    if not mask.mode.startswith("I"):
        return np.where(np.asarray(mask.convert("L")) > 0, np.uint8(255), np.uint8(0))
    numbers = np.asarray(mask).astype(np.int64)
    return np.where(numbers > 0, 255 - (numbers - 1) % 128, 0).astype(np.uint8)


def _decoded(path: Path, tile: Tile, values: Callable[[Image.Image], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            pixels = values(image)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; index.csv names it.") from error
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}.") from error
    if tile.shape and pixels.shape[:2] != tile.shape:
        found, said = (f"{width} x {height}" for height, width in (pixels.shape[:2], tile.shape))
        raise DataError(f"{path} is {found} px, but index.csv says {said}.")
    return pixels


def resolution_range(packs: Sequence[PackedTiles]) -> tuple[float, float]:
    """The finest and the coarsest resolution of the tiles, in cm/px."""
    all_cm_per_px = [tile.cm_per_px for pack in packs for tile in pack.tiles]
    return min(all_cm_per_px), max(all_cm_per_px)


def describe(packs: Sequence[PackedTiles]) -> list[dict[str, Any]]:
    """One row per data set for a model's card: tiles, resolutions in cm/px, and the attribution it carries.

    More than `MOST_RESOLUTIONS` resolutions are given as a range, from finest to coarsest: every generated town has one
    of its own. Where tiles without masks are among them, the row says how many.
    """
    tiles = [tile for pack in packs for tile in pack.tiles]
    return [
        {
            "dataset": name,
            "tiles": len(group),
            **_unlabelled(group),
            **_resolutions({tile.cm_per_px for tile in group}),
            "licence": "; ".join(sorted({tile.licence for tile in group})),
        }
        for name in sorted({tile.dataset for tile in tiles})
        for group in [[tile for tile in tiles if tile.dataset == name]]
    ]


def _unlabelled(tiles: Sequence[PackedTile]) -> dict[str, int]:
    count = sum(not tile.is_labelled for tile in tiles)
    return {"unlabelled_tiles": count} if count else {}


def _resolutions(found: Collection[float]) -> dict[str, list[float]]:
    if len(found) > MOST_RESOLUTIONS:
        return {"cm_per_px_range": [min(found), max(found)]}
    return {"cm_per_px": sorted(found)}
