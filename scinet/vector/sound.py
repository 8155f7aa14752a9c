"""Whether reading a vector file costs no more than its size: each part of it is referred to once."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from scinet.vector.formats import Format

_LARGE_BYTES = 20_000_000
_RTREE = re.compile(r"create virtual table .* using rtree\s*\(", re.IGNORECASE | re.DOTALL)
_COMPUTED = re.compile(r"\bgenerated\s+always\b|\bas\s*\(", re.IGNORECASE)


def is_sound(path: Path, kind: Format) -> bool:
    """Whether a file can be read within this process.

    Args:
        path: The file.
        kind: Its format.

    A small GeoPackage can hold one page as a part of many tables, a Shapefile can name one record many times, and so
    can the index of a FlatGeobuf. The cost of a large file is its size in any case, and copying it would double that.
    """
    if kind not in ("geopackage", "flatgeobuf", "shapefile") or path.stat().st_size > _LARGE_BYTES:
        return True
    if kind == "geopackage":
        return _is_sound_database(path)
    return kind == "shapefile" and _is_sound_shapefile(path)


def _is_sound_database(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            for kind, text in database.execute("SELECT type, sql FROM sqlite_master"):
                text = str(text or "")
                if kind == "table" and "virtual table" in text.lower() and not _RTREE.match(text):
                    return False
                if kind in ("table", "index") and _COMPUTED.search(text):
                    return False
            return bool(database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except (sqlite3.Error, UnicodeError):
        return False


def _is_sound_shapefile(path: Path) -> bool:
    """Whether the records that its index names are no longer than the file."""
    try:
        index = np.fromfile(path.with_suffix(".shx"), ">i4", offset=100)
    except OSError:
        return False
    lengths = index[1::2].astype(np.int64)
    return bool((lengths >= 0).all() and 2 * lengths.sum() <= path.stat().st_size)
