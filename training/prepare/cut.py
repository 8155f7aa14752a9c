"""A scene cut into tiles, a row of them at a time: the work of `training.prepare`'s processes.

What a row gave is a line in the scene's record, so that a preparation that was stopped resumes where it was.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.features import rasterize
from rasterio.transform import Affine

from scinet.atomic_write import write_bytes, write_errors, write_text
from scinet.datasets.open_cities import SceneFiles
from scinet.errors import NodataError, RasterError, WriteError
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene

MIN_VALID_SHARE = 0.5
JPEG_QUALITY = 92
_OPEN_FOR = 16  # tiles
_FORMAT = 1  # of the records: another number cuts everything again


@dataclass(frozen=True)
class Row:
    """A row of tiles: where it begins, the tiles that were written, and how many places gave none.

    empty    places with nodata in more than half of their pixels
    damaged  places that cannot be read
    """

    row: int
    tiles: list[dict[str, Any]] = field(default_factory=list)
    empty: int = 0
    damaged: int = 0


def cut_row(
    scene: Scene, names: tuple[str, str], polygons: NDArray[np.object_], row: int, out: Path, tile_px: int
) -> Row:
    """Write the tiles of a row (its upper edge in px) of a scene: JPEG images, and 1-bit masks of the same size.

    `names` are the city's code and the scene's id, `polygons` the buildings in the scene's pixel coordinates. Only
    whole tiles count. Raises WriteError where the disk refuses.
    """
    city, name = names
    tiles, empty, damaged = [], 0, 0
    columns = range(0, scene.width - tile_px + 1, tile_px)
    for column, window in zip(columns, _windows(scene, columns, row, tile_px), strict=True):
        if isinstance(window, NodataError) or (isinstance(window, Raster) and window.valid.mean() < MIN_VALID_SHARE):
            empty += 1
            continue
        if isinstance(window, RasterError):
            damaged += 1
            continue
        mask = _mask(polygons, column, row, tile_px) & window.valid  # what is not seen is not a building
        stem = f"{city}/{name}_{column}_{row}"
        try:
            write_bytes(out / "images" / f"{stem}.jpg", _encoded(window.pixels, "JPEG", quality=JPEG_QUALITY))
            write_bytes(out / "masks" / f"{stem}.png", _encoded(mask, "PNG"))
        except WriteError as error:
            raise WriteError(f"{error} Free some space; the same command resumes.") from None
        tiles.append(
            {
                "column": column,
                "row": row,
                "valid_share": round(float(window.valid.mean()), 4),
                "building_share": round(float(mask.mean()), 4),
            }
        )
    return Row(row, tiles, empty, damaged)


def _encoded(pixels: NDArray[Any], kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def _windows(scene: Scene, columns: range, row: int, tile_px: int) -> Iterator[Raster | RasterError]:
    for start in range(0, len(columns), _OPEN_FOR):  # what is decoded stays in memory until the file is closed
        yield from scene.windows((column, row, tile_px, tile_px) for column in columns[start : start + _OPEN_FOR])


def _mask(polygons: NDArray[np.object_], column: int, row: int, tile_px: int) -> NDArray[np.bool_]:
    if not len(polygons):
        return np.zeros((tile_px, tile_px), np.bool_)
    burned: NDArray[np.uint8] = rasterize(
        polygons, (tile_px, tile_px), transform=Affine.translation(column, row), default_value=1, dtype="uint8"
    )
    return burned.astype(np.bool_)


class Record:
    """The rows of a scene that are done, as lines of JSON in a file that only grows; a torn last one does not count."""

    def __init__(self, path: Path, files: SceneFiles, tile_px: int):
        """What the file holds for a scene as it is on the disk now; nothing where its files have changed since."""
        self.path = path
        self._head = json.dumps({"format": _FORMAT, "tile_px": tile_px, "files": _facts(files)})
        lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        fits = lines[:1] == [self._head]
        self.rows = {row.row: row for row in _rows(lines[1:])} if fits else {}
        if not fits or lines[-1] != "":  # begun again, or torn
            content = [self._head, *(json.dumps(asdict(row)) for row in self.rows.values())]
            write_text(path, "".join(f"{line}\n" for line in content))

    def add(self, row: Row) -> None:
        """Note a finished row of tiles, on disk as well."""
        self.rows[row.row] = row
        with write_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def _rows(lines: list[str]) -> Iterator[Row]:
    for line in lines:
        try:
            yield Row(**json.loads(line))
        except (ValueError, TypeError):
            continue


def _facts(files: SceneFiles) -> list[list[int]]:
    paths = [files.image] if files.labels is None else [files.image, files.labels]
    return [[path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
