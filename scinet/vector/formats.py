"""Which format a vector file has, told by its content."""

import json
import re
from pathlib import Path
from typing import Literal

from scinet.errors import TruthError

Format = Literal[
    "geojson",
    "geojson lines",
    "topojson",
    "esri json",
    "coco",
    "labelme",
    "geopackage",
    "flatgeobuf",
    "geoparquet",
    "kml",
    "gml",
    "voc",
    "yolo",
    "csv",
    "shapefile",
    "zip",
    "gzip",
]

GIVE = "Give building polygons as GeoJSON, GeoPackage, a zipped Shapefile or another format listed in docs/files.md."
HEAD_BYTES = 65_536
MAX_BYTES = 1_000_000_000  # of a file that is read as a whole
PIXEL_FORMATS = ("coco", "labelme", "voc", "yolo")  # their coordinates are pixels of the image

_SQLITE = b"SQLite format 3\0"
_GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11")  # SQLite's application id, at byte 68
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (_SQLITE, "geopackage"),
    (b"fgb", "flatgeobuf"),
    (b"PAR1", "geoparquet"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"\x00\x00\x27\x0a", "shapefile"),
    (b"\x1e", "geojson lines"),
)
_PROLOG = rb"(<\?[^>]*>\s*|<!--.*?-->\s*)*"
_XML: tuple[tuple[bytes, Format], ...] = (
    (rb"<(\w+:)?kml\b", "kml"),
    (rb"<annotation>", "voc"),
    (rb"<[^>]*\bhttp://www\.opengis\.net/(gml|citygml)", "gml"),
)
_JSON: tuple[tuple[bytes, Format], ...] = (
    (rb'"type"\s*:\s*"Topology"', "topojson"),
    (rb'"(features|coordinates|geometries)"\s*:\s*\[\s*[\[{]\s*"(type|id|geometry|properties)"', "geojson"),
    (rb'"(geometryType|rings)"\s*:\s*("esri|\[)', "esri json"),
    (rb'"shapes"\s*:\s*\[.*"points"\s*:|"shapes"\s*:\s*\[\s*\]', "labelme"),
    (rb'"(images|annotations|categories|licenses|info)"\s*:', "coco"),
)
_YOLO_LINE = re.compile(rb"\s*\d+(\s+[+-]?\d*\.?\d+(e[+-]?\d+)?){4,}\s*", re.IGNORECASE)


def format_of(head: bytes) -> Format | None:
    """The format of a vector file by its first `HEAD_BYTES`; None for anything else."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")  # the byte order mark and blanks
    if text.startswith(b"{"):
        return "geojson lines" if _is_lines(text) else _kind_of_json(text)
    if text.startswith(b"["):
        return "geojson"
    if text.startswith(b"<"):
        return next((kind for start, kind in _XML if re.match(_PROLOG + start, text, re.DOTALL)), None)
    return _kind_of_table(text)


def check_geopackage(head: bytes, name: str) -> None:
    """Raise TruthError for a SQLite database of another kind."""
    if head[68:72] not in _GEOPACKAGE_IDS:
        raise TruthError(f"{name} is a SQLite database but not a GeoPackage. {GIVE}")


def check_size(path: Path, name: str) -> None:
    """Raise TruthError for a file that is too large to be read as a whole."""
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise TruthError(
            f"{name} has more than {MAX_BYTES / 1e9:g} GB, too much to read as a whole. "
            "Cut it to the image first: ogr2ogr -spat XMIN YMIN XMAX YMAX OUT.gpkg IN."
        )


def _kind_of_json(text: bytes) -> Format:
    return next((kind for mark, kind in _JSON if re.search(mark, text, re.DOTALL)), "geojson")


def _kind_of_table(text: bytes) -> Format | None:
    """Text in lines: numbers alone, or columns."""
    line, _, _ = text.partition(b"\n")
    if not line.strip() or re.search(rb"[\x00-\x08\x0e-\x1f]", text):
        return None
    if _YOLO_LINE.fullmatch(line):
        return "yolo"
    try:
        text[: HEAD_BYTES - 4].decode("utf-8", errors="strict" if len(text) < HEAD_BYTES - 4 else "ignore")
    except UnicodeDecodeError:
        return None
    return "csv" if re.search(rb"[,;\t|]", line) else None


def _is_lines(text: bytes) -> bool:
    """Whether the first line is a whole feature and another follows."""
    line, _, rest = text.partition(b"\n")
    if not rest.lstrip(b"\x1e \t\r\n").startswith(b"{"):
        return False
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "type" in first
