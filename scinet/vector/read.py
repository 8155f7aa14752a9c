"""Building footprints from vector files: all of them, or those within a window of a scene.

Both ways give the same polygons. By window, only those that touch it are held in memory, however large the file.
"""

from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS

from scinet.errors import TruthError
from scinet.raster.grid import Grid
from scinet.vector.annotations import AnnotatedImage
from scinet.vector.choice import VectorChoice
from scinet.vector.footprints import LONLAT, Footprints, clean_polygons
from scinet.vector.formats import HEAD_BYTES, check_size
from scinet.vector.layer import Bounds, Geometries, VectorLayer, is_polygonal, is_vector, no_polygons, open_layer
from scinet.vector.placement import Placement, elsewhere, outline, place_footprints

__all__ = ["HEAD_BYTES", "is_vector", "read_footprints", "read_geometries", "read_window_footprints"]


def read_footprints(
    source: str | Path | bytes,
    *,
    name: str | None = None,
    choice: VectorChoice | None = None,
    image: AnnotatedImage | None = None,
) -> Footprints:
    """Read the polygons of a vector file.

    The content tells the format; docs/files.md lists those that are read. Polygons are flattened to 2D and made valid,
    holes kept; solids become the outlines of their faces; exact duplicates, empty geometries and those that are not
    polygons are dropped. GeoJSON without `crs` is in longitude and latitude, as is one with a projected `crs` whose
    coordinates are within 180 and 90 (a slip that published files have); `"crs": null` means metres in a local plane.

    Args:
        source: Path or bytes.
        name: What to call it in a message; by default the file's name.
        choice: Its layer, and which features are buildings; by default the likeliest.
        image: The image that they belong to: annotations count its pixels, and coordinates that do not fit the CRS that
            the file names are understood as they fit the image's place.

    Raises:
        TruthError: The file has other content, is damaged, holds no polygons, lies elsewhere than the image, or is a
            path to more than 1 GB.
    """
    name = _name(source, name)
    if not isinstance(source, bytes):
        check_size(Path(source), name)
    with open_layer(source, name, choice, image) as layer:
        geometries = layer.read()
        vote = _vote(layer, geometries, name)
        placement = _placement(layer, vote, image.grid if image else None, name)
    polygons = clean_polygons(placement.upright(geometries))
    if not polygons:
        raise TruthError(no_polygons(name, geometries))
    return Footprints(polygons, placement.crs, (*layer.notes, *placement.notes))


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
    with open_layer(source, name, VectorChoice(where="none")) as layer:
        geometries = layer.read()
        return geometries, _placement(layer, _vote(layer, geometries, name), None, name).crs


def read_window_footprints(
    source: str | Path | bytes,
    window: Grid,
    image: AnnotatedImage,
    name: str,
    choice: VectorChoice | None = None,
) -> Footprints:
    """Read the polygons of a file within a window of a scene, cut at its edges.

    Args:
        source: Path or bytes of a vector file.
        window: The window's grid.
        image: The whole scene: its grid, its file name, by which annotations know it, and its date.
        name: What to call the source in a message.
        choice: Its layer, and which features are buildings; by default the likeliest.

    Returns:
        What `read_footprints` gives, cut; without a polygon where the file has footprints of the scene but none in the
        window: the ground there is bare.

    Raises:
        TruthError: The file cannot be read, or has nothing to do with the scene.
    """
    scene = image.grid
    with open_layer(source, name, choice, image) as layer:
        polygons, placement, total = _within(layer, window, scene, name)
        area = outline(window, placement.crs)
        cut = clean_polygons(shapely.intersection(clean_polygons(polygons), area))
        if not cut and not shapely.box(*total).intersects(outline(scene, placement.crs)):
            raise TruthError(elsewhere(total, placement.crs, scene, name))
    return Footprints(cut, placement.crs, (*layer.notes, *placement.notes))


def _within(layer: VectorLayer, window: Grid, scene: Grid, name: str) -> tuple[Geometries, Placement, Bounds]:
    """Polygons that may touch a window, how their coordinates are understood, and the bounds of all features."""
    if not layer.is_text:
        vote = _vote(layer, None, name)
        placement = _placement(layer, vote, scene, name)
        west, south, east, north = outline(window, placement.crs).bounds
        bounds = (south, west, north, east) if placement.is_swapped else (west, south, east, north)
        return placement.upright(_polygonal(layer.read(bounds))), placement, _as_placed(vote.total, placement)
    # Without an index all are seen, and what the coordinates are is known only then.
    windows = _possible_windows(layer, window, scene)
    found: dict[tuple[CRS | None, bool], list[Geometries]] = {key: [np.array([], object)] for key in windows}
    vote = _LonLatVote()
    for batch in layer.batches():
        polygons = _polygonal(batch)
        bounds_of = shapely.bounds(polygons)
        vote.add(bounds_of)
        for key, (west, south, east, north) in windows.items():
            meets = (bounds_of[:, :2] <= (east, north)).all(axis=1) & (bounds_of[:, 2:] >= (west, south)).all(axis=1)
            found[key].append(polygons[meets])
    if not vote.count:
        raise TruthError(no_polygons(name, layer.read()))
    placement = _placement(layer, vote, scene, name)
    polygons = placement.upright(np.concatenate(found[placement.crs, placement.is_swapped]))
    return polygons, placement, _as_placed(vote.total, placement)


def _possible_windows(layer: VectorLayer, window: Grid, scene: Grid) -> dict[tuple[CRS | None, bool], Bounds]:
    """A window's bounds in the coordinates of a file, for every way in which those may be understood."""
    found: dict[tuple[CRS | None, bool], Bounds] = {}
    for crs in dict.fromkeys((layer.crs, LONLAT, scene.crs) if scene.crs else (None,)):
        if crs is None and scene.crs is not None:
            continue
        west, south, east, north = outline(window, crs).bounds
        found[crs, False] = west, south, east, north
        if crs is not None and crs.is_geographic:
            found[crs, True] = south, west, north, east
    return found


def _as_placed(bounds: Bounds, placement: Placement) -> Bounds:
    """Bounds in a file's coordinates as west, south, east and north."""
    return (bounds[1], bounds[0], bounds[3], bounds[2]) if placement.is_swapped else bounds


class _LonLatVote:
    """Whether coordinates are longitudes and latitudes, by the bounds of all polygons, and their total bounds."""

    def __init__(self) -> None:
        self.lonlat = self.count = 0
        self.total: Bounds = (np.inf, np.inf, -np.inf, -np.inf)

    def add(self, bounds: NDArray[np.float64]) -> None:
        """Count the bounds (n, 4) of polygons."""
        if not len(bounds):
            return
        self.count += len(bounds)
        fits = [(np.abs(bounds) <= most).all(axis=1) for most in ((360, 90, 360, 90), (90, 360, 90, 360))]
        self.lonlat += int((fits[0] | fits[1]).sum())
        corners = np.concatenate([bounds, [self.total]])
        low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
        self.total = float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def is_lonlat(self) -> bool:
        """Most of them decide: a stray one must not."""
        return self.lonlat > self.count / 2


def _vote(layer: VectorLayer, geometries: Geometries | None, name: str) -> _LonLatVote:
    """The bounds of a layer's polygons; of a file with an index those that it names, so that a window sees the same."""
    vote = _LonLatVote()
    if layer.is_text and geometries is not None:
        vote.add(shapely.bounds(_polygonal(geometries)))
    else:
        bounds = layer.total_bounds()
        vote.add(np.array([bounds] if bounds else np.empty((0, 4)), np.float64))
    if not vote.count:
        raise TruthError(no_polygons(name, layer.read() if geometries is None else geometries))
    return vote


def _placement(layer: VectorLayer, vote: _LonLatVote, scene: Grid | None, name: str) -> Placement:
    """How coordinates are understood; TruthError where they should be longitudes and latitudes and are not."""
    if layer.is_placed:
        return Placement(layer.crs)
    if scene is not None:
        return place_footprints(layer.crs, vote.total, vote.is_lonlat, scene, name)
    if layer.is_text and layer.crs is not None:
        if vote.is_lonlat and layer.crs.is_projected:
            return Placement(LONLAT)
        if not vote.is_lonlat and layer.crs.is_geographic:
            raise TruthError(
                f"{name} does not hold longitudes and latitudes. Save it in WGS 84, or with the CRS of its coordinates."
            )
    return Placement(layer.crs)


def _polygonal(geometries: Geometries) -> Geometries:
    """Those that may hold polygons, with finite bounds."""
    polygonal = geometries[[is_polygonal(geometry) for geometry in geometries]]
    finite: Geometries = polygonal[np.isfinite(shapely.bounds(polygonal)).all(axis=1)]
    return finite


def _name(source: str | Path | bytes, name: str | None) -> str:
    return name or (Path(source).name if isinstance(source, str | Path) else "The file")
