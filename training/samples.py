"""Make the sample tiles that come with the package: ``python -m training.samples --data DIR``.

All are test tiles: no model on board was trained on them or chosen by them. Small tiles that share edges are joined, so
that a sample shows more than a few buildings.
"""

import csv
import math
import shutil
from pathlib import Path
from typing import NamedTuple

import click
from PIL import Image

from scinet.datasets.samples import FOLDER
from scinet.errors import SciNetError

JPEG_QUALITY = 90
_EARTH_M = 2 * math.pi * 6_378_137.0  # side of the square onto which EPSG:3857 maps the earth


class Wanted(NamedTuple):
    """A sample: the name of the tile in its upper left corner, the tiles on a side, and its own name."""

    corner: str
    tiles_per_side: int
    name: str


WANTED = (
    Wanted("accra/d41d81_8192_5120", 1, "accra_building_site"),
    Wanted("accra/d41d81_9216_6144", 1, "accra_halls"),
    Wanted("accra/d41d81_6144_6144", 1, "accra_dense"),
    Wanted("accra/d41d81_8192_3072", 1, "accra_edge"),
    Wanted("kampala/z21_1238424_1046544", 4, "kampala_huts"),
    Wanted("zanzibar/z21_1277176_1083844", 4, "zanzibar_school"),
    Wanted("zanzibar/z21_1277196_1083984", 4, "zanzibar_shells"),
    Wanted("banepa/A_z19_386692_220243", 2, "banepa_centre"),
    Wanted("banepa/A_z19_386690_220247", 2, "banepa_warehouses"),
)


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with index.csv.")
def main(data: Path) -> None:
    """Write the sample tiles into the package."""
    with (data / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["image"].removeprefix("images/").removesuffix(".jpg"): row for row in csv.DictReader(file)}
    FOLDER.mkdir(exist_ok=True)
    samples = [write_sample(data, rows, wanted) for wanted in WANTED]
    with (FOLDER / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(samples[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(samples)
    size_mb = sum(path.stat().st_size for path in FOLDER.iterdir()) / 1e6
    print(f"{len(samples)} samples in {FOLDER}, {size_mb:.1f} MB")


def write_sample(data: Path, rows: dict[str, dict[str, str]], wanted: Wanted) -> dict[str, str]:
    """Write one sample's image and mask; return its row of index.csv."""
    tiles = [
        [rows[name] for name in names] for names in block_names(wanted.corner, wanted.tiles_per_side)
    ]  # rows from north to south
    if any(tile["split"] != "test" for row in tiles for tile in row):
        raise SciNetError(f"{wanted.name} holds a tile that is not a test tile; choose another corner.")
    first = tiles[0][0]
    image, mask = f"{wanted.name}.jpg", f"{wanted.name}.png"
    if wanted.tiles_per_side == 1:  # as published, byte for byte
        shutil.copyfile(data / first["image"], FOLDER / image)
        shutil.copyfile(data / first["mask"], FOLDER / mask)
    else:
        joined(data, tiles, "image", "RGB").save(FOLDER / image, quality=JPEG_QUALITY)
        joined(data, tiles, "mask", "1").save(FOLDER / mask, optimize=True)
    side = {key: str(wanted.tiles_per_side * int(first[key])) for key in ("width", "height")}
    return {**first, "image": image, "mask": mask, **side, **position(first, wanted.corner)}


def block_names(corner: str, tiles_per_side: int) -> list[list[str]]:
    """Names of the tiles of a block, row by row, from the name of its upper left one (``..._<column>_<row>``).

    Example:
        >>> block_names("banepa/A_z19_7_5", 2)
        [['banepa/A_z19_7_5', 'banepa/A_z19_8_5'], ['banepa/A_z19_7_6', 'banepa/A_z19_8_6']]
    """
    stem, column, row = corner.rsplit("_", 2)
    steps = range(tiles_per_side)
    return [[f"{stem}_{int(column) + right}_{int(row) + down}" for right in steps] for down in steps]


def joined(data: Path, tiles: list[list[dict[str, str]]], kind: str, mode: str) -> Image.Image:
    """The images (or masks) of a block of tiles as one."""
    width, height = int(tiles[0][0]["width"]), int(tiles[0][0]["height"])
    whole = Image.new(mode, (width * len(tiles[0]), height * len(tiles)))
    for down, row in enumerate(tiles):
        for right, tile in enumerate(row):
            with Image.open(data / tile[kind]) as image:
                whole.paste(image.convert(mode), (right * width, down * height))
    return whole


def position(tile: dict[str, str], name: str) -> dict[str, str]:
    """Where a tile lies: as the index says it, else from a web map tile's zoom, column and row in its name."""
    if tile["crs"]:
        return {key: tile[key] for key in ("crs", "x_min", "y_max", "metres_per_px")}
    zoom, column, row = (int(part.lstrip("z")) for part in name.split("_")[-3:])
    side_m = _EARTH_M / 2**zoom
    return {
        "crs": "EPSG:3857",
        "x_min": f"{column * side_m - _EARTH_M / 2:.4f}",
        "y_max": f"{_EARTH_M / 2 - row * side_m:.4f}",
        "metres_per_px": f"{side_m / int(tile['width']):.8f}",
    }


if __name__ == "__main__":
    main()
