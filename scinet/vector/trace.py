"""The outlines of a mask of any size, traced band by band, without seams where the bands meet."""

from collections.abc import Iterable, Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from rasterio.transform import Affine
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import Polygon
from shapely.geometry import shape as to_geometry

from scinet.raster.components import label

Polygons = NDArray[np.object_]


def trace(bands: Iterable[tuple[int, NDArray[np.bool_]]]) -> Iterator[tuple[int, Polygons]]:
    """The 4-connected components of a mask that comes in bands of (top row, bool (H, W)), without a gap.

    Yields (bottom row of the band, polygons that ended in it), in pixel coordinates: x is the column, y the row,
    holes are interior rings. In memory are the band and the pieces of the components that cross its lower edge.
    """
    open_: list[list[Polygon]] = []  # pieces of each component that may go on
    seam: NDArray[np.int64] | None = None  # where they do: number of the component + 1 a column, 0 elsewhere
    bottom = 0
    for top, mask in bands:
        labels = label(mask)
        pieces = _pieces(labels, top)
        if seam is None:
            seam = np.zeros(mask.shape[1], np.int64)
        whole = _components(seam, labels[0], len(open_), len(pieces))
        groups, new_of = whole[: len(open_)], whole[len(open_) :]
        goes_on = np.zeros(whole.max(initial=-1) + 1, bool)
        goes_on[new_of[np.unique(labels[-1][labels[-1] > 0]) - 1]] = True
        joined: dict[int, list[Polygon]] = {}
        for number, parts in zip(groups.tolist(), open_, strict=True):
            joined.setdefault(number, []).extend(parts)
        finished: list[Polygon] = []
        for number, polygon in zip(new_of.tolist(), pieces, strict=True):
            if number in joined or goes_on[number]:
                joined.setdefault(number, []).append(polygon)
            else:
                finished.append(polygon)
        finished += [_joined(parts) for number, parts in joined.items() if not goes_on[number]]
        still = [number for number in joined if goes_on[number]]
        open_ = [joined[number] for number in still]
        place = np.zeros(len(goes_on) + 1, np.int64)
        place[np.array(still, np.int64) + 1] = np.arange(1, len(still) + 1)
        seam = place[np.concatenate([[0], new_of + 1])[labels[-1]]]
        bottom = top + len(mask)
        yield bottom, np.array(finished, dtype=object)
    yield bottom, np.array([_joined(parts) for parts in open_], dtype=object)


def _pieces(labels: NDArray[np.int32], top: int) -> list[Polygon]:
    """The polygon of each label 1..n of a band, in its order."""
    pieces = [Polygon()] * int(labels.max(initial=0))
    place = Affine.translation(0, top)
    for geometry, value in shapes(labels, mask=labels > 0, connectivity=4, transform=place):
        pieces[int(value) - 1] = to_geometry(geometry)
    return pieces


def _components(seam: NDArray[np.int64], first_row: NDArray[np.int32], old: int, new: int) -> NDArray[np.int64]:
    """A number for every old and new component, the same for those that touch across the seam."""
    touching = (seam > 0) & (first_row > 0)
    pairs = seam[touching] - 1, first_row[touching] - 1 + old
    links = coo_array((np.ones(len(pairs[0]), np.int8), pairs), shape=(old + new, old + new))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _joined(parts: list[Polygon]) -> Polygon:
    """One polygon of the pieces of a component, without the points that only the seams gave it."""
    if len(parts) == 1:
        return parts[0]
    whole = shapely.union_all(parts)
    return Polygon(_without_straight_points(whole.exterior), [_without_straight_points(r) for r in whole.interiors])


def _without_straight_points(ring: shapely.LinearRing) -> NDArray[np.float64]:
    """A ring's points (n, 2) where it turns. Coordinates are whole numbers: no rounding."""
    points = shapely.get_coordinates(ring)[:-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
