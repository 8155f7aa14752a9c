"""Which vector format a file has, told by its content, and a local copy that GDAL opens with the right driver."""

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from scinet.errors import TruthError
from scinet.vector.kml import kml_to_geojson

Format = Literal["geojson", "geojson lines", "geopackage", "flatgeobuf", "kml", "shapefile", "zip"]

GIVE = "Give building polygons as GeoJSON, GeoPackage, FlatGeobuf, KML or a zipped Shapefile."
HEAD_BYTES = 65_536
MAX_BYTES = 1_000_000_000  # of a file that is read as a whole
MAX_UNZIPPED_BYTES = 2_000_000_000

_SQLITE = b"SQLite format 3\0"
_GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11")  # SQLite's application id, at byte 68
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_SUFFIXES = {"geopackage": ".gpkg", "flatgeobuf": ".fgb"}
_ZIPPED = (".shp", ".geojson", ".json", ".geojsonl", ".geojsons", ".gpkg", ".fgb", ".kml")


def format_of(head: bytes) -> Format | None:
    """The format of a vector file by its first `HEAD_BYTES`; None for anything else."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")  # the byte order mark and blanks
    if head.startswith(_SQLITE):
        return "geopackage"
    if head.startswith(b"fgb"):
        return "flatgeobuf"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(b"\x00\x00\x27\x0a"):
        return "shapefile"
    if head.startswith(b"\x1e") or (text.startswith(b"{") and _is_lines(text)):
        return "geojson lines"
    if text.startswith((b"{", b"[")):
        return "geojson"
    return "kml" if re.match(rb"(<\?[^>]*>\s*|<!--.*?-->\s*)*<(\w+:)?kml\b", text, re.DOTALL) else None


@contextmanager
def local_file(source: str | Path | bytes, kind: Format, name: str) -> Iterator[tuple[Path, Format]]:
    """A path under the suffix of the format, which GDAL goes by: the file itself, or a copy; and the format in it.

    Raises:
        TruthError: It is a part of a Shapefile without the others, or an archive without a single vector file.
    """
    if not isinstance(source, bytes) and kind in ("geojson", "geojson lines"):
        yield Path(source).resolve(), kind
        return
    if not isinstance(source, bytes) and Path(source).suffix.lower() == _SUFFIXES.get(kind):
        yield Path(source).resolve(), kind
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if kind == "zip":
            yield _unzip(source, place, name)
        elif kind == "shapefile":
            yield _shapefile(source, place, name), kind
        elif kind == "kml":
            path = place / "footprints.geojson"
            path.write_text(kml_to_geojson(_content(source, name), name))
            yield path, "geojson"
        else:
            path = place / f"footprints{_SUFFIXES.get(kind, '.geojson')}"
            path.write_bytes(_content(source, name))
            yield path, kind


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


def _content(source: str | Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    check_size(Path(source), name)
    return Path(source).read_bytes()


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


def _shapefile(source: str | Path | bytes, folder: Path, name: str) -> Path:
    """The parts of a Shapefile under one name, as links."""
    if isinstance(source, bytes):
        raise TruthError(f"{name} is one part of a Shapefile. Give all of its parts in a .zip.")
    path = Path(source).resolve()
    for part in path.parent.glob(f"{_escaped(path.stem)}.*"):
        if part.suffix.lower() in _SHAPEFILE_PARTS:
            (folder / f"footprints{part.suffix.lower()}").symlink_to(part)
    if not (folder / "footprints.shx").exists():
        raise TruthError(f"{name} lacks its index. Put the .shx next to it, or give all parts in a .zip.")
    return folder / "footprints.shp"


def _escaped(stem: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", stem)


def _unzip(source: str | Path | bytes, folder: Path, name: str) -> tuple[Path, Format]:
    """The one vector file of an archive, under a name of ours: those within the archive are not trusted."""
    archive_path = folder / "archive.zip"
    if isinstance(source, bytes):
        archive_path.write_bytes(source)
    else:
        archive_path = Path(source)
    try:
        with zipfile.ZipFile(archive_path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            found = [
                member
                for member in members
                if Path(member.filename).suffix.lower() in _ZIPPED and not member.filename.startswith("__MACOSX")
            ]
            if len(found) != 1:
                raise TruthError(f"{name} holds {len(found)} vector files. Give an archive of one.")
            stem = found[0].filename.rpartition(".")[0]
            parts = [member for member in members if member.filename.rpartition(".")[0] == stem]
            if sum(member.file_size for member in parts) > MAX_UNZIPPED_BYTES:
                raise TruthError(f"{name} holds more than {MAX_UNZIPPED_BYTES / 1e9:g} GB. Cut it first.")
            for member in parts:
                suffix = Path(member.filename).suffix.lower()
                if suffix in _SHAPEFILE_PARTS or member is found[0]:
                    with archive.open(member) as packed, (folder / f"footprints{suffix}").open("wb") as file:
                        shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
        raise TruthError(f"{name} is a damaged or encrypted archive. {GIVE}") from None
    path = folder / f"footprints{Path(found[0].filename).suffix.lower()}"
    with path.open("rb") as file:
        kind = format_of(file.read(HEAD_BYTES))
    if kind is None or kind == "zip":
        raise TruthError(f"{name} holds no vector file that can be read. {GIVE}")
    if kind == "shapefile" and not (folder / "footprints.shx").exists():
        raise TruthError(f"{name} lacks the Shapefile's index. Add the .shx to the archive.")
    if kind == "kml":
        path.with_suffix(".geojson").write_text(kml_to_geojson(path.read_bytes(), name))
        return path.with_suffix(".geojson"), "geojson"
    return path, kind
