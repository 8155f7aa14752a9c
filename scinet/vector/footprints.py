"""`Footprints`: buildings as polygons, and how they are laid on the grid of a raster."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.features import rasterize as burn
from shapely import MultiPolygon, Polygon

from scinet.errors import TruthError
from scinet.raster.grid import Grid
from scinet.raster.raster import Raster

LONLAT = CRS.from_epsg(4326)
_WEB_MERCATOR = CRS.from_epsg(3857)
_WEB_MERCATOR_TURN_M = 2 * np.pi * 6_378_137
MAX_CROSSINGS = 5_000  # of edges in all invalid polygons of a file: GEOS needs about a millisecond for each
_EDGES_AT_ONCE = 256


@dataclass(frozen=True)
class Footprints:
    """Building polygons: valid, not empty, no two the same.

    Attributes:
        polygons: Their coordinates (x, y) are in `crs`; geographic ones are (longitude, latitude).
        crs: None for metres in the local plane of a raster without a CRS.
        notes: How the file was understood, in sentences for the reader.
    """

    polygons: tuple[Polygon | MultiPolygon, ...]
    crs: CRS | None
    notes: tuple[str, ...] = ()


def rasterize(footprints: Footprints, like: Raster) -> NDArray[np.int32]:
    """Burn polygons into a grid. Where polygons overlap, the first one of them keeps the pixel.

    Args:
        footprints: The polygons, in any CRS.
        like: A raster (H, W) with the grid.

    Returns:
        Labels int32 (H, W): 0, or 1 + the index of the polygon that contains the pixel's centre.

    Raises:
        TruthError: No polygon touches the raster, or only one of the two has a CRS.
    """
    polygons, visible = _visible(footprints, like.grid)
    # Burned last to first, as each overwrites what is there.
    burned = [(polygons[i], int(i) + 1) for i in visible[::-1]]
    labels: NDArray[np.int32] = burn(burned, out_shape=like.shape, dtype="int32")
    return labels


def check_overlap(footprints: Footprints, like: Raster) -> None:
    """Raise TruthError where `rasterize` would."""
    _visible(footprints, like.grid)


def check_same_world(crs: CRS | None, like: Grid) -> None:
    """Raise TruthError where only one of footprints and image has a CRS."""
    if crs is not None and like.crs is None:
        raise TruthError(
            "The footprints have coordinates on the earth but the image has none. "
            "Give a georeferenced image, or a mask image of the same size as reference."
        )
    if crs is None and like.crs is not None:
        raise TruthError("The footprints have no CRS but the image has one. Give footprints with a CRS.")


def in_pixels(polygons: NDArray[np.object_], crs: CRS | None, grid: Grid) -> NDArray[np.object_]:
    """Polygons in the pixel coordinates (column, row) of a grid.

    Args:
        polygons: (n,), with coordinates (x, y) in `crs`.
        crs: None for metres in the local plane of an image without a CRS.
        grid: The image's grid.

    Returns:
        Polygons (n,); one that the CRS of the grid cannot show is empty.

    Raises:
        TruthError: Only one of the two has a CRS, or one cannot be reprojected to the other.
    """
    check_same_world(crs, grid)
    if crs is not None:
        try:
            polygons = reproject(polygons, crs, grid.crs)
        except ProjError:
            raise TruthError(
                "The footprints cannot be reprojected from their CRS to the image's. "
                "Give footprints in the image's CRS."
            ) from None
        polygons = _turned_towards(polygons, grid)
    finite = np.isfinite(shapely.bounds(polygons)).all(axis=1)
    to_px = ~grid.transform
    matrix = np.array([[to_px.a, to_px.b], [to_px.d, to_px.e]])
    placed: NDArray[np.object_] = shapely.transform(
        np.where(finite, polygons, Polygon()), lambda xy: xy @ matrix.T + (to_px.c, to_px.f)
    )
    return placed


def _turned_towards(polygons: NDArray[np.object_], grid: Grid) -> NDArray[np.object_]:
    """Polygons moved by whole turns round the earth to where the grid lies, whose coordinates may go on beyond 180."""
    period = 0.0
    if grid.crs is not None and grid.crs.is_geographic:
        period = 360.0
    elif grid.crs == _WEB_MERCATOR:
        period = _WEB_MERCATOR_TURN_M
    if not period or not len(polygons):
        return polygons
    parts, of = shapely.get_parts(polygons, return_index=True)  # those that were cut at 180 degrees lie on both sides
    bounds = shapely.bounds(parts)
    x, _ = grid.transform @ (grid.width / 2, grid.height / 2)
    with np.errstate(invalid="ignore"):
        turns = np.nan_to_num(np.round((x - (bounds[:, 0] + bounds[:, 2]) / 2) / period), posinf=0, neginf=0)
    if not turns.any():
        return polygons
    moved = polygons.copy()
    for index in np.unique(of[turns != 0]):
        own = of == index
        placed = [
            shapely.transform(part, lambda xy, by=turn * period: np.column_stack([xy[:, 0] + by, xy[:, 1]]))
            for part, turn in zip(parts[own], turns[own], strict=True)
        ]
        moved[index] = shapely.union_all(placed)
    return moved


def reproject(geometries: NDArray[np.object_], source: CRS, target: CRS) -> NDArray[np.object_]:
    """Geometries (n,) from one CRS to another, x before y (longitude first) in both.

    Coordinates that the target cannot show come back infinite.

    Raises:
        ProjError: There is no transformation between the two.
    """
    if source == target:
        return geometries
    to_target = pyproj.Transformer.from_crs(
        pyproj.CRS.from_wkt(source.to_wkt()), pyproj.CRS.from_wkt(target.to_wkt()), always_xy=True
    )
    moved: NDArray[np.object_] = shapely.transform(
        geometries, lambda xy: np.column_stack(to_target.transform(xy[:, 0], xy[:, 1]))
    )
    return moved


def clean_polygons(geometries: Iterable[Any]) -> tuple[Polygon | MultiPolygon, ...]:
    """Valid, flat, distinct polygons of geometries (or None), in their order; others are dropped.

    Raises:
        TruthError: They cross themselves so often that mending them would take minutes.
    """
    crossings = 0
    polygons: dict[bytes, Polygon | MultiPolygon] = {}
    for geometry in geometries:
        if geometry is None or geometry.is_empty or not np.isfinite(geometry.bounds).all():
            continue
        flat = shapely.force_2d(geometry)
        if not np.isfinite(shapely.get_coordinates(flat)).all():
            continue
        if not flat.is_valid:
            crossings += _crossings(flat, MAX_CROSSINGS - crossings)
            if crossings > MAX_CROSSINGS:
                raise TruthError("The footprints cross themselves too often. Mend them, with Fix Geometries in QGIS.")
        polygon = flat if flat.geom_type == "Polygon" and flat.is_valid else _only_polygons(flat)
        if polygon is not None:
            polygons.setdefault(shapely.to_wkb(shapely.normalize(polygon)), polygon)
    return tuple(polygons.values())


def _crossings(geometry: Any, limit: int) -> int:
    """About how often a geometry's edges cross: pairs of edges with overlapping boxes, less what is usual.

    Counting stops beyond the limit, so that it takes no time either.
    """
    corners, ring = shapely.get_coordinates(shapely.get_rings(_polygons_of(geometry)), return_index=True)
    is_edge = ring[1:] == ring[:-1]
    edges = shapely.linestrings(np.stack([corners[:-1], corners[1:]], axis=1)[is_edge])
    tree = shapely.STRtree(edges)
    found = 0
    for start in range(0, len(edges), _EDGES_AT_ONCE):
        part = edges[start : start + _EDGES_AT_ONCE]
        found += max(0, tree.query(part).shape[1] - 5 * len(part)) // 2  # itself, two neighbours, two near ones
        if found > limit:
            break
    return found


def _polygons_of(geometry: Any) -> NDArray[np.object_]:
    """The polygons of a geometry; twice, as collections can hold collections."""
    parts: NDArray[np.object_] = shapely.get_parts(shapely.get_parts(geometry))
    return parts


def _visible(footprints: Footprints, grid: Grid) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """The polygons in pixel coordinates, and the indices of those that touch the grid."""
    polygons = in_pixels(np.array(footprints.polygons, dtype=object), footprints.crs, grid)
    visible = np.flatnonzero(shapely.intersects(polygons, shapely.box(0, 0, grid.width, grid.height)))
    if not len(visible):
        raise TruthError("The footprints lie elsewhere on the earth than the image. Give those of the image's place.")
    return polygons, visible


def _only_polygons(geometry: Any) -> Polygon | MultiPolygon | None:
    """The polygons of a geometry, made valid, without the lines and points that this can leave."""
    polygons = [
        part for part in _polygons_of(shapely.make_valid(geometry)) if part.geom_type == "Polygon" and part.area > 0
    ]
    merged = shapely.union_all(polygons)
    return merged if isinstance(merged, Polygon | MultiPolygon) and not merged.is_empty else None
