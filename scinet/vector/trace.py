"""Outlines of labels and masks; of masks of any size band by band, without seams where the bands meet."""

from collections.abc import Iterable, Iterator
from math import nan
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from rasterio.transform import Affine
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import MultiPolygon, Polygon
from shapely.geometry import shape as to_geometry

from scinet.raster.components import label

Polygons = NDArray[np.object_]


def polygonize(labels: NDArray[np.int32], transform: Affine) -> list[Polygon | MultiPolygon]:
    """The outlines of labels 1..n, int32 (H, W), along pixel edges.

    Args:
        labels: int32 (H, W), 0 for none.
        transform: Pixel coordinates (column, row) -> those of the outlines.

    Returns:
        The outline of label i at index i - 1: a MultiPolygon where it has several 4-connected parts, an empty Polygon
        where it has no pixels.
    """
    parts: list[list[Polygon]] = [[] for _ in range(int(labels.max(initial=0)))]
    traced = shapes(labels.astype(np.int32, copy=False), mask=labels > 0, connectivity=4, transform=transform)
    for geometry, value in traced:
        parts[int(value) - 1].append(to_geometry(geometry))
    return [Polygon() if not p else p[0] if len(p) == 1 else MultiPolygon(p) for p in parts]


class MaskBand(NamedTuple):
    """Rows of a mask, full width.

    Attributes:
        top: The first row.
        mask: bool (H, W), True = building.
        probability: (H, W) in [0, 1], or None. Only its values inside the mask matter.
    """

    top: int
    mask: NDArray[np.bool_]
    probability: NDArray[np.floating] | None = None


class Traced(NamedTuple):
    """The components that end in a band.

    Attributes:
        bottom: The row after the last one of the band.
        polygons: Their outlines (n,) in pixel coordinates: x is the column, y the row, holes are interior rings.
        confidence: float64 (n,), the mean probability inside; NaN without a probability.
    """

    bottom: int
    polygons: Polygons
    confidence: NDArray[np.float64]


class _Piece(NamedTuple):
    """The part of a component in one band, and the sum of its probability."""

    polygon: Polygon
    probability: float


def trace(bands: Iterable[MaskBand]) -> Iterator[Traced]:
    """The outlines of the 4-connected components of a mask of any height.

    In memory are one band and the pieces of the components that cross its lower edge.

    Args:
        bands: The mask from top to bottom without a gap.

    Yields:
        The components that ended in each band.
    """
    open_: list[list[_Piece]] = []  # pieces of each component that may continue below
    seam: NDArray[np.int64] | None = None  # where it may: for each column the number of the component + 1, else 0
    bottom = 0
    for band in bands:
        labels = label(band.mask)
        pieces = _pieces(labels, band)
        if seam is None:
            seam = np.zeros(labels.shape[1], np.int64)
        whole = _components(seam, labels[0], len(open_), len(pieces))
        groups, new_of = whole[: len(open_)], whole[len(open_) :]
        continues = np.zeros(whole.max(initial=-1) + 1, bool)
        continues[new_of[np.unique(labels[-1][labels[-1] > 0]) - 1]] = True
        joined: dict[int, list[_Piece]] = {}
        for number, parts in zip(groups.tolist(), open_, strict=True):
            joined.setdefault(number, []).extend(parts)
        finished: list[list[_Piece]] = []
        for number, piece in zip(new_of.tolist(), pieces, strict=True):
            if number in joined or continues[number]:
                joined.setdefault(number, []).append(piece)
            else:
                finished.append([piece])
        finished += [parts for number, parts in joined.items() if not continues[number]]
        still = [number for number in joined if continues[number]]
        open_ = [joined[number] for number in still]
        place = np.zeros(len(continues) + 1, np.int64)
        place[np.array(still, np.int64) + 1] = np.arange(1, len(still) + 1)
        seam = place[np.concatenate([[0], new_of + 1])[labels[-1]]]
        bottom = band.top + len(labels)
        yield _traced(bottom, finished)
    yield _traced(bottom, open_)


def _pieces(labels: NDArray[np.int32], band: MaskBand) -> list[_Piece]:
    outlines = polygonize(labels, Affine.translation(0, band.top))  # each in one part, as labels are connected
    if band.probability is None:
        return [_Piece(outline, nan) for outline in outlines]
    sums = np.bincount(labels.ravel(), band.probability.ravel(), minlength=1)[1:]
    return [_Piece(outline, total) for outline, total in zip(outlines, sums.tolist(), strict=True)]


def _traced(bottom: int, components: list[list[_Piece]]) -> Traced:
    polygons = np.array([_joined([piece.polygon for piece in parts]) for parts in components], dtype=object)
    sums = np.array([sum(piece.probability for piece in parts) for parts in components], np.float64)
    return Traced(bottom, polygons, sums / shapely.area(polygons))


def _components(seam: NDArray[np.int64], first_row: NDArray[np.int32], old: int, new: int) -> NDArray[np.int64]:
    """A number for every old and new component, the same for those that touch across the seam."""
    touching = (seam > 0) & (first_row > 0)
    pairs = seam[touching] - 1, first_row[touching] - 1 + old
    links = coo_array((np.ones(len(pairs[0]), np.int8), pairs), shape=(old + new, old + new))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _joined(parts: list[Polygon]) -> Polygon:
    """One polygon from the pieces of a component, without the points that only the seams added."""
    if len(parts) == 1:
        return parts[0]
    whole = shapely.union_all(parts)
    return Polygon(_without_straight_points(whole.exterior), [_without_straight_points(r) for r in whole.interiors])


def _without_straight_points(ring: shapely.LinearRing) -> NDArray[np.float64]:
    """A ring's points (n, 2) where it turns. Coordinates are whole numbers: no rounding."""
    points = shapely.get_coordinates(ring)[:-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return np.asarray(points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]])
