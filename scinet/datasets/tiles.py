"""The images of a folder: tiles that an index.csv names, scenes of the Open Cities AI Challenge, or any images."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine, from_origin

from scinet.datasets.open_cities import scenes_in
from scinet.errors import RasterError
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.scene import Scene, open_scene

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".jp2")


@dataclass(frozen=True)
class Tile:
    """An image on disk, and what a folder says of it.

    name       its path within the folder, without the suffix
    truth      its mask or footprints
    cm_per_px  native GSD, where the file does not say it
    place      transform and CRS, where the file has none and the folder knows them
    licence    its attribution
    dataset    what training weights it by
    shape      height and width in px, where the folder says them
    """

    name: str
    image: Path
    truth: Path | None = None
    cm_per_px: float | None = None
    place: tuple[Affine, CRS] | None = None
    city: str = ""
    split: str = ""
    licence: str = ""
    dataset: str = ""
    shape: tuple[int, int] | None = None

    def open(self, cm_per_px: float | None = None) -> Scene:
        """Its header; `cm_per_px` counts where neither the file nor the folder knows. Raises as `open_scene`."""
        scene = open_scene(self.image, cm_per_px=self.cm_per_px or cm_per_px)
        if scene.crs is None and self.place is not None:
            transform, crs = self.place
            return replace(scene, grid=replace(scene.grid, transform=transform, crs=crs))
        return scene


def tiles_in(folder: Path) -> list[Tile]:
    """The tiles of a folder: those of its index.csv (see docs/training.md), else its scenes in the published
    layout, else all images that lie in it.

    Raises RasterError where there is none, or the index cannot be read.
    """
    if not folder.is_dir():
        raise RasterError(f"{folder} is no folder. Give a folder of images.")
    if (folder / "index.csv").is_file():
        found = list(_from_index(folder))
    else:
        found = [
            Tile(f"{scene.city_code}/{scene.id}", scene.image, scene.labels, city=scene.city_code)
            for scene in scenes_in(folder).values()
        ] or [
            Tile(path.stem, path)
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in SUFFIXES and path.is_file()
        ]
    if not found:
        raise RasterError(f"{folder} holds no images. Give a folder with an index.csv, with scenes or with images.")
    return found


def _from_index(folder: Path) -> Iterator[Tile]:
    path = folder / "index.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise RasterError(f"{path} cannot be read ({error}).") from None
    for number, row in enumerate(rows, 2):
        try:
            mask = row.get("mask") or ""
            image = Path(row["image"])
            yield Tile(
                name=str(image.with_suffix("")),
                image=folder / image,
                truth=folder / mask if mask else None,
                cm_per_px=parse_cm_per_px(row["cm_per_px"]) if row.get("cm_per_px") else None,
                place=_place(row),
                city=row.get("city") or "",
                split=row.get("split") or "",
                licence=row.get("licence") or "",
                dataset=row.get("dataset") or "",
                shape=(int(row["height"]), int(row["width"])) if row.get("height") and row.get("width") else None,
            )
        except (KeyError, ValueError, TypeError, CRSError) as error:
            raise RasterError(f"Line {number} of {path} describes no tile ({error!r}). See docs/training.md.") from None


def _place(row: dict[str, str]) -> tuple[Affine, CRS] | None:
    if not (row.get("crs") and row.get("x_min")):
        return None
    size = float(row["metres_per_px"])
    values = float(row["x_min"]), float(row["y_max"]), size
    if not np.isfinite(values).all() or size <= 0:
        raise ValueError(values)
    return from_origin(values[0], values[1], size, size), _crs(row["crs"])


@cache
def _crs(text: str) -> CRS:
    """An index names the same few in every row, and reading one takes a while."""
    return CRS.from_string(text)
