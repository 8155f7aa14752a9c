"""Folders of tiles in the layout of web maps: zoom/column/row.png."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from scinet.errors import RasterError
from scinet.local_file import open_regular
from scinet.raster.pyramid.decode import MAX_TILE_BYTES, tile_size
from scinet.raster.pyramid.matrix import MAX_ZOOM, WEB_MERCATOR, Matrix, Pyramid, web_mercator_matrix

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

_TMS_MARK = "tilemapresource.xml"  # of programs that count rows from the south
_MOST_TILES = 2_000_000


@dataclass(frozen=True)
class TileFolder:
    """The tiles of a folder.

    Attributes:
        folder: The folder of zooms, with links followed.
        name: What to call it in a message.
        suffix: Of the tiles' files.
        counts_from_south: Whether rows are counted from the south.
    """

    folder: Path
    name: str
    suffix: str
    counts_from_south: bool

    def tiles(self, matrix: Matrix, columns: range, rows: range) -> Iterator[tuple[int, int, bytes]]:
        """As in `TileSource`."""
        for column in columns:
            for row in rows:
                path = self.folder / str(matrix.zoom) / str(column) / f"{self._stored_row(matrix, row)}{self.suffix}"
                try:
                    if not path.resolve().is_relative_to(self.folder):
                        raise RasterError(f"A tile of {self.name} is a link that leads out of it. Put the tile there.")
                    with open_regular(path) as file:
                        yield column, row, file.read(MAX_TILE_BYTES + 1)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise RasterError(f"A tile of {self.name} cannot be opened: {error.strerror}.") from None

    def _stored_row(self, matrix: Matrix, row: int) -> int:
        return matrix.rows - 1 - row if self.counts_from_south else row


def is_tile_folder(folder: Path) -> bool:
    """Whether a folder holds folders of zooms, and these folders of columns with tiles."""
    return any(_suffix(folder / str(zoom)) for zoom in _numbered(folder) if zoom <= MAX_ZOOM)


def open_folder(folder: Path, name: str, from_south: bool) -> Pyramid:
    """Open a folder of tiles.

    Args:
        folder: Of zooms.
        name: What to call it in a message.
        from_south: Whether the reader says that rows are counted from the south.

    Raises:
        RasterError: It has no tiles, or too many.
    """
    zooms = [zoom for zoom in _numbered(folder) if zoom <= MAX_ZOOM and _suffix(folder / str(zoom))]
    if not zooms:
        raise RasterError(f"{name} is a folder. Give an image file, or a folder of tiles: zoom/column/row.png.")
    suffix = _suffix(folder / str(zooms[0]))
    is_marked = (folder / _TMS_MARK).is_file()
    source = TileFolder(folder.resolve(), name, suffix, from_south or is_marked)
    columns, rows = _extent(folder / str(zooms[0]), suffix, name)
    sample = next((folder / str(zooms[0]) / str(columns[0])).glob(f"*{suffix}"))
    width, height = tile_size(sample.read_bytes()[: MAX_TILE_BYTES + 1], name)
    if width != height:
        raise RasterError(f"{name} has tiles of {width} x {height} px, which are not square. Make them again.")
    matrices = tuple(web_mercator_matrix(zoom, width) for zoom in zooms)
    within = [row for row in rows if 0 <= row < matrices[0].rows]
    if not within or columns[-1] >= matrices[0].columns:
        raise RasterError(f"{name} has tiles outside the world. Give a folder of tiles: zoom/column/row{suffix}.")
    stored = sorted(source._stored_row(matrices[0], row) for row in (within[0], within[-1]))
    bounds = matrices[0].bounds_of(range(columns[0], columns[-1] + 1), range(stored[0], stored[1] + 1))
    return Pyramid(matrices, bounds, WEB_MERCATOR, source, _notes(name, from_south, is_marked))


def _notes(name: str, from_south: bool, is_marked: bool) -> tuple[str, ...]:
    if from_south:
        return ()
    if is_marked:
        return (f"The rows of tiles of {name} count from the south, as its {_TMS_MARK} says.",)
    return (f"The rows of tiles of {name} count from the north. If they count from the south, choose --tms.",)


def _numbered(folder: Path) -> list[int]:
    """The folders whose names are numbers, the largest first."""
    try:
        with os.scandir(folder) as entries:
            return sorted((int(e.name) for e in entries if e.name.isdecimal() and len(e.name) < 10), reverse=True)
    except (OSError, ValueError):
        return []


def _suffix(zoom: Path) -> str:
    """The suffix of a zoom's tiles; "" where it has none."""
    for column in _numbered(zoom)[:1]:
        try:
            with os.scandir(zoom / str(column)) as entries:
                for entry in entries:
                    tile = PurePath(entry.name)
                    if tile.stem.isdecimal() and tile.suffix in SUFFIXES:
                        return tile.suffix
        except OSError:
            return ""
    return ""


def _extent(zoom: Path, suffix: str, name: str) -> tuple[list[int], list[int]]:
    """The columns and rows that have tiles, in ascending order."""
    columns = sorted(_numbered(zoom))
    rows: set[int] = set()
    count = 0
    for column in columns:
        try:
            with os.scandir(zoom / str(column)) as entries:
                for entry in entries:
                    tile = PurePath(entry.name)
                    count += 1
                    if tile.suffix == suffix and tile.stem.isdecimal() and len(tile.stem) < 10:
                        rows.add(int(tile.stem))
        except OSError:
            continue
        if count > _MOST_TILES:
            raise RasterError(f"{name} has more than {_MOST_TILES:,} tiles. Save them as MBTiles or PMTiles.")
    return columns, sorted(rows)
