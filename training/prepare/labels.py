"""The labels of a scene as published, mended and counted, in the scene's pixel coordinates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree

from scinet.errors import TruthError
from scinet.raster.scene import Scene
from scinet.vector.footprints import clean_polygons, in_pixels
from scinet.vector.layer import is_polygonal
from scinet.vector.read import read_geometries


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
        touching: NDArray[np.object_] = self.polygons[np.sort(found)]
        return touching


def read_labels(path: Path, scene: Scene) -> SceneLabels:
    """Read the building polygons of a scene.

    Longitudes and latitudes under a projected `crs` are taken for what they are. Raises TruthError where the file
    cannot be read, or none of its polygons touches the scene.
    """
    geometries, crs = read_geometries(path)
    polygonal = [geometry for geometry in geometries if is_polygonal(geometry) and _has_extent(geometry)]
    broken = [geometry for geometry in polygonal if not shapely.is_valid(geometry)]
    collapsed = sum(1 for geometry in broken if not clean_polygons([geometry]))
    buildings = clean_polygons(polygonal)
    in_px = in_pixels(np.array(buildings, dtype=object), crs, scene.grid)
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


def _has_extent(geometry: Any) -> bool:
    return not geometry.is_empty and bool(np.isfinite(geometry.bounds).all())
