"""Vector files as GDAL opens them with the right driver: unpacked, or converted where no driver is safe."""

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rasterio.crs import CRS

from scinet.errors import TruthError
from scinet.vector.annotations import AnnotatedImage, annotations_to_geojson
from scinet.vector.child import converted
from scinet.vector.formats import GIVE, HEAD_BYTES, PIXEL_FORMATS, Format, check_size, format_of
from scinet.vector.kml import kml_to_geojson

MAX_UNPACKED_BYTES = 2_000_000_000

_IN_PLACE = {"geojson": None, "geojson lines": None, "topojson": None, "esri json": None}
_SUFFIXES = {"geopackage": ".gpkg", "flatgeobuf": ".fgb", "csv": ".csv"}
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_ZIPPED = (
    *(".shp", ".geojson", ".json", ".geojsonl", ".geojsons", ".ndjson", ".topojson", ".gpkg", ".fgb", ".parquet"),
    *(".geoparquet", ".kml", ".gml", ".xml", ".csv", ".tsv"),
)
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Local:
    """A vector file as GDAL opens it.

    Attributes:
        path: Its path, under a suffix that GDAL goes by.
        kind: The format in it.
        crs: The CRS of its coordinates where the file itself cannot say; None where it can.
        is_placed: Whether its coordinates are those of the image, in `crs`.
        notes: What was chosen, in sentences for the reader.
    """

    path: Path
    kind: Format
    crs: CRS | None = None
    is_placed: bool = False
    notes: tuple[str, ...] = field(default=())


@contextmanager
def local_file(
    source: str | Path | bytes, kind: Format, name: str, layer: str | None, image: AnnotatedImage | None
) -> Iterator[Local]:
    """A vector file as GDAL opens it: the file itself, or a copy that lasts as long as the block.

    Args:
        source: Path or bytes.
        kind: Its format.
        name: What to call it in a message.
        layer: The file of an archive, by its name without the suffix; None where there is one.
        image: The image whose pixels annotations count; None where there is none.

    Raises:
        TruthError: It is a part of a Shapefile without the others, an archive without a single vector file, or cannot
            be converted.
    """
    if not isinstance(source, bytes) and (kind in _IN_PLACE or Path(source).suffix.lower() == _SUFFIXES.get(kind)):
        path = Path(source).resolve()
        if kind != "csv":  # GDAL looks for files next to it
            yield Local(path, kind)
            return
    with tempfile.TemporaryDirectory() as folder:
        yield _unpacked(source, kind, name, Path(folder), layer, image)


def _unpacked(
    source: str | Path | bytes, kind: Format, name: str, folder: Path, layer: str | None, image: AnnotatedImage | None
) -> Local:
    if kind in ("zip", "gzip"):
        path, inner = _unzip(source, folder, name, layer) if kind == "zip" else _gunzip(source, folder, name)
        if inner == "shapefile" or inner in _IN_PLACE or path.suffix == _SUFFIXES.get(inner):
            return Local(path, inner)
        (folder / "inner").mkdir()
        return _unpacked(path, inner, name, folder / "inner", None, image)
    if kind == "shapefile":
        return Local(_shapefile(source, folder, name), kind)
    if kind == "geoparquet":
        crs = converted(kind, _path_of(source, folder), folder / "footprints.fgb", name)
        return Local(folder / "footprints.fgb", "flatgeobuf", crs)
    if kind == "gml":
        stored = _path_of(source, folder)
        check_size(stored, name)
        crs = converted(kind, stored, folder / "footprints.geojson", name)
        return Local(folder / "footprints.geojson", "geojson", crs)
    if kind == "csv" and not isinstance(source, bytes):
        (folder / "footprints.csv").symlink_to(Path(source).resolve())
        return Local(folder / "footprints.csv", kind)
    content = _content(source, name)
    path = folder / f"footprints{_SUFFIXES.get(kind, '.geojson')}"
    if kind == "kml":
        path.write_text(kml_to_geojson(content, name), encoding="utf-8")
        return Local(path, "geojson")
    if kind in PIXEL_FORMATS:
        text, notes = annotations_to_geojson(content, kind, name, image)
        path.write_text(text, encoding="utf-8")
        return Local(path, "geojson", image.grid.crs if image else None, True, notes)
    path.write_bytes(content)
    return Local(path, kind)


def _path_of(source: str | Path | bytes, folder: Path) -> Path:
    if not isinstance(source, bytes):
        return Path(source)
    (folder / "source").write_bytes(source)
    return folder / "source"


def _content(source: str | Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    check_size(Path(source), name)
    return Path(source).read_bytes()


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


def _unzip(source: str | Path | bytes, folder: Path, name: str, layer: str | None) -> tuple[Path, Format]:
    """One vector file of an archive, under a name of ours: those within the archive are not trusted."""
    try:
        with zipfile.ZipFile(_path_of(source, folder)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            chosen = _chosen_member(members, name, layer)
            stem = chosen.filename.rpartition(".")[0]
            parts = [member for member in members if member.filename.rpartition(".")[0] == stem]
            if sum(member.file_size for member in parts) > MAX_UNPACKED_BYTES:
                raise TruthError(f"{name} holds more than {MAX_UNPACKED_BYTES / 1e9:g} GB. Cut it first.")
            for member in parts:
                suffix = Path(member.filename).suffix.lower()
                if suffix in _SHAPEFILE_PARTS or member is chosen:
                    with archive.open(member) as packed, (folder / f"footprints{suffix}").open("wb") as file:
                        shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError):
        raise TruthError(f"{name} is a damaged or encrypted archive. {GIVE}") from None
    path = folder / f"footprints{Path(chosen.filename).suffix.lower()}"
    kind = _kind_of(path, name)
    if kind == "shapefile" and not (folder / "footprints.shx").exists():
        raise TruthError(f"{name} lacks the Shapefile's index. Add the .shx to the archive.")
    return path, kind


def _chosen_member(members: list[zipfile.ZipInfo], name: str, layer: str | None) -> zipfile.ZipInfo:
    found = {
        Path(member.filename).stem: member
        for member in members
        if Path(member.filename).suffix.lower() in _ZIPPED and not member.filename.startswith("__MACOSX")
    }
    if layer is not None and layer in found:
        return found[layer]
    if len(found) != 1:
        choose = f" ({', '.join(sorted(found)[:8])}). Choose one with --layer NAME." if found else f". {GIVE}"
        raise TruthError(f"{name} holds {len(found)} vector files{choose}")
    return next(iter(found.values()))


def _gunzip(source: str | Path | bytes, folder: Path, name: str) -> tuple[Path, Format]:
    path = folder / "unpacked"
    unpacking = zlib.decompressobj(wbits=31)
    size = 0
    try:
        with _path_of(source, folder).open("rb") as packed, path.open("wb") as file:
            while piece := packed.read(_PIECE_BYTES):
                while piece and not unpacking.eof:
                    content = unpacking.decompress(piece, _PIECE_BYTES)
                    size += len(content)
                    if size > MAX_UNPACKED_BYTES:
                        raise TruthError(f"{name} holds more than {MAX_UNPACKED_BYTES / 1e9:g} GB. Cut it first.")
                    file.write(content)
                    piece = unpacking.unconsumed_tail
                    if unpacking.eof and unpacking.unused_data:  # files joined together
                        piece, unpacking = unpacking.unused_data, zlib.decompressobj(wbits=31)
    except (zlib.error, OSError):
        raise TruthError(f"{name} is a damaged archive. {GIVE}") from None
    kind = _kind_of(path, name)
    return path.rename(folder / f"footprints{_SUFFIXES.get(kind, '.geojson')}"), kind


def _kind_of(path: Path, name: str) -> Format:
    """The format of a file from an archive, which is not another archive."""
    with path.open("rb") as file:
        kind = format_of(file.read(HEAD_BYTES))
    if kind is None or kind in ("zip", "gzip"):
        raise TruthError(f"{name} holds no vector file that can be read. {GIVE}")
    return kind
