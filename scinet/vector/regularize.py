"""Outlines with straight walls and square corners, by the library buildingregulariser."""

import geopandas
import numpy as np
import shapely
from buildingregulariser import regularize_geodataframe
from numpy.typing import NDArray

LEAST_IOU = 0.7  # with the traced outline: what no right angles describe stays as it was


def regularize(polygons: NDArray[np.object_], tolerance_m: float) -> NDArray[np.object_]:
    """Polygons (n,) with coordinates in metres, their walls straightened within about `tolerance_m`.

    Walls go along a building's main direction, at right angles or at 45 degrees to it. A polygon whose regularize
    form would have an IoU below 0.7 with it, or be invalid, comes back as it is.
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
    good = iou >= LEAST_IOU
    result = polygons.copy()
    result[numbers[good]] = candidates[good]
    return result
