"""The footprints within a window of a scene, from files too large to be read as a whole."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from shapely import Polygon

from scinet.errors import TruthError
from scinet.raster.raster import Raster
from scinet.raster.scene import Scene
from scinet.vector.footprints import (
    GEOPACKAGE_IDS,
    GIVE,
    LONLAT,
    SQLITE,
    Footprints,
    clean_polygons,
    is_polygonal,
    is_vector,
    read_footprints,
    reproject,
)

_MARGIN_DEGREES = 1e-3  # wider than any datum shift
_HEAD_BYTES = 1024


def read_clipped_footprints(source: Path | bytes, window: Raster, scene: Scene, name: str) -> Footprints | None:
    """The polygons of a GeoJSON or GeoPackage file within a window of a scene, cut at its edges.

    Only those polygons are held in memory, however large the file. None where the file has footprints of the
    scene but none in the window: the ground there is bare.

    Raises TruthError where the file cannot be read or has nothing to do with the scene.
    """
    if window.crs is None:  # GDAL would take a plane's metres for longitudes and latitudes
        footprints = read_footprints(source, name=name)
        if footprints.crs is not None:
            raise TruthError(
                "The footprints have coordinates on the earth but the image has none. "
                "Give a georeferenced image, or a mask image of the same size as truth."
            )
        return _cut(np.array(footprints.polygons, dtype=object), None, window)
    with _file(source, name) as path:
        try:
            found = [(layer, *_read_within(path, layer, window)) for layer in _layers(path)]
            hits = [(layer, polygons, crs) for layer, polygons, crs in found if len(polygons)]
            if len(hits) > 1:
                layers = ", ".join(str(layer) for layer, _, _ in hits)
                raise TruthError(f"{name} holds several layers of polygons ({layers}). Keep the buildings' only.")
            if hits:
                return _cut(hits[0][1], hits[0][2], window)
            if any(_touches(path, layer, crs, scene) for layer, _, crs in found):
                return None
        except (DataSourceError, DataLayerError, FeatureError, GeometryError):
            raise TruthError(f"{name} is damaged or incomplete: its polygons cannot be read. {GIVE}") from None
        except (CRSError, ProjError):
            raise TruthError(f"{name} has an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None
    raise TruthError(f"{name} lies elsewhere on the earth than the image. Give the footprints of its place.")


@contextmanager
def _file(source: Path | bytes, name: str) -> Iterator[str]:
    """What to give GDAL: a path that only the driver of the content's own format may open."""
    try:
        if isinstance(source, bytes):
            head = source[:_HEAD_BYTES]
        else:
            with source.open("rb") as file:
                head = file.read(_HEAD_BYTES)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise TruthError(f"{name} cannot be opened: {reason}.") from None
    if not is_vector(head):
        raise TruthError(f"{name} is neither GeoJSON nor GeoPackage. {GIVE}")
    package = head.startswith(SQLITE)
    if package and head[68:72] not in GEOPACKAGE_IDS:
        raise TruthError(f"{name} is a SQLite database but no GeoPackage. {GIVE}")
    prefix = "" if package else "GeoJSON:"  # JSON has other drivers, which take addresses from it
    if isinstance(source, Path) and (not package or source.suffix.lower() == ".gpkg"):
        yield f"{prefix}{source.resolve()}"
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("footprints.gpkg" if package else "footprints.geojson")
        path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
        yield f"{prefix}{path}"


def _layers(path: str) -> list[str | None]:
    if path.startswith("GeoJSON:"):
        return [None]
    return [layer for layer, kind in pyogrio.list_layers(path) if kind is not None]


def _read_within(path: str, layer: str | None, window: Raster) -> tuple[NDArray[np.object_], CRS]:
    """The polygons of a layer that touch the window, and their CRS.

    Longitudes and latitudes are tried first: published files have them under a projected `crs` too.
    """
    polygons, named = _read_box(path, layer, _outline(window, LONLAT).buffer(_MARGIN_DEGREES))
    if len(polygons):
        return polygons, named if named.is_geographic else LONLAT
    if named.is_projected:
        polygons, _ = _read_box(path, layer, _outline(window, named))
    return polygons, named


def _read_box(path: str, layer: str | None, area: Polygon) -> tuple[NDArray[np.object_], CRS]:
    meta, _, wkb, _ = pyogrio.raw.read(path, layer=layer, columns=[], force_2d=True, bbox=area.bounds)
    kept = [g for g in shapely.from_wkb(wkb, on_invalid="ignore") if is_polygonal(g)]
    return np.array(clean_polygons(kept), dtype=object), CRS.from_user_input(meta["crs"] or LONLAT)


def _touches(path: str, layer: str | None, crs: CRS, scene: Scene) -> bool:
    bounds = pyogrio.read_info(path, layer=layer, force_total_bounds=True)["total_bounds"]
    if bounds is None:
        return False
    found = shapely.box(*bounds)
    return bool(found.intersects(_outline(scene, crs)) or found.intersects(_outline(scene, LONLAT)))


def _outline(area: Raster | Scene, crs: CRS | None) -> Polygon:
    """The four corners of a window or a scene in a CRS."""
    corners = [(0, 0), (area.width, 0), (area.width, area.height), (0, area.height)]
    polygon = Polygon([area.transform @ corner for corner in corners])
    if area.crs is None or crs is None:
        return polygon
    return reproject(np.array([polygon], dtype=object), area.crs, crs)[0]


def _cut(polygons: NDArray[np.object_], crs: CRS | None, window: Raster) -> Footprints | None:
    parts = clean_polygons(list(shapely.intersection(polygons, _outline(window, crs))))
    return Footprints(parts, crs) if parts else None
