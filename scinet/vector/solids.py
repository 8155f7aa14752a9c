"""Solids (PolyhedralSurface, TIN) as the polygons of their faces: shapely and pyogrio know neither."""

import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

_POLYGON, _MULTI_POLYGON, _SURFACE, _TIN, _TRIANGLE = 3, 6, 15, 16, 17


def flat_wkb(wkb: Any) -> Any:
    """The WKB of a solid as that of a MultiPolygon of its faces; any other as it is."""
    if not isinstance(wkb, bytes) or len(wkb) < 9:
        return wkb
    order = "<" if wkb[0] == 1 else ">"
    kind, extra = _kind(wkb, 0, order)
    if kind == _TRIANGLE:
        return wkb[:1] + struct.pack(order + "I", _POLYGON + extra) + wkb[5:]
    if kind not in (_SURFACE, _TIN):
        return wkb
    flat = bytearray(wkb)
    flat[1:5] = struct.pack(order + "I", _MULTI_POLYGON + extra)
    if kind == _TIN:
        _name_triangles_polygons(flat, order)
    return bytes(flat)


def copy_with_any_geometry(path: Path, copy: Path) -> None:
    """Copy a GeoPackage, with layers that may hold geometries of any kind. Raises sqlite3.Error."""
    shutil.copyfile(path, copy)
    with closing(sqlite3.connect(copy)) as database:
        database.execute("PRAGMA trusted_schema = OFF")
        triggers = database.execute(
            "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = 'gpkg_geometry_columns'"
        ).fetchone()[0]
        if triggers:
            raise sqlite3.DatabaseError("a trigger would run")
        database.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY', z = 0, m = 0")
        database.commit()


def _kind(wkb: bytes | bytearray, place: int, order: str) -> tuple[int, int]:
    """The kind of a geometry without its dimensions, and what those add."""
    (code,) = struct.unpack_from(order + "I", wkb, place + 1)
    kind = (code & 0x0FFFFFFF) % 1000
    return kind, code - kind


def _name_triangles_polygons(wkb: bytearray, order: str) -> None:
    """Triangles are stored as polygons are, under another number."""
    place = 9
    (count,) = struct.unpack_from(order + "I", wkb, 5)
    for _ in range(count):
        if place + 9 > len(wkb):
            return  # damaged, as shapely will find
        inner = "<" if wkb[place] == 1 else ">"
        kind, extra = _kind(wkb, place, inner)
        if kind == _TRIANGLE:
            wkb[place + 1 : place + 5] = struct.pack(inner + "I", _POLYGON + extra)
        values = {0: 2, 3000: 4}.get(extra, 3)
        (rings,) = struct.unpack_from(inner + "I", wkb, place + 5)
        place += 9
        for _ in range(rings):
            if place + 4 > len(wkb):
                return
            (points,) = struct.unpack_from(inner + "I", wkb, place)
            place += 4 + 8 * values * points
