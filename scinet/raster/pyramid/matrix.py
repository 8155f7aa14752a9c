"""The zooms of a tile pyramid: which tiles hold which pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rasterio.crs import CRS

HALF_WORLD_M = 20_037_508.342789244  # of web Mercator, from the centre to an edge
MAX_ZOOM = 30
_ROUNDED_M = 0.03  # 2.7e-7 degrees
WEB_MERCATOR = CRS.from_epsg(3857)

Bounds = tuple[float, float, float, float]  # west, south, east, north in units of the CRS
Box = tuple[float, float, float, float]  # left, top, right, bottom in px of a matrix


@dataclass(frozen=True)
class Matrix:
    """The tiles of one zoom.

    Attributes:
        zoom: Its number, as the source counts it.
        x: Of the upper left corner of the tile in column 0 and row 0, in units of the CRS.
        y: Of the same corner.
        x_per_px: Width of a pixel in units of the CRS.
        y_per_px: Height of a pixel in units of the CRS.
        tile_width_px: Columns of a tile.
        tile_height_px: Rows of a tile.
        columns: How many columns of tiles there are at most.
        rows: How many rows of tiles there are at most.
    """

    zoom: int
    x: float
    y: float
    x_per_px: float
    y_per_px: float
    tile_width_px: int
    tile_height_px: int
    columns: int
    rows: int

    @property
    def bounds(self) -> Bounds:
        """Of all its tiles."""
        return self.bounds_of(range(self.columns), range(self.rows))

    def bounds_of(self, columns: range, rows: range) -> Bounds:
        """Of some columns and rows of tiles."""
        width, height = self.tile_width_px * self.x_per_px, self.tile_height_px * self.y_per_px
        return (
            self.x + columns.start * width,
            self.y - rows.stop * height,
            self.x + columns.stop * width,
            self.y - rows.start * height,
        )

    def box(self, bounds: Bounds) -> Box:
        """Where bounds lie among its pixels; column and row 0 begin at its upper left corner."""
        west, south, east, north = bounds
        return (
            (west - self.x) / self.x_per_px,
            (self.y - north) / self.y_per_px,
            (east - self.x) / self.x_per_px,
            (self.y - south) / self.y_per_px,
        )


def web_mercator_matrix(zoom: int, tile_px: int) -> Matrix:
    """The tiles of a zoom of the usual web map, whose tile of zoom 0 shows the world."""
    count = 2**zoom
    per_px = 2 * HALF_WORLD_M / (count * tile_px)
    return Matrix(zoom, -HALF_WORLD_M, HALF_WORLD_M, per_px, per_px, tile_px, tile_px, count, count)


class TileSource(Protocol):
    """Where the tiles of a pyramid come from."""

    def tiles(self, matrix: Matrix, columns: range, rows: range) -> Iterator[tuple[int, int, bytes]]:
        """The tiles of some columns and rows that exist, each with its column and row.

        Raises:
            RasterError: They cannot be read.
        """
        ...


@dataclass(frozen=True)
class Pyramid:
    """An image in tiles.

    Attributes:
        matrices: Its zooms, the finest first.
        bounds: Of the image, in units of the CRS.
        crs: None where the source names none.
        source: Of its tiles.
        notes: What opening it found, in sentences for the reader.
    """

    matrices: tuple[Matrix, ...]
    bounds: Bounds
    crs: CRS | None
    source: TileSource
    notes: tuple[str, ...] = ()


def snapped(bounds: Bounds, matrix: Matrix) -> Bounds:
    """Bounds in web Mercator whose edges are the tiles' where they are so close that rounded degrees explain it."""

    def moved(side: float, corner: float, tile: float) -> float:
        edge = corner + round((side - corner) / tile) * tile
        return edge if abs(edge - side) < _ROUNDED_M else side

    width, height = matrix.tile_width_px * matrix.x_per_px, matrix.tile_height_px * matrix.y_per_px
    west, south, east, north = bounds
    return (
        moved(west, matrix.x, width),
        moved(south, matrix.y, height),
        moved(east, matrix.x, width),
        moved(north, matrix.y, height),
    )


def intersection(first: Bounds, second: Bounds) -> Bounds | None:
    """What two bounds have in common; None where that is nothing."""
    west, south, east, north = (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )
    return (west, south, east, north) if west < east and south < north else None
