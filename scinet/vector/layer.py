"""Opens vector files from untrusted sources: the only place that does, each format by its own driver."""

import re
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from scinet.vector.annotations import AnnotatedImage
from scinet.vector.child import copied
from scinet.vector.choice import VectorChoice
from scinet.vector.dates import ATTRIBUTES, date_note
from scinet.vector.features import likely_buildings, unusable_condition
from scinet.vector.footprints import LONLAT
from scinet.vector.formats import GIVE, HEAD_BYTES, Format, check_geopackage, format_of
from scinet.vector.geojson_crs import crs_of_geojson
from scinet.vector.solids import copy_with_any_geometry, flat_wkb
from scinet.vector.sound import is_sound
from scinet.vector.unpack import Local, local_file
from scinet.vector.views import refuse_views

_BATCH_FEATURES = 20_000
_SAMPLE_FEATURES = 100
# The drivers for JSON are given, as others would read addresses from it
_TEXTS: dict[Format, str] = {"geojson lines": "GeoJSONSeq", "topojson": "TopoJSON", "csv": "CSV"}
_CSV_OPTIONS = {
    "GEOM_POSSIBLE_NAMES": "geometry,geom,the_geom,wkt,wkt_geom,WKT,Geometry",
    "AUTODETECT_TYPE": "YES",
    "KEEP_GEOM_COLUMNS": "NO",
}

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
        is_text: Whether it is GeoJSON or a table; then its coordinates may be longitudes and latitudes whatever `crs`
            says, and it has no index.
        is_placed: Whether its coordinates are those of the image, whose pixels it counts.
        where: The condition that its features fulfil.
        attributes: Those that the condition compares.
        options: For GDAL's driver.
        notes: What was chosen, in sentences for the reader.
    """

    path: str
    layer: str | None
    crs: CRS | None
    is_text: bool
    is_placed: bool = False
    where: str | None = None
    attributes: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def read(self, bounds: Bounds | None = None) -> Geometries:
        """One geometry (n,) per feature, flat, None where it has none; only those that may touch `bounds`."""
        _, fids, wkb, _ = pyogrio.raw.read(self.path, bbox=bounds, return_fids=True, **self._how)
        return _from_wkb(wkb)[np.argsort(fids, kind="stable")]  # an index does not keep the file's order

    def batches(self) -> Iterator[Geometries]:
        """What `read` gives, some thousands at a time."""
        with pyogrio.open_arrow(self.path, batch_size=_BATCH_FEATURES, use_pyarrow=True, **self._how) as (meta, reader):
            for batch in reader:
                column = batch.column(meta["geometry_name"] or "wkb_geometry")
                yield _from_wkb(column.to_numpy(zero_copy_only=False))

    def total_bounds(self) -> Bounds | None:
        """West, south, east and north of all features in the file's coordinates; None where there are none."""
        bounds = self.info(force_total_bounds=True)["total_bounds"]
        return None if bounds is None or not np.isfinite(bounds).all() else tuple(bounds)

    def info(self, **how: bool) -> dict[str, Any]:
        """What GDAL knows about the layer."""
        found: dict[str, Any] = pyogrio.read_info(self.path, layer=self.layer, **how, **self.options)
        return found

    @property
    def _how(self) -> dict[str, Any]:
        return {"layer": self.layer, "columns": list(self.attributes), "where": self.where, **self.options}


def is_vector(content: bytes) -> bool:
    """Whether a file's content (its first `HEAD_BYTES` suffice) is that of a vector file."""
    return format_of(content) is not None


def is_polygonal(geometry: Any) -> bool:
    """Whether a geometry may hold polygons."""
    return geometry is not None and geometry.geom_type in ("Polygon", "MultiPolygon", "GeometryCollection")


@contextmanager
def open_layer(
    source: str | Path | bytes,
    name: str,
    choice: VectorChoice | None = None,
    image: AnnotatedImage | None = None,
) -> Iterator[VectorLayer]:
    """Open a vector file, whose format its content tells; in the block, what GDAL cannot read is a TruthError.

    Args:
        source: Path or bytes.
        name: What to call it in a message.
        choice: Its layer and features; by default the likeliest.
        image: The image whose pixels annotations count.

    Raises:
        TruthError: It cannot be opened or read, has another format or an unknown CRS, or several layers of polygons.
    """
    choice = choice or VectorChoice()
    head = _head(source, name)
    kind = format_of(head)
    if kind is None:
        raise TruthError(f"{name} is not a vector file that can be read. {GIVE}" if head else _empty(name))
    with local_file(source, kind, name, choice.layer, image) as local, _quiet():
        try:
            with _readable(local, name) as path:
                yield _dated(_layer(replace(local, path=path), name, choice, kind), head, name, image)
        except CRSError:
            raise TruthError(f"{name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None
        except (DataSourceError, DataLayerError, FeatureError, GeometryError, GEOSException):
            raise TruthError(_why_not(local.kind, name)) from None


@contextmanager
def _readable(local: Local, name: str) -> Iterator[Path]:
    """The file, or a copy: of one that refers to its parts many times, or whose layers pyogrio refuses."""
    if local.kind == "geopackage":
        check_geopackage(_head(local.path, name), name)
        refuse_views(local.path, name)
    if not is_sound(local.path, local.kind):
        with tempfile.TemporaryDirectory() as folder:
            yield copied(local.path, Path(folder), name)
            return
    if local.kind == "geopackage":
        try:
            pyogrio.list_layers(local.path)
        except GeometryError:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / "footprints.gpkg"
                try:
                    copy_with_any_geometry(local.path, copy)
                except sqlite3.Error:
                    raise DataSourceError from None
                yield copy
                return
    yield local.path


def _layer(local: Local, name: str, choice: VectorChoice, given: Format) -> VectorLayer:
    path, kind = local.path, local.kind
    if kind == "geojson":
        crs = local.crs if given != "geojson" and (local.is_placed or local.crs) else crs_of_geojson(path)
        layer = VectorLayer(f"GeoJSON:{path}", None, crs, not local.is_placed, local.is_placed, notes=local.notes)
    elif kind in _TEXTS:
        layer = VectorLayer(f"{_TEXTS[kind]}:{path}", None, LONLAT, True, options=_CSV_OPTIONS if kind == "csv" else {})
        if kind == "csv" and layer.info()["geometry_type"] is None:
            raise TruthError(f"{name} is a table without a column of polygons as WKT. {GIVE}")
    elif kind == "geopackage":
        layer = _geopackage_layer(path, name, choice.layer)
    else:
        layer = VectorLayer(f"ESRIJSON:{path}" if kind == "esri json" else str(path), None, None, False)
        if not len(pyogrio.list_layers(layer.path)):
            raise DataSourceError
        layer = replace(layer, crs=local.crs if given == "geoparquet" else _crs(layer.info()["crs"]))
    if choice.layer is not None and kind != "geopackage" and given != "zip":
        raise TruthError(f"{name} has no layers to choose from. Leave out --layer.")
    if choice.where == "none" or (choice.where is None and layer.is_text and b"building" not in _head(path, name)):
        return layer  # without another look at a file that has no index
    return _filtered(layer, name, choice)


def _dated(layer: VectorLayer, head: bytes, name: str, image: AnnotatedImage | None) -> VectorLayer:
    """The layer with a note on the dates of its features, if they have any."""
    if image is None or (layer.is_text and not any(each.encode() in head for each in ATTRIBUTES)):
        return layer  # without another look at a file that has no index
    fields = {str(each).lower(): str(each) for each in layer.info()["fields"]}
    attribute = next((fields[each] for each in ATTRIBUTES if each in fields), None)
    note = None if attribute is None else date_note(layer.path, attribute, layer._how, name, image.taken)
    return layer if note is None else replace(layer, notes=(*layer.notes, note))


def _filtered(layer: VectorLayer, name: str, choice: VectorChoice) -> VectorLayer:
    """The layer with the features that count as buildings."""
    fields = dict(zip(*(layer.info()[key] for key in ("fields", "dtypes")), strict=True))
    if choice.where is not None:
        known = {each.lower(): each for each in fields}
        unknown = [each for each in choice.attributes if each.lower() not in known]
        if unknown:
            raise unusable_condition(choice.where, name, list(fields))
        attributes = tuple(known[each.lower()] for each in choice.attributes)
        chosen = replace(layer, where=choice.where, attributes=attributes)
        try:
            pyogrio.raw.read(chosen.path, max_features=1, **chosen._how)
        except (ValueError, FeatureError):
            raise unusable_condition(choice.where, name, list(fields)) from None
        return chosen
    condition, attribute = likely_buildings(fields)
    if condition is None or attribute is None:
        return layer
    others = replace(layer, where=f"NOT ({condition})", attributes=(attribute,))
    if not len(pyogrio.raw.read(others.path, max_features=1, **others._how)[2]):
        return layer
    note = (
        f"Of {name}, only features with a value of {attribute} count as buildings. "
        "Choose others with --where, or all with --where none."
    )
    return replace(layer, where=condition, attributes=(attribute,), notes=(*layer.notes, note))


def _why_not(kind: Format, name: str) -> str:
    if kind == "geojson":
        return f"{name} is damaged, or is JSON but not GeoJSON. {GIVE}"
    return f"{name} is damaged: its polygons cannot be read. {GIVE}"


def _empty(name: str) -> str:
    return f"{name} is empty (0 bytes). {GIVE}"


_UNDEFINED = re.compile(r'\w+\["Undefined', re.IGNORECASE)


def _crs(named: str | None) -> CRS | None:
    """None for what is not on the earth, such as the undefined ones of GeoPackages."""
    crs = crs_from_text(named) if named and not _UNDEFINED.match(named) else None
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


def _geopackage_layer(path: Path, name: str, chosen: str | None) -> VectorLayer:
    layers = [str(layer) for layer, kind in pyogrio.list_layers(path) if kind is not None]  # others are plain tables
    if chosen is not None:
        if chosen not in layers:
            raise TruthError(f"{name} has no layer {chosen[:80]}, only {', '.join(layers[:8])}. Correct --layer.")
        found = [chosen]
    else:
        found = [layer for layer in layers if _has_polygons(path, layer)]
    if not found:
        raise TruthError(no_polygons(name, _kinds(path, layers)))
    if len(found) > 1:
        raise TruthError(
            f"{name} holds several layers of polygons ({', '.join(found[:8])}). Choose one with --layer NAME."
        )
    return VectorLayer(str(path), found[0], _crs(pyogrio.read_info(path, layer=found[0])["crs"]), False)


def no_polygons(name: str, geometries: Geometries) -> str:
    """What to say of a file without polygons, by the geometries that it has."""
    kinds = {"Point": "points", "LineString": "lines"}
    found = {kinds.get(str(each.geom_type).removeprefix("Multi"), "") for each in geometries if each is not None}
    named = [kind for kind in ("points", "lines") if kind in found]
    if named:
        return f"{name} holds {' and '.join(named)}, not the outlines of buildings. {GIVE}"
    return f"{name} holds no polygons. {GIVE}"


def _kinds(path: Path, layers: list[str]) -> Geometries:
    """A sample of the geometries of all layers."""
    read = [pyogrio.raw.read(path, layer=layer, columns=[], max_features=_SAMPLE_FEATURES)[2] for layer in layers[:8]]
    return _from_wkb(np.concatenate(read)) if read else np.array([], object)


def _has_polygons(path: Path, layer: str) -> bool:
    for count in (_SAMPLE_FEATURES, None):
        _, _, wkb, _ = pyogrio.raw.read(path, layer=layer, columns=[], max_features=count)
        if any(map(is_polygonal, _from_wkb(wkb))):
            return True
    return False


def _from_wkb(wkb: NDArray[Any]) -> Geometries:
    flat = np.array([flat_wkb(each) for each in wkb], dtype=object)
    found = np.asarray(shapely.force_2d(shapely.from_wkb(flat, on_invalid="fix")), dtype=object)
    for index in [i for i, (before, after) in enumerate(zip(wkb, flat, strict=True)) if before is not after]:
        faces = shapely.get_parts(found[index])  # walls have no area
        found[index] = shapely.union_all(faces[shapely.is_valid(faces) & (shapely.area(faces) > 0)])
    return found
