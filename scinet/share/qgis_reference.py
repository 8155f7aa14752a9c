"""The reference buildings of a project for QGIS: a file in the image's CRS, and outlines as on the map."""

from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from shapely import MultiPolygon

from scinet.raster.components import label
from scinet.raster.grid import Grid
from scinet.share.pictures import TRUTH_COLOUR
from scinet.share.qgis import Layer
from scinet.share.qgis_style import outline_renderer
from scinet.vector.footprints import Footprints, in_pixels
from scinet.vector.trace import polygonize
from scinet.vector.write import write_batches


def write_reference(path: Path, buildings: Footprints | NDArray[np.bool_], grid: Grid) -> None:
    """Write the reference buildings that touch an image as a GeoPackage in its CRS.

    Args:
        path: The file to write.
        buildings: Footprints in any CRS, or a mask bool (H, W) on the image's grid.
        grid: The image's grid.

    Raises:
        TruthError: Only one of footprints and image has a CRS.
        WriteError: The file cannot be written.
    """
    if isinstance(buildings, Footprints):
        shapes = _placed(np.array(buildings.polygons, dtype=object), buildings.crs, grid)
    else:
        shapes = np.array(polygonize(label(buildings), grid.transform), dtype=object)
    parts = [MultiPolygon(shapely.get_parts(shape).tolist()) for shape in shapes]
    write_batches(path, [(np.array(parts, dtype=object), {})], {}, grid.crs, "MultiPolygon")


def reference_layer(source: str) -> Layer:
    """The layer of a file that `write_reference` has written."""
    return Layer("Reference", f"{source}|layername=buildings", outline_renderer(TRUTH_COLOUR))


def _placed(polygons: NDArray[np.object_], crs: CRS | None, grid: Grid) -> NDArray[np.object_]:
    """Those of the polygons that touch the image, in its CRS."""
    in_px = in_pixels(polygons, crs, grid)
    seen = in_px[shapely.intersects(in_px, shapely.box(0, 0, grid.width, grid.height))]
    to_crs = grid.transform
    matrix = np.array([[to_crs.a, to_crs.b], [to_crs.d, to_crs.e]])
    found: NDArray[np.object_] = shapely.transform(seen, lambda xy: xy @ matrix.T + (to_crs.c, to_crs.f))
    return found
