"""The images of a folder: tiles that an index.csv names, scenes of the Open Cities AI Challenge, or any images."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine, from_origin

from scinet.datasets.open_cities import scenes_in
from scinet.errors import RasterError, SciNetError
from scinet.raster.choice import LIKELIEST, ImageChoice
from scinet.raster.crs_text import crs_from_text
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.scene import Scene, open_scene
from scinet.raster.stretch import common_range

_SAMPLED_SCENES = 32
SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".jp2", ".mbtiles", ".pmtiles")


@dataclass(frozen=True)
class Tile:
    """An image on disk, and what its folder says of it; "" or None where it does not say.

    Attributes:
        name: The image's path within the folder, without the suffix.
        image: The image's path.
        truth: The path of its reference buildings, a mask or footprints.
        cm_per_px: The native resolution.
        place: Transform and CRS, for an image that has none itself.
        city: The city's name.
        split: "train", "val" or "test".
        licence: The attribution.
        dataset: The name of the data set.
        shape: Height and width in px.
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

    def open(self, cm_per_px: float | None = None, choice: ImageChoice = LIKELIEST) -> Scene:
        """Open the image.

        Args:
            cm_per_px: The native resolution, used only if neither the file nor the folder knows it.
            choice: Bands, nodata and CRS, where the file leaves them open.

        Raises:
            RasterError: As `open_scene`.
        """
        scene = open_scene(self.image, cm_per_px=self.cm_per_px or cm_per_px, choice=choice)
        if scene.crs is None and self.place is not None:
            transform, crs = self.place
            return replace(scene, grid=replace(scene.grid, transform=transform, crs=crs))
        return scene


def tiles_in(folder: Path) -> list[Tile]:
    """List the tiles of a folder.

    These are the rows of its index.csv, as docs/training.md describes it, or else its scenes in the layout of the Open
    Cities AI Challenge, or else all images in it.

    Raises:
        RasterError: There is none, or the index cannot be read.
    """
    if not folder.is_dir():
        raise RasterError(f"{_shown(folder)} is not a folder. Give a folder of images.")
    if (folder / "index.csv").is_file():
        found = _read_index(folder)
    else:
        found = [
            Tile(f"{scene.city_code}/{scene.id}", scene.image, scene.labels, city=scene.city_code)
            for scene in scenes_in(folder).values()
        ] or _listed(folder)
    if not found:
        raise RasterError(
            f"{_shown(folder)} contains no images. Give a folder with an index.csv, with scenes or with images."
        )
    return found


def _shown(folder: Path) -> str:
    """A folder in a message: without the folders above it, which are nobody's business on a server."""
    return folder.name or str(folder)


def _first_words(error: Exception) -> str:
    return str(error).rstrip(".")[:200]


def _listed(folder: Path) -> list[Tile]:
    """All images in a folder. Names that differ in case or suffix alone keep the suffix, so that results do too."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file()]
    for path in paths:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise RasterError(f"{path.name} is a link that leads out of {_shown(folder)}. Put the image itself there.")
    keys = [normalize("NFC", path.stem).casefold() for path in paths]
    names = [
        path.stem if keys.count(key) == 1 else f"{path.stem}_{path.suffix[1:]}"
        for path, key in zip(paths, keys, strict=True)
    ]
    folded = [normalize("NFC", name).casefold() for name in names]
    if len(set(folded)) < len(folded):
        twin = next(path for path, name in zip(paths, folded, strict=True) if folded.count(name) > 1)
        raise RasterError(
            f"{twin.name} and another image in {_shown(folder)} have the same name but for case. Rename one of them."
        )
    return [Tile(name, path) for name, path in zip(names, paths, strict=True)]


def common_stretch(scenes: Sequence[Scene]) -> tuple[float, float] | None:
    """The stretch of the images of a folder, so that the same ground looks the same in all of them.

    Args:
        scenes: The images; of many, some that are spread over all are read.

    Returns:
        The values that become black and white; None where no image has more than 8 bits.

    Raises:
        RasterError: One cannot be read.
    """
    samples = [scene.stretch_sample() for scene in scenes[:: max(1, len(scenes) // _SAMPLED_SCENES)]]
    found = [sample for sample in samples if sample is not None and sample.size]
    return common_range(found) if found else None


def _read_index(folder: Path) -> list[Tile]:
    path = folder / "index.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise RasterError(f"{_shown(folder)}/index.csv cannot be read: {_first_words(error)}.") from None
    tiles = []
    for line, row in enumerate(rows, 2):
        try:
            if not row.get("image"):
                raise ValueError("no image")
            tiles.append(_tile(folder, {name: value or "" for name, value in row.items()}))
        except (KeyError, ValueError, TypeError, CRSError, SciNetError) as error:
            raise RasterError(
                f"Line {line} of {_shown(folder)}/index.csv does not describe a tile ({_first_words(error)}). "
                "See docs/training.md."
            ) from None
    return tiles


def _tile(folder: Path, row: dict[str, str]) -> Tile:
    image, mask, cm_per_px = Path(row["image"]), row.get("mask"), row.get("cm_per_px")
    width, height = row.get("width"), row.get("height")
    return Tile(
        name=str(image.with_suffix("")),
        image=folder / image,
        truth=folder / mask if mask else None,
        cm_per_px=parse_cm_per_px(cm_per_px) if cm_per_px else None,
        place=_place(row),
        city=row.get("city", ""),
        split=row.get("split", ""),
        licence=row.get("licence", ""),
        dataset=row.get("dataset", ""),
        shape=(int(height), int(width)) if height and width else None,
    )


def _place(row: dict[str, str]) -> tuple[Affine, CRS] | None:
    if not (row.get("crs") and row.get("x_min")):
        return None
    x_min, y_max, size = (float(row[name]) for name in ("x_min", "y_max", "metres_per_px"))
    if not all(map(math.isfinite, (x_min, y_max, size))) or size <= 0:
        raise ValueError(f"impossible place {x_min:g}, {y_max:g} or metres_per_px {size:g}")
    return from_origin(x_min, y_max, size, size), _crs(row["crs"])


@lru_cache(maxsize=64)  # thousands of tiles share a few
def _crs(text: str) -> CRS:
    return crs_from_text(text)
