"""Buildings as polygons: read from GeoJSON and GeoPackage, laid on a raster's grid, traced from one, written."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyproj
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.features import rasterize as burn
from rasterio.features import shapes
from shapely import MultiPolygon, Polygon
from shapely.geometry import shape as to_geometry

from scinet.errors import TruthError
from scinet.raster.raster import Raster
from scinet.vector.write import write_batches

LONLAT = CRS.from_epsg(4326)
SQLITE = b"SQLite format 3\0"
GEOPACKAGE_IDS = (b"GPKG", b"GP10", b"GP11")  # SQLite's application id, at byte 68
GIVE = "Give a GeoJSON or GeoPackage of building polygons."


@dataclass(frozen=True)
class Footprints:
    """Building polygons: valid, not empty, no two the same; coordinates (x, y) in `crs`.

    Geographic coordinates are (longitude, latitude). Where `crs` is None they are metres in the local plane
    of a raster without a CRS.
    """

    polygons: tuple[Polygon | MultiPolygon, ...]
    crs: CRS | None


def is_vector(content: bytes) -> bool:
    """Whether a file's content (its beginning suffices) can only be a vector file: JSON or SQLite."""
    text = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")  # the byte order mark and blanks
    return content.startswith(SQLITE) or text.startswith((b"{", b"["))


def read_footprints(source: str | Path | bytes, *, name: str | None = None) -> Footprints:
    """Read the polygons of a GeoJSON or GeoPackage file, from a path or from bytes.

    The content tells the format; `name` is what to call the source in a message. Polygons are flattened to
    2D and made valid, holes kept; exact duplicates, empty geometries and those that are no polygons are
    dropped. GeoJSON without `crs` is in longitude and latitude, as is one with a projected `crs` whose
    coordinates are within 180 and 90 (a slip that published files have); `"crs": null` means metres in a
    local plane.

    Raises TruthError for other content, damage, or no polygon at all.
    """
    name = name or (Path(source).name if isinstance(source, str | Path) else "The file")
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise TruthError(f"{name} cannot be opened: {reason}.") from None
    if not content:
        raise TruthError(f"{name} is empty (0 bytes). {GIVE}")
    with np.errstate(invalid="ignore"):  # NaN among coordinates is sorted out here, and needs no warning
        if content.startswith(SQLITE):
            geometries, crs = _read_geopackage(content, name)
        elif is_vector(content):
            geometries, crs = _read_geojson(content, name)
        else:
            raise TruthError(f"{name} is neither GeoJSON nor GeoPackage. {GIVE}")
        polygons = clean_polygons(geometries)
    if not polygons:
        raise TruthError(f"{name} holds no polygons. {GIVE}")
    return Footprints(polygons, crs)


def rasterize(footprints: Footprints, like: Raster) -> NDArray[np.int32]:
    """Labels int32 (H, W) on `like`'s grid: 0, or the index of the polygon that holds the pixel's centre + 1.

    Where polygons overlap, the first one of them keeps the pixel.

    Raises TruthError where no polygon touches the raster, or only one of the two has a CRS.
    """
    polygons, visible = _in_pixels(footprints, like)
    # Burned last to first, as each overwrites what is there.
    burned = [(polygons[i], int(i) + 1) for i in visible[::-1]]
    labels: NDArray[np.int32] = burn(burned, out_shape=like.shape, dtype="int32")
    return labels


def check_overlap(footprints: Footprints, like: Raster) -> None:
    """Raise TruthError where `rasterize` would."""
    _in_pixels(footprints, like)


def polygonize(labels: NDArray[np.int32], raster: Raster) -> list[Polygon | MultiPolygon]:
    """The outlines of labels 1..n along pixel edges, in `raster`'s CRS units: label i at index i - 1.

    A label in several 4-connected parts is a MultiPolygon; one without a pixel is an empty Polygon.
    """
    parts: list[list[Polygon]] = [[] for _ in range(int(labels.max(initial=0)))]
    traced = shapes(labels.astype(np.int32), mask=labels > 0, connectivity=4, transform=raster.transform)
    for geometry, value in traced:
        parts[int(value) - 1].append(to_geometry(geometry))
    return [Polygon() if not p else p[0] if len(p) == 1 else MultiPolygon(p) for p in parts]


def write_footprints(
    path: str | Path, labels: NDArray[np.int32], raster: Raster, kinds: Sequence[str] | None = None
) -> None:
    """Write the outlines of labels 1..n (int32 (H, W)) along `raster`'s pixel edges.

    The suffix tells the format: see `scinet.vector.write.write_batches`. Each feature has its `area_m2` on the
    ground, and its `kind` where `kinds` (n) are given. The file appears under its name only when it is complete.
    Raises WriteError where it cannot be written.
    """
    outlines = polygonize(labels, raster)
    several = any(isinstance(outline, MultiPolygon) for outline in outlines)
    if several:
        outlines = [outline if isinstance(outline, MultiPolygon) else MultiPolygon([outline]) for outline in outlines]
    columns: dict[str, NDArray[Any]] = {"area_m2": np.bincount(labels.ravel(), minlength=1)[1:] * raster.pixel_area_m2}
    if kinds is not None:
        columns["kind"] = np.array(kinds, dtype=object)
    batch = np.array(outlines, dtype=object), columns
    types = {name: "f" if name == "area_m2" else "O" for name in columns}
    write_batches(path, [batch], types, raster.crs, "MultiPolygon" if several else "Polygon")


def reproject(geometries: NDArray[Any], source: CRS, target: CRS) -> NDArray[Any]:
    """Geometries (an object array of shapely) from one CRS to another, x before y (longitude first) in both.

    What the target cannot show comes back with infinite coordinates. Raises pyproj's ProjError where there
    is no way from one to the other.
    """
    if source == target:
        return geometries
    to_target = pyproj.Transformer.from_crs(
        pyproj.CRS.from_wkt(source.to_wkt()), pyproj.CRS.from_wkt(target.to_wkt()), always_xy=True
    )
    return shapely.transform(geometries, lambda xy: np.column_stack(to_target.transform(xy[:, 0], xy[:, 1])))


def _in_pixels(footprints: Footprints, like: Raster) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The polygons in `like`'s pixel coordinates, and the indices of those that touch the raster."""
    if footprints.crs is not None and like.crs is None:
        raise TruthError(
            "The footprints have coordinates on the earth but the image has none. "
            "Give a georeferenced image, or a mask image of the same size as truth."
        )
    if footprints.crs is None and like.crs is not None:
        raise TruthError("The footprints have no CRS but the image has one. Give footprints with a CRS.")
    polygons = np.array(footprints.polygons, dtype=object)
    if footprints.crs is not None:
        try:
            polygons = reproject(polygons, footprints.crs, like.crs)
        except ProjError:
            raise TruthError(
                "There is no way from the footprints' CRS to the image's. Give footprints in the image's CRS."
            ) from None
    finite = np.isfinite(shapely.bounds(polygons)).all(axis=1)
    polygons = np.where(finite, polygons, Polygon())
    to_px = ~like.transform
    matrix = np.array([[to_px.a, to_px.b], [to_px.d, to_px.e]])
    polygons = shapely.transform(polygons, lambda xy: xy @ matrix.T + (to_px.c, to_px.f))
    visible = np.flatnonzero(shapely.intersects(polygons, shapely.box(0, 0, like.width, like.height)))
    if not len(visible):
        raise TruthError("The footprints lie elsewhere on the earth than the image. Give those of the image's place.")
    return polygons, visible


def clean_polygons(geometries: list[Any]) -> tuple[Polygon | MultiPolygon, ...]:
    """Valid, flat, distinct polygons of what was read, in its order."""
    polygons: dict[bytes, Polygon | MultiPolygon] = {}
    for geometry in geometries:
        if geometry.is_empty or not np.isfinite(geometry.bounds).all():
            continue
        flat = shapely.force_2d(geometry)
        polygon = flat if flat.geom_type == "Polygon" and flat.is_valid else _only_polygons(flat)
        if polygon is not None:
            polygons.setdefault(shapely.to_wkb(shapely.normalize(polygon)), polygon)
    return tuple(polygons.values())


def _only_polygons(geometry: Any) -> Polygon | MultiPolygon | None:
    """The polygons of a geometry, made valid, which can leave lines and points beside them."""
    # Twice, as collections can hold collections.
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(geometry)))
    polygons = [part for part in parts if part.geom_type == "Polygon" and part.area > 0]
    merged = shapely.union_all(polygons)
    return merged if isinstance(merged, Polygon | MultiPolygon) and not merged.is_empty else None


def _read_geojson(content: bytes, name: str) -> tuple[list[Any], CRS | None]:
    # Parsed here rather than by GDAL, which takes addresses and other formats from JSON too.
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise TruthError(f"{name} is damaged: it is no valid JSON. {GIVE}") from None
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection":
        features = document.get("features")
    elif kind == "Feature":
        features = [document]
    elif kind in ("Polygon", "MultiPolygon", "GeometryCollection"):
        features = [{"geometry": document}]
    else:
        features = None
    if not isinstance(features, list):
        raise TruthError(f"{name} is JSON but no GeoJSON. {GIVE}")
    geometries = []
    for feature in features:
        try:
            geometries.append(to_geometry(feature["geometry"]))
        except Exception:  # nearly any: for rings of two points, texts, nulls, unknown types
            continue
    crs = _geojson_crs(document, name)
    return geometries, crs if crs is None or not geometries else believed_crs(geometries, crs, name)


def believed_crs(geometries: Sequence[Any], crs: CRS, name: str) -> CRS:
    """The CRS of geometries (at least one) that a file says are in `crs`: longitudes and latitudes are told by value.

    Raises TruthError where they should be such and are not.
    """
    # Most of them decide: a stray one must not.
    lonlat = (np.abs(shapely.bounds(geometries)) <= (360, 90, 360, 90)).all(axis=1).mean() > 0.5
    if lonlat and crs.is_projected:
        return LONLAT
    if not lonlat and crs.is_geographic:
        raise TruthError(f"{name} holds no longitudes and latitudes. Save it in WGS 84, or with its CRS named.")
    return crs


def _geojson_crs(document: dict[str, Any], name: str) -> CRS | None:
    if "crs" not in document:
        return LONLAT  # RFC 7946
    member = document["crs"]
    if member is None:
        return None  # the 2008 specification: no CRS can be assumed
    try:
        properties = member["properties"]
        text = str(properties["name"] if "name" in properties else f"EPSG:{properties['code']}")
        if text.upper().endswith("CRS84"):
            return LONLAT
        return CRS.from_user_input(text)
    except (CRSError, KeyError, TypeError):
        raise TruthError(f"{name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None


def _read_geopackage(content: bytes, name: str) -> tuple[list[Any], CRS | None]:
    if content[68:72] not in GEOPACKAGE_IDS:
        raise TruthError(f"{name} is a SQLite database but no GeoPackage. {GIVE}")
    found = []
    try:
        # A copy, away from any -wal or -journal file, under the suffix that belongs to the driver.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "footprints.gpkg"
            path.write_bytes(content)
            for layer, kind in pyogrio.list_layers(path):
                if kind is not None:  # a table without geometry
                    meta, _, wkb, _ = pyogrio.raw.read(path, layer=layer, columns=[], force_2d=True)
                    kept = [g for g in shapely.from_wkb(wkb, on_invalid="ignore") if is_polygonal(g)]
                    found += [(layer, kept, meta["crs"])] if kept else []
    except (DataSourceError, DataLayerError, FeatureError, GeometryError):
        raise TruthError(f"{name} is damaged or incomplete: its polygons cannot be read. {GIVE}") from None
    if not found:
        return [], None
    if len(found) > 1:
        layers = ", ".join(layer for layer, _, _ in found)
        raise TruthError(f"{name} holds several layers of polygons ({layers}). Keep the buildings' only.")
    _, kept, crs = found[0]
    try:
        return kept, CRS.from_user_input(crs) if crs else None
    except CRSError:
        raise TruthError(f"{name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None


def is_polygonal(geometry: Any) -> bool:
    return geometry is not None and geometry.geom_type in ("Polygon", "MultiPolygon", "GeometryCollection")
