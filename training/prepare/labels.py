"""The labels of a scene as published, mended and counted, in the scene's pixel coordinates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from shapely import STRtree

from scinet.errors import TruthError
from scinet.raster.scene import Scene
from scinet.vector.footprints import GIVE, LONLAT, believed_crs, clean_polygons, is_polygonal, is_vector, reproject


@dataclass(frozen=True)
class LabelCounts:
    """What a label file holds: `buildings` are its polygons without those that were dropped and those met before.

    invalid     polygons that cross or touch themselves, mended
    duplicates  polygons that were there already
    dropped     features without an area: no geometry, lines, points, polygons that collapse
    outside     buildings that do not touch the scene
    """

    features: int
    buildings: int
    invalid: int
    duplicates: int
    dropped: int
    outside: int


class SceneLabels:
    """The buildings of a scene as polygons in its pixel coordinates, found by place."""

    def __init__(self, polygons: NDArray[np.object_], counts: LabelCounts):
        self.polygons = polygons
        self.counts = counts
        self._tree = STRtree(polygons)

    def within(self, column: int, row: int, width: int, height: int) -> NDArray[np.object_]:
        """The polygons that touch a window, in the file's order."""
        found = self._tree.query(shapely.box(column, row, column + width, row + height), predicate="intersects")
        return self.polygons[np.sort(found)]


def read_labels(path: Path, scene: Scene) -> SceneLabels:
    """Read a GeoJSON of building polygons; GDAL streams it, so that only the polygons are held in memory.

    Longitudes and latitudes under a projected `crs` are taken for what they are. Raises TruthError where the file
    cannot be read, or none of its polygons touches the scene.
    """
    geometries, named = _read(path)
    polygonal = [geometry for geometry in geometries if is_polygonal(geometry) and _has_extent(geometry)]
    if not polygonal:
        raise TruthError(f"{path.name} holds no polygons. {GIVE}")
    broken = [geometry for geometry in polygonal if not shapely.is_valid(geometry)]
    collapsed = sum(1 for geometry in broken if not clean_polygons([geometry]))
    buildings = clean_polygons(polygonal)
    in_px = _in_pixels(np.array(buildings, dtype=object), believed_crs(polygonal, named, path.name), scene, path.name)
    here = shapely.intersects(in_px, shapely.box(0, 0, scene.width, scene.height))
    if not here.any():
        raise TruthError(f"{path.name} lies elsewhere on the earth than the image. Give the footprints of its place.")
    dropped = len(geometries) - len(polygonal) + collapsed
    counts = LabelCounts(
        features=len(geometries),
        buildings=len(buildings),
        invalid=len(broken) - collapsed,
        duplicates=len(geometries) - dropped - len(buildings),
        dropped=dropped,
        outside=int((~here).sum()),
    )
    return SceneLabels(in_px[here], counts)


def _read(path: Path) -> tuple[NDArray[np.object_], CRS]:
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise TruthError(f"{path.name} cannot be opened: {error.strerror}.") from None
    if not is_vector(head) or head.startswith(b"SQLite"):
        raise TruthError(f"{path.name} is no GeoJSON. Fetch it again.")
    try:
        # The driver is named: JSON has others, which take addresses from it.
        meta, _, wkb, _ = pyogrio.raw.read(f"GeoJSON:{path.resolve()}", columns=[], force_2d=True)
        return shapely.from_wkb(wkb, on_invalid="ignore"), CRS.from_user_input(meta["crs"] or LONLAT)
    except (DataSourceError, DataLayerError, FeatureError, GeometryError):
        raise TruthError(
            f"{path.name} is damaged or incomplete: its polygons cannot be read. Fetch it again."
        ) from None
    except CRSError:
        raise TruthError(f"{path.name} names an unknown CRS. Save it in WGS 84 (longitude, latitude).") from None


def _has_extent(geometry: Any) -> bool:
    return not geometry.is_empty and bool(np.isfinite(geometry.bounds).all())


def _in_pixels(polygons: NDArray[np.object_], crs: CRS, scene: Scene, name: str) -> NDArray[np.object_]:
    assert scene.crs is not None
    try:
        moved = reproject(polygons, crs, scene.crs)
    except ProjError:
        raise TruthError(f"There is no way from the CRS of {name} to the image's. Save it in WGS 84.") from None
    finite = np.isfinite(shapely.bounds(moved)).all(axis=1)
    to_px = ~scene.transform
    matrix = np.array([[to_px.a, to_px.b], [to_px.d, to_px.e]])
    return shapely.transform(np.where(finite, moved, shapely.Polygon()), lambda xy: xy @ matrix.T + (to_px.c, to_px.f))
