"""Outlines with straight walls and square corners, by the library buildingregulariser."""

import geopandas
import numpy as np
import shapely
from buildingregulariser import regularize_geodataframe
from numpy.typing import NDArray

MIN_IOU = 0.7  # with the traced outline; a building that right angles do not describe keeps its outline


def regularize(polygons: NDArray[np.object_], tolerance_m: float) -> NDArray[np.object_]:
    """Straighten the walls of polygons: along a building's main direction, at right angles or at 45 degrees to it.

    Args:
        polygons: (n,), with coordinates in metres.
        tolerance_m: About how far a wall may move.

    Returns:
        Polygons (n,); one whose regularized outline would be invalid, or have an IoU below 0.7 with it, is unchanged.
    """
    if not len(polygons):
        return polygons
    numbered = geopandas.GeoDataFrame({"number": np.arange(len(polygons))}, geometry=polygons)
    table = regularize_geodataframe(
        numbered, parallel_threshold=2 * tolerance_m, simplify_tolerance=tolerance_m, allow_circles=False, num_cores=1
    )
    numbers, candidates = table["number"].to_numpy(), table.geometry.to_numpy()  # some have vanished, or fell apart
    sound = shapely.is_valid(candidates) & (shapely.get_type_id(candidates) == shapely.GeometryType.POLYGON)
    sound &= np.bincount(numbers, minlength=len(polygons))[numbers] == 1
    numbers, candidates = numbers[sound], candidates[sound]
    before = shapely.make_valid(polygons[numbers])
    iou = shapely.area(shapely.intersection(before, candidates)) / shapely.area(shapely.union(before, candidates))
    good = iou >= MIN_IOU
    result = polygons.copy()
    result[numbers[good]] = candidates[good]
    return result
