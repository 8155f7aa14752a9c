"""Tiles decoded once into memory-mapped arrays.

A data folder holds ``index.csv`` with one row per tile (``image``, ``mask``, ``dataset``, ``cm_per_px``,
``split`` and, where the tile has a georeference, ``crs``, ``x_min``, ``y_max``, ``metres_per_px``), JPEG
or PNG images and 1-bit masks of the same size.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from scinet.atomic_write import atomic_write
from scinet.errors import WriteError
from training.errors import DataError


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
    share its pages, and a crop costs a copy, no decoding. ``leave_out`` names data sets whose tiles are not seen.
    """

    def __init__(self, data: Path, split: str, cache: Path, leave_out: Collection[str] = ()):
        index = read_index(data)
        rows = index[index["split"] == split]
        if rows.empty:
            raise DataError(f"{data / 'index.csv'} has no tile in the split {split!r}.")
        every = _layout(rows)
        self.pixels = _packed(data, rows, every, split, cache)
        self.tiles = [tile for tile in every if tile.dataset not in leave_out]
        self._by_scene: dict[tuple[str, ...], list[Tile]] = defaultdict(list)
        for tile in self.tiles:
            self._by_scene[tile.scene].append(tile)

    def tile(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        """RGB uint8 (H, W, 3) and building bool (H, W) of one tile."""
        block = self.block(tile)
        return block[..., :3], block[..., 3] > 0

    def block(self, tile: Tile) -> np.ndarray:
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
            out[into] = self.block(tile)[top - tile.row : bottom - tile.row, left - tile.column : right - tile.column]
            covered[into] = True
        return out, covered


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
        try:
            with (
                atomic_write(path) as part,
                part.open("wb") as file,
            ):  # written in order: a map on a full disk would end in a bus error
                header = {"descr": "|u1", "fortran_order": False, "shape": (total, 4)}
                np.lib.format.write_array_header_1_0(file, header)
                for row, tile in zip(rows.itertuples(), tiles, strict=True):
                    image, mask = _decoded(data / row.image, "RGB", tile), _decoded(data / row.mask, "L", tile)
                    file.write(np.dstack([image, np.where(mask > 0, np.uint8(255), np.uint8(0))]).tobytes())
        except WriteError as error:
            raise DataError(f"{str(error).removesuffix('.')}; free some disk space.") from error
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


def resolution_range(packs: Sequence[PackedTiles]) -> tuple[float, float]:
    """The finest and the coarsest resolution of the tiles, in cm/px."""
    all_cm_per_px = [tile.cm_per_px for pack in packs for tile in pack.tiles]
    return min(all_cm_per_px), max(all_cm_per_px)


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
