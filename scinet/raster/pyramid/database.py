"""GeoPackage and MBTiles: SQLite databases of tiles, queried with limits on time, memory and what may be asked."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform_bounds

from scinet.errors import RasterError
from scinet.raster.crs_text import crs_from_text
from scinet.raster.pyramid.decode import MAX_TILE_BYTES, MAX_TILE_PX, tile_size
from scinet.raster.pyramid.matrix import (
    MAX_ZOOM,
    WEB_MERCATOR,
    Bounds,
    Matrix,
    Pyramid,
    intersection,
    snapped,
    web_mercator_matrix,
)

SQLITE = b"SQLite format 3\0"

_STEPS, _MOST_LOOKS = 20_000, 20_000  # of SQLite's machine at a time, and how often: some ten seconds
_MOST_ZOOMS = 64
# A database is a program too: views can call functions and recur. These are what tiles need.
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
_FUNCTIONS = ("min", "max", "coalesce", "ifnull")
_LONLAT = CRS.from_epsg(4326)


@dataclass(frozen=True)
class TileTable:
    """The tiles of one table of a database; the database is opened for each query.

    Attributes:
        database: Its path or bytes.
        name: What to call it in a message.
        table: The name of the table or view.
        counts_from_south: Whether rows are counted from the south, as in MBTiles.
    """

    database: str | bytes
    name: str
    table: str
    counts_from_south: bool

    def tiles(self, matrix: Matrix, columns: range, rows: range) -> Iterator[tuple[int, int, bytes]]:
        """As in `TileSource`."""
        first, last = (self._stored_row(matrix, row) for row in (rows.start, rows.stop - 1))
        query = (
            f"SELECT tile_column, tile_row, tile_data FROM {_quoted(self.table)} WHERE zoom_level = ? "
            "AND tile_column BETWEEN ? AND ? AND tile_row BETWEEN ? AND ? LIMIT ?"
        )
        most = len(columns) * len(rows)
        limits = (matrix.zoom, columns.start, columns.stop - 1, min(first, last), max(first, last), most)
        if not most:
            return
        with _opened(self.database, self.name) as database:
            for column, row, content in database.execute(query, limits):
                if isinstance(content, bytes) and isinstance(column, int) and isinstance(row, int):
                    yield column, self._stored_row(matrix, row), content

    def _stored_row(self, matrix: Matrix, row: int) -> int:
        return matrix.rows - 1 - row if self.counts_from_south else row


def open_database(database: str | bytes, name: str, page: int) -> Pyramid:
    """Open a GeoPackage or an MBTiles file.

    Args:
        database: Its path or bytes.
        name: What to call it in a message.
        page: Which of a GeoPackage's tile tables to read, from 1.

    Raises:
        RasterError: It is damaged, holds no image, or takes too long to query.
    """
    with _opened(database, name) as opened:
        tables = {str(row[0]).lower() for row in opened.execute("SELECT name FROM sqlite_master LIMIT 10000")}
        if "gpkg_contents" in tables:
            return _geopackage(opened, database, name, page)
        if {"tiles", "metadata"} <= tables:
            return _mbtiles(opened, database, name)
    raise RasterError(f"{name} is a database without an image. Give a GeoPackage or an MBTiles file with tiles.")


@contextmanager
def _opened(database: str | bytes, name: str) -> Iterator[sqlite3.Connection]:
    """A connection that can only look tiles up; in the block, SQLite's errors become RasterErrors."""
    looks = count(1)
    try:
        if isinstance(database, bytes):
            connection = sqlite3.connect(":memory:")
            connection.deserialize(database)
        else:
            connection = sqlite3.connect(f"{Path(database).absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_TILE_BYTES)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_authorizer(_allowed)
            connection.set_progress_handler(lambda: int(next(looks) > _MOST_LOOKS), _STEPS)
            yield connection
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        if "interrupted" in str(error):
            raise RasterError(
                f"{name} takes too long to look its tiles up. Save it again: gdal_translate -of GPKG IN OUT.gpkg."
            ) from None
        raise _damaged(name, "its tiles cannot be read") from None


def _damaged(name: str, how: str) -> RasterError:
    return RasterError(f"{name} is damaged: {how}. Save it again: gdal_translate IN OUT.")


def _allowed(action: int, _: str | None, what: str | None, *__: Any) -> int:
    is_function = action == sqlite3.SQLITE_FUNCTION and (what or "").lower() in _FUNCTIONS
    return sqlite3.SQLITE_OK if action in _ALLOWED or is_function else sqlite3.SQLITE_DENY


def _geopackage(opened: sqlite3.Connection, database: str | bytes, name: str, page: int) -> Pyramid:
    layers = opened.execute(
        "SELECT table_name, min_x, min_y, max_x, max_y FROM gpkg_contents WHERE data_type = 'tiles' LIMIT 1000"
    ).fetchall()
    if not layers:
        raise RasterError(
            f"{name} is a GeoPackage without an image: it has no layer of pictures. Give one that has, or a GeoTIFF."
        )
    if page > len(layers):
        raise RasterError(f"{name} has {len(layers)} images, so page {page} cannot be read. Choose another.")
    notes: tuple[str, ...] = ()
    if len(layers) > 1:
        shown = ", ".join(str(layer[0])[:40] for layer in layers[:10])
        notes = (f"{name} has {len(layers)} images: {shown}. Number {page} is read; choose another with --page N.",)
    table, *extent = layers[page - 1]
    found = opened.execute(
        "SELECT srs_id, min_x, max_y FROM gpkg_tile_matrix_set WHERE table_name = ?", (table,)
    ).fetchone()
    zooms = opened.execute(
        "SELECT zoom_level, matrix_width, matrix_height, tile_width, tile_height, pixel_x_size, pixel_y_size "
        "FROM gpkg_tile_matrix WHERE table_name = ? ORDER BY zoom_level DESC LIMIT ?",
        (table, _MOST_ZOOMS),
    ).fetchall()
    if found is None or not zooms:
        raise _damaged(name, "it does not say how its tiles lie")
    srs_id, x, y = found
    matrices = [_matrix(row, x, y, name) for row in zooms]
    source = TileTable(database, name, str(table), counts_from_south=False)
    used = [matrix for matrix in matrices if _extent(opened, source, matrix) is not None]
    if not used:
        raise RasterError(f"{name} holds no image: it has no tiles.")
    bounds = used[0].bounds_of(*_extent(opened, source, used[0]) or (range(0), range(0)))
    said = _bounds(extent)
    return Pyramid(
        tuple(used), (said and intersection(said, bounds)) or bounds, _crs(opened, srs_id, name), source, notes
    )


def _matrix(row: tuple[Any, ...], x: Any, y: Any, name: str) -> Matrix:
    """A row of gpkg_tile_matrix with the corner of all matrices. Raises RasterError for impossible numbers."""
    try:
        zoom, columns, rows, width, height = (int(value) for value in row[:5])
        x_per_px, y_per_px, left, top = (float(value) for value in (*row[5:7], x, y))
    except (TypeError, ValueError, OverflowError):
        zoom = columns = rows = width = height = 0
        x_per_px = y_per_px = left = top = 0.0
    sizes = all(1 <= side <= MAX_TILE_PX for side in (width, height))
    counts = all(1 <= count <= 2**MAX_ZOOM for count in (columns, rows))
    places = all(map(math.isfinite, (left, top, x_per_px, y_per_px))) and min(x_per_px, y_per_px) > 0
    if not (sizes and counts and places and 0 <= zoom <= MAX_ZOOM):
        raise _damaged(name, "its tiles have no possible size")
    return Matrix(zoom, left, top, x_per_px, y_per_px, width, height, columns, rows)


def _crs(opened: sqlite3.Connection, srs_id: Any, name: str) -> CRS | None:
    """The CRS of a GeoPackage's tiles; None where it is not defined (srs_id 0 and -1)."""
    if srs_id in (0, -1):
        return None
    row = opened.execute(
        "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?",
        (srs_id,),
    ).fetchone()
    if row is None:
        return None
    organization, code, definition = (str(value) for value in row)
    try:
        return crs_from_text(f"EPSG:{code}" if organization.upper() == "EPSG" else definition)
    except CRSError:
        raise RasterError(
            f"{name} names an unknown CRS. Save it in another: gdalwarp -t_srs EPSG:3857 IN OUT."
        ) from None


def _mbtiles(opened: sqlite3.Connection, database: str | bytes, name: str) -> Pyramid:
    said = {str(key): str(value) for key, value in opened.execute("SELECT name, value FROM metadata LIMIT 1000")}
    if said.get("format", "").lower() in ("pbf", "mvt"):
        raise RasterError(f"{name} has vector tiles, not an image. Give an MBTiles file of pictures.")
    zooms = [row[0] for row in opened.execute("SELECT DISTINCT zoom_level FROM tiles LIMIT 100")]
    zooms = sorted((zoom for zoom in zooms if isinstance(zoom, int) and 0 <= zoom <= MAX_ZOOM), reverse=True)
    if not zooms:
        raise RasterError(f"{name} holds no image: it has no tiles.")
    first = opened.execute("SELECT tile_data FROM tiles WHERE zoom_level = ? LIMIT 1", (zooms[0],)).fetchone()
    width, height = tile_size(first[0] if isinstance(first[0], bytes) else b"", name)
    if width != height:
        raise RasterError(f"{name} has tiles of {width} x {height} px, which are not square. Save it again as MBTiles.")
    matrices = tuple(web_mercator_matrix(zoom, width) for zoom in zooms)
    source = TileTable(database, name, "tiles", counts_from_south=True)
    extent = _extent(opened, source, matrices[0])
    if extent is None:
        raise _damaged(name, "its tiles lie outside the world")
    bounds = matrices[0].bounds_of(*extent)
    stated = _lonlat_bounds(said.get("bounds", ""), matrices[0])
    return Pyramid(matrices, (stated and intersection(stated, bounds)) or bounds, WEB_MERCATOR, source)


def _extent(opened: sqlite3.Connection, source: TileTable, matrix: Matrix) -> tuple[range, range] | None:
    """Columns and rows of a matrix that have tiles; None where there are none."""
    found = opened.execute(
        f"SELECT min(tile_column), max(tile_column), min(tile_row), max(tile_row) FROM {_quoted(source.table)} "
        "WHERE zoom_level = ?",
        (matrix.zoom,),
    ).fetchone()
    if not all(isinstance(value, int) for value in found):
        return None
    left, right = max(0, found[0]), min(matrix.columns - 1, found[1])
    rows = sorted(source._stored_row(matrix, row) for row in found[2:])
    top, bottom = max(0, rows[0]), min(matrix.rows - 1, rows[1])
    return (range(left, right + 1), range(top, bottom + 1)) if left <= right and top <= bottom else None


def _bounds(values: list[Any]) -> Bounds | None:
    """West, south, east and north; None where they bound nothing."""
    try:
        west, south, east, north = (float(value) for value in values)
    except (TypeError, ValueError):
        return None
    is_box = all(map(math.isfinite, (west, south, east, north))) and west < east and south < north
    return (west, south, east, north) if is_box else None


def _lonlat_bounds(text: str, finest: Matrix) -> Bounds | None:
    """The bounds of a metadata table in web Mercator; None where they bound nothing."""
    bounds = _bounds(text.split(","))
    if bounds is None or min(bounds) < -180 or max(bounds) > 180:
        return None
    west, south, east, north = bounds
    found = transform_bounds(_LONLAT, WEB_MERCATOR, west, max(south, -85.05), east, min(north, 85.05))
    stated = _bounds(list(found))
    return stated and snapped(stated, finest)


def _quoted(table: str) -> str:
    doubled = table.replace('"', '""')
    return f'"{doubled}"'
