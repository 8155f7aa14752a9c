"""Opens GeoJSON and GeoPackage files from untrusted sources: the only place that does, each by its own driver."""

import json
import mmap
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from rasterio.crs import CRS
from rasterio.errors import CRSError

from scinet.errors import TruthError
from scinet.vector.footprints import LONLAT

GIVE = "Give a GeoJSON or GeoPackage of building polygons."

_SQLITE = b"SQLite format 3\0"
_GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11")  # SQLite's application id, at byte 68
_HEAD_BYTES = 1024
_BATCH_FEATURES = 20_000
_SAMPLE_FEATURES = 100
_ABSENT = object()

Geometries = NDArray[np.object_]
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class VectorLayer:
    """The layer of an open file that holds its polygons.

    Attributes:
        path: What GDAL calls the file; its driver is given where the format has several.
        layer: The layer's name; None where the file has a single one.
        crs: The one that the file names; None for coordinates in a local plane.
        is_geojson: Whether it is GeoJSON; then its coordinates may be longitudes and latitudes whatever `crs` says.
    """

    path: str
    layer: str | None
    crs: CRS | None
    is_geojson: bool

    def read(self, bounds: Bounds | None = None) -> Geometries:
        """One geometry (n,) per feature, flat, None where it has none; only those that may touch `bounds`."""
        _, fids, wkb, _ = pyogrio.raw.read(self.path, layer=self.layer, columns=[], bbox=bounds, return_fids=True)
        return _from_wkb(wkb)[np.argsort(fids, kind="stable")]  # an index does not keep the file's order

    def batches(self) -> Iterator[Geometries]:
        """What `read` gives, some thousands at a time."""
        with pyogrio.open_arrow(
            self.path, layer=self.layer, columns=[], batch_size=_BATCH_FEATURES, use_pyarrow=True
        ) as (meta, reader):
            for batch in reader:
                column = batch.column(meta["geometry_name"] or "wkb_geometry")
                yield _from_wkb(column.to_numpy(zero_copy_only=False))

    def total_bounds(self) -> Bounds | None:
        """West, south, east and north of all features in the file's coordinates; None where there are none."""
        bounds = pyogrio.read_info(self.path, layer=self.layer, force_total_bounds=True)["total_bounds"]
        return None if bounds is None else tuple(bounds)


def is_vector(content: bytes) -> bool:
    """Whether a file's content (its beginning suffices) can only be a vector file: JSON or SQLite."""
    text = content[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")  # the byte order mark and blanks
    return content.startswith(_SQLITE) or text.startswith((b"{", b"["))


def is_polygonal(geometry: Any) -> bool:
    """Whether a geometry may hold polygons."""
    return geometry is not None and geometry.geom_type in ("Polygon", "MultiPolygon", "GeometryCollection")


@contextmanager
def open_layer(source: str | Path | bytes, name: str) -> Iterator[VectorLayer]:
    """Open a GeoJSON or GeoPackage file, told by its content; in the block, what GDAL cannot read is a TruthError.

    Args:
        source: Path or bytes.
        name: What to call it in a message.

    Raises:
        TruthError: It cannot be opened or read, has another format or an unknown CRS, or several layers of polygons.
    """
    package = _is_geopackage(_head(source, name), name)
    with _local_file(source, "footprints.gpkg" if package else "footprints.geojson") as path, _quiet():
        try:
            yield _geopackage_layer(path, name) if package else _geojson_layer(path)
        except CRSError:
            raise TruthError(f"{name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None
        except (DataSourceError, DataLayerError, FeatureError, GeometryError):
            what = "is damaged: its polygons cannot be read" if package else "is damaged, or is not GeoJSON"
            raise TruthError(f"{name} {what}. {GIVE}") from None


def _head(source: str | Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEAD_BYTES]
    try:
        with Path(source).open("rb") as file:
            return file.read(_HEAD_BYTES)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise TruthError(f"{name} cannot be opened: {reason}.") from None


def _is_geopackage(head: bytes, name: str) -> bool:
    """Whether it is a GeoPackage, else GeoJSON. Raises TruthError for anything else."""
    if not head:
        raise TruthError(f"{name} is empty (0 bytes). {GIVE}")
    if not is_vector(head):
        raise TruthError(f"{name} is neither GeoJSON nor GeoPackage. {GIVE}")
    if head.startswith(_SQLITE) and head[68:72] not in _GEOPACKAGE_IDS:
        raise TruthError(f"{name} is a SQLite database but not a GeoPackage. {GIVE}")
    return head.startswith(_SQLITE)


@contextmanager
def _local_file(source: str | Path | bytes, file_name: str) -> Iterator[Path]:
    """A path under the suffix of the format, which GDAL goes by: the file itself, or a copy of it."""
    if not isinstance(source, bytes):
        path = Path(source).resolve()
        if path.suffix.lower() == Path(file_name).suffix or file_name.endswith(".geojson"):
            yield path
            return
        source = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file_name
        path.write_bytes(source)
        yield path


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings about single geometries that are damaged: those are dropped."""
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _geojson_layer(path: Path) -> VectorLayer:
    # The driver is given, as other drivers for JSON would read addresses from it. Of the CRS, GDAL does not tell
    # an unknown one or null from none.
    return VectorLayer(f"GeoJSON:{path}", None, _geojson_crs(_crs_member(path)), True)


def _geopackage_layer(path: Path, name: str) -> VectorLayer:
    layers = [layer for layer, kind in pyogrio.list_layers(path) if kind is not None]  # others are plain tables
    found = [layer for layer in layers if _has_polygons(path, layer)]
    if not found:
        raise TruthError(f"{name} holds no polygons. {GIVE}")
    if len(found) > 1:
        raise TruthError(f"{name} holds several layers of polygons ({', '.join(found)}). Keep the buildings' only.")
    named = pyogrio.read_info(path, layer=found[0])["crs"]
    return VectorLayer(str(path), found[0], CRS.from_user_input(named) if named else None, False)


def _has_polygons(path: Path, layer: str) -> bool:
    for count in (_SAMPLE_FEATURES, None):
        _, _, wkb, _ = pyogrio.raw.read(path, layer=layer, columns=[], max_features=count)
        if any(map(is_polygonal, _from_wkb(wkb))):
            return True
    return False


def _crs_member(path: Path) -> Any:
    """The member "crs" of a GeoJSON document, which stands before or after its features; `_ABSENT` without one."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            features = content.find(b'"features"')
            if features < 0:  # a single feature or geometry
                document = json.loads(content[:])
                return document.get("crs", _ABSENT) if isinstance(document, dict) else _ABSENT
            for part in (content[:features], content[content.rfind(b"]") :]):
                if member := re.search(rb'"crs"\s*:\s*', part):
                    return json.JSONDecoder().raw_decode(part[member.end() :].decode())[0]
        except (ValueError, RecursionError):
            pass  # damaged, as GDAL will find
        return _ABSENT


def _geojson_crs(member: Any) -> CRS | None:
    if member is _ABSENT:
        return LONLAT  # RFC 7946
    if member is None:
        return None  # the specification of 2008: no CRS can be assumed
    try:
        properties = member["properties"]
        text = str(properties["name"] if "name" in properties else f"EPSG:{properties['code']}")
    except (KeyError, TypeError):
        raise CRSError from None
    return LONLAT if text.upper().endswith("CRS84") else CRS.from_user_input(text)


def _from_wkb(wkb: NDArray[Any]) -> Geometries:
    return np.asarray(shapely.force_2d(shapely.from_wkb(wkb, on_invalid="fix")), dtype=object)
