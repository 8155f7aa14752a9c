"""Opens vector files from untrusted sources: the only place that does, each format by its own driver."""

import json
import mmap
import re
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
from shapely.errors import GEOSException

from scinet.errors import TruthError
from scinet.local_file import open_regular
from scinet.raster.crs_text import crs_from_text
from scinet.raster.resolution import has_place_on_earth
from scinet.vector.footprints import LONLAT
from scinet.vector.formats import GIVE, HEAD_BYTES, MAX_BYTES, Format, check_geopackage, format_of, local_file
from scinet.vector.views import refuse_views

_BATCH_FEATURES = 20_000
_SAMPLE_FEATURES = 100
_ABSENT = object()

# GDAL's driver for GeoJSON would request a CRS that is given as a link: all vector files are local
pyogrio.set_gdal_config_options(
    {"GDAL_HTTP_PROXY": "127.0.0.1:9", "GDAL_HTTP_CONNECTTIMEOUT": "1", "GDAL_HTTP_TIMEOUT": "1"}
)

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
    """Whether a file's content (its first `HEAD_BYTES` suffice) is that of a vector file."""
    return format_of(content) is not None


def is_polygonal(geometry: Any) -> bool:
    """Whether a geometry may hold polygons."""
    return geometry is not None and geometry.geom_type in ("Polygon", "MultiPolygon", "GeometryCollection")


@contextmanager
def open_layer(source: str | Path | bytes, name: str) -> Iterator[VectorLayer]:
    """Open a vector file, whose format its content tells; in the block, what GDAL cannot read is a TruthError.

    Args:
        source: Path or bytes.
        name: What to call it in a message.

    Raises:
        TruthError: It cannot be opened or read, has another format or an unknown CRS, or several layers of polygons.
    """
    head = _head(source, name)
    kind = format_of(head)
    if kind is None:
        raise TruthError(f"{name} is not a vector file that can be read. {GIVE}" if head else _empty(name))
    with local_file(source, kind, name) as (path, found), _quiet():
        try:
            yield _layer(path, found, name)
        except CRSError:
            raise TruthError(f"{name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None
        except GeometryError:
            raise TruthError(
                f"{name} holds solids or other geometries that are not polygons. "
                "Convert them: ogr2ogr -nlt MULTIPOLYGON OUT.gpkg IN."
            ) from None
        except (DataSourceError, DataLayerError, FeatureError, GEOSException):
            raise TruthError(_why_not(found, name)) from None


def _layer(path: Path, kind: Format, name: str) -> VectorLayer:
    # The drivers for JSON are given, as others would read addresses from it.
    if kind == "geojson":
        return _geojson_layer(path)
    if kind == "geojson lines":
        return VectorLayer(f"GeoJSONSeq:{path}", None, LONLAT, True)
    if kind == "geopackage":
        check_geopackage(_head(path, name), name)
        refuse_views(path, name)
        return _geopackage_layer(path, name)
    if not len(pyogrio.list_layers(path)):
        raise DataSourceError
    return VectorLayer(str(path), None, _crs(pyogrio.read_info(path)["crs"]), False)


def _why_not(kind: Format, name: str) -> str:
    if kind == "geojson":
        return f"{name} is damaged, or is JSON but not GeoJSON. {GIVE}"
    return f"{name} is damaged: its polygons cannot be read. {GIVE}"


def _empty(name: str) -> str:
    return f"{name} is empty (0 bytes). {GIVE}"


def _crs(named: str | None) -> CRS | None:
    """None for what is not on the earth, such as the undefined ones of GeoPackages."""
    crs = crs_from_text(named) if named else None
    return crs if has_place_on_earth(crs) else None


def _head(source: str | Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    try:
        with open_regular(source) as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise TruthError(f"{name} cannot be opened: {reason}.") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings about single geometries that are damaged: those are dropped."""
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _geojson_layer(path: Path) -> VectorLayer:
    # GDAL does not tell an unknown CRS or null from none.
    return VectorLayer(f"GeoJSON:{path}", None, _geojson_crs(_crs_member(path)), True)


def _geopackage_layer(path: Path, name: str) -> VectorLayer:
    layers = [layer for layer, kind in pyogrio.list_layers(path) if kind is not None]  # others are plain tables
    found = [layer for layer in layers if _has_polygons(path, layer)]
    if not found:
        raise TruthError(f"{name} holds no polygons. {GIVE}")
    if len(found) > 1:
        raise TruthError(f"{name} holds several layers of polygons ({', '.join(found)}). Keep the buildings' only.")
    return VectorLayer(str(path), found[0], _crs(pyogrio.read_info(path, layer=found[0])["crs"]), False)


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
            if len(content) > MAX_BYTES and not 0 <= features <= MAX_BYTES:
                return _ABSENT  # more than can be searched
            if features < 0:  # a single feature or geometry
                document = json.loads(content[:])
                return document.get("crs", _ABSENT) if isinstance(document, dict) else _ABSENT
            for part in (content[:features], content[max(content.rfind(b"]"), len(content) - MAX_BYTES) :]):
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
    return crs_from_text(text)


def _from_wkb(wkb: NDArray[Any]) -> Geometries:
    return np.asarray(shapely.force_2d(shapely.from_wkb(wkb, on_invalid="fix")), dtype=object)
