"""Building footprints from vector files: all of them, or those within a window of a scene.

Both ways give the same polygons. By window, only those that touch it are held in memory, however large the file.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from shapely import Polygon

from scinet.errors import TruthError
from scinet.raster.grid import Grid
from scinet.vector.footprints import LONLAT, Footprints, check_same_world, clean_polygons, reproject
from scinet.vector.formats import GIVE, HEAD_BYTES, check_size
from scinet.vector.layer import Bounds, Geometries, VectorLayer, is_polygonal, is_vector, open_layer

__all__ = ["HEAD_BYTES", "is_vector", "names_crs", "read_footprints", "read_geometries", "read_window_footprints"]


def read_footprints(source: str | Path | bytes, *, name: str | None = None) -> Footprints:
    """Read the polygons of a GeoJSON (also by lines), GeoPackage, FlatGeobuf, Shapefile (also zipped) or KML file.

    The content tells the format. Polygons are flattened to 2D and made valid, holes kept; exact duplicates, empty
    geometries and those that are not polygons are dropped. GeoJSON without `crs` is in longitude and latitude, as is
    one with a projected `crs` whose coordinates are within 180 and 90 (a slip that published files have);
    `"crs": null` means metres in a local plane.

    Args:
        source: Path or bytes.
        name: What to call it in a message; by default the file's name.

    Raises:
        TruthError: The file has other content, is damaged, holds no polygons, or is a path to more than 1 GB.
    """
    if not isinstance(source, bytes):
        check_size(Path(source), _name(source, name))
    geometries, crs = read_geometries(source, name=name)
    polygons = clean_polygons(geometries)
    if not polygons:
        raise TruthError(_no_polygons(_name(source, name)))
    return Footprints(polygons, crs)


def read_geometries(source: str | Path | bytes, *, name: str | None = None) -> tuple[Geometries, CRS | None]:
    """Read the geometries of a file as they are, and their CRS.

    Args:
        source: Path or bytes.
        name: What to call it in a message; by default the file's name.

    Returns:
        One geometry (n,) per feature in the file's order, flat, None where a feature has none; and the CRS of their
        coordinates, None for metres in a local plane.

    Raises:
        TruthError: The file has other content, is damaged, or holds no polygons.
    """
    name = _name(source, name)
    with open_layer(source, name) as layer:
        geometries = layer.read()
        vote = _LonLatVote()
        vote.add(shapely.bounds(_polygonal(geometries)))
        return geometries, _believed_crs(layer, vote, name)


def read_window_footprints(source: str | Path | bytes, window: Grid, scene: Grid, name: str) -> Footprints | None:
    """Read the polygons of a file within a window of a scene, cut at its edges.

    Args:
        source: Path or bytes of a vector file.
        window: The window's grid.
        scene: The grid of the whole scene.
        name: What to call the source in a message.

    Coordinates without a CRS count as those of the scene's.

    Returns:
        What `read_footprints` gives, cut; None where the file has footprints of the scene but none in the window: the
        ground there is bare.

    Raises:
        TruthError: The file cannot be read, or has nothing to do with the scene.
    """
    with open_layer(source, name) as layer:
        is_assumed = layer.crs is None and scene.crs is not None
        if is_assumed:
            layer = replace(layer, crs=scene.crs, is_geojson=False)
        check_same_world(layer.crs, scene)
        polygons, crs, total = _within(layer, window, name)
        cut = clean_polygons(shapely.intersection(clean_polygons(polygons), _outline(window, crs)))
        if cut:
            return Footprints(cut, crs)
        if total is not None and shapely.box(*total).intersects(_outline(scene, crs)):
            return None
    if is_assumed:
        check_same_world(None, scene)
    raise TruthError(f"{name} lies elsewhere on the earth than the image. Give the footprints of its place.")


def names_crs(source: str | Path | bytes, name: str) -> bool:
    """Whether a file names the CRS of its polygons. Raises TruthError where it cannot be read."""
    with open_layer(source, name) as layer:
        return layer.crs is not None


def _within(layer: VectorLayer, window: Grid, name: str) -> tuple[Geometries, CRS | None, Bounds | None]:
    """Polygons that may touch a window, their CRS, and the bounds of all features."""
    if not layer.is_geojson:
        return _polygonal(layer.read(_outline(window, layer.crs).bounds)), layer.crs, layer.total_bounds()
    # GeoJSON has no index, and what the coordinates are is known only when all have been seen.
    windows = {crs: _outline(window, crs).bounds for crs in {layer.crs, layer.crs and LONLAT}}
    found: dict[CRS | None, list[Geometries]] = {crs: [] for crs in windows}
    vote = _LonLatVote()
    for batch in layer.batches():
        polygons = _polygonal(batch)
        bounds = shapely.bounds(polygons)
        vote.add(bounds)
        for crs, (west, south, east, north) in windows.items():
            meets = (bounds[:, 0] <= east) & (bounds[:, 1] <= north) & (bounds[:, 2] >= west) & (bounds[:, 3] >= south)
            found[crs].append(polygons[meets])
    crs = _believed_crs(layer, vote, name)
    return np.concatenate(found[crs]), crs, vote.total


class _LonLatVote:
    """Whether coordinates are longitudes and latitudes, by the bounds of all polygons, and their total bounds."""

    def __init__(self) -> None:
        self.lonlat = self.count = 0
        self.total: Bounds | None = None

    def add(self, bounds: NDArray[np.float64]) -> None:
        """Count the bounds (n, 4) of polygons."""
        if not len(bounds):
            return
        self.count += len(bounds)
        self.lonlat += int((np.abs(bounds) <= (360, 90, 360, 90)).all(axis=1).sum())
        corners = np.concatenate([bounds, [self.total]]) if self.total else bounds
        low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
        self.total = float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _believed_crs(layer: VectorLayer, vote: _LonLatVote, name: str) -> CRS | None:
    """The CRS of a layer, longitudes and latitudes told by value; TruthError where they should be and are not."""
    if not vote.count:
        raise TruthError(_no_polygons(name))
    if not layer.is_geojson or layer.crs is None:
        return layer.crs
    lonlat = vote.lonlat > vote.count / 2  # most of them decide: a stray one must not
    if lonlat and layer.crs.is_projected:
        return LONLAT
    if not lonlat and layer.crs.is_geographic:
        raise TruthError(
            f"{name} does not hold longitudes and latitudes. Save it in WGS 84, or with the CRS of its coordinates."
        )
    return layer.crs


def _polygonal(geometries: Geometries) -> Geometries:
    """Those that may hold polygons, with finite bounds."""
    polygonal = geometries[[is_polygonal(geometry) for geometry in geometries]]
    finite: Geometries = polygonal[np.isfinite(shapely.bounds(polygonal)).all(axis=1)]
    return finite


def _outline(area: Grid, crs: CRS | None) -> Polygon:
    """The four corners of a window or a scene in a CRS."""
    corners = [(0, 0), (area.width, 0), (area.width, area.height), (0, area.height)]
    polygon = Polygon([area.transform @ corner for corner in corners])
    if area.crs is None or crs is None:
        return polygon
    try:
        return reproject(np.array([polygon], dtype=object), area.crs, crs)[0]
    except ProjError:
        raise TruthError(
            "The footprints cannot be reprojected from their CRS to the image's. Give footprints in the image's CRS."
        ) from None


def _name(source: str | Path | bytes, name: str | None) -> str:
    return name or (Path(source).name if isinstance(source, str | Path) else "The file")


def _no_polygons(name: str) -> str:
    return f"{name} holds no polygons. {GIVE}"
