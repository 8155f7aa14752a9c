"""Where a vector file lies: whether to believe the CRS that it names, against its coordinates and the image's place."""

import math
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import AreaOfInterest as TransformerArea
from pyproj.transformer import TransformerGroup
from rasterio.crs import CRS
from shapely import Polygon

from scinet.errors import TruthError
from scinet.raster.grid import Grid
from scinet.vector.footprints import LONLAT, check_same_world, reproject

Bounds = tuple[float, float, float, float]

_MOST_CANDIDATES = 200  # CRSs that are tried on coordinates that lie elsewhere
_LEAST_SHIFT_M = 0.5  # that a missing grid of a datum costs, to be worth a note
_HALF_TURN = 180.0
_COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


@dataclass(frozen=True)
class Placement:
    """How to understand the coordinates of a vector file.

    Attributes:
        crs: Their CRS; None for a local plane.
        is_swapped: Whether latitude stands before longitude.
        notes: What was chosen, in sentences for the reader.
    """

    crs: CRS | None
    is_swapped: bool = False
    notes: tuple[str, ...] = ()

    def upright(self, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
        """Geometries with x before y."""
        if not self.is_swapped:
            return geometries
        swapped: NDArray[np.object_] = shapely.transform(geometries, lambda xy: xy[:, ::-1])
        return swapped


def place_footprints(crs: CRS | None, bounds: Bounds, is_lonlat: bool, scene: Grid, name: str) -> Placement:
    """Choose the reading of a file's coordinates that puts them on the scene.

    The named CRS comes first; then longitude and latitude under the name of a projected CRS, latitude before longitude,
    and the scene's own CRS.

    Args:
        crs: The CRS that the file names; None where it names none.
        bounds: Of all of its polygons, in its coordinates.
        is_lonlat: Whether they can be degrees.
        scene: The image.
        name: What to call the file in a message.

    Raises:
        TruthError: No reading puts them on the scene.
    """
    if scene.crs is None:
        check_same_world(crs, scene)
        return Placement(None)
    for candidate in _readings(crs, is_lonlat, scene.crs, name):
        west, south, east, north = bounds
        if candidate.is_swapped:
            west, south, east, north = south, west, north, east
        if _meets(shapely.box(west, south, east, north), outline(scene, candidate.crs)):
            notes = (*candidate.notes, *_missing_grids(candidate.crs, scene, name))
            return Placement(candidate.crs, candidate.is_swapped, notes)
    if crs is None:
        check_same_world(None, scene)
    if crs is not None and crs.is_geographic and not is_lonlat:
        fits = _fitting(bounds, scene)
        raise TruthError(
            f"{name} does not hold longitudes and latitudes, though it names no other CRS. "
            + (f"Its coordinates would fit {fits}: save it with that CRS." if fits else "Save it in WGS 84.")
        )
    raise TruthError(elsewhere(bounds, LONLAT if is_lonlat else crs, scene, name))


def outline(area: Grid, crs: CRS | None) -> Polygon:
    """The four corners of a window or a scene in a CRS. Raises TruthError where it cannot be reprojected."""
    corners = [(0, 0), (area.width, 0), (area.width, area.height), (0, area.height)]
    polygon = Polygon([area.transform @ corner for corner in corners])
    if area.crs is None or crs is None:
        return polygon
    try:
        found = reproject(np.array([polygon], dtype=object), area.crs, crs)[0]
        west, south, east, north = found.bounds
        if crs.is_geographic and (east - west > _HALF_TURN or west < -_HALF_TURN or east > _HALF_TURN):
            return shapely.box(-3 * _HALF_TURN, south, 3 * _HALF_TURN, north)  # across 180 degrees: all longitudes
        return found
    except ProjError:
        raise TruthError(
            "The footprints cannot be reprojected from their CRS to the image's. Give footprints in the image's CRS."
        ) from None


def elsewhere(bounds: Bounds, crs: CRS | None, scene: Grid, name: str) -> str:
    """What to say of footprints that lie elsewhere: how far, and in which CRS they would lie on the scene."""
    said = f"{name} lies elsewhere on the earth than the image"
    here, there = _centre_of(scene), _lonlat((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2, crs)
    if here is not None and there is not None:
        azimuth, _, metres = pyproj.Geod(ellps="WGS84").inv(*here, *there)
        said += f", {_distance(metres)} to the {_COMPASS[round(azimuth / 45) % 8]}"
    fits = _fitting(bounds, scene)
    if fits:
        return f"{said}. Its coordinates would fit {fits}: if that is their CRS, save it with it."
    return f"{said}. Give the footprints of its place."


def _readings(crs: CRS | None, is_lonlat: bool, scene_crs: CRS, name: str) -> list[Placement]:
    lonlat = f"{name} names {_title(crs)}, but its coordinates are degrees and are read as longitude and latitude."
    swapped = f"In {name}, latitude stands before longitude; it is read so."
    of_image = f"{name} names no CRS; its coordinates fit the image's, which is assumed."
    if crs is None:
        found = [Placement(scene_crs, notes=(of_image,))]
        if is_lonlat:
            unnamed = f"{name} names no CRS; its coordinates are read as longitude and latitude."
            found += [Placement(LONLAT, notes=(unnamed,)), Placement(LONLAT, True, (unnamed, swapped))]
        return found
    found = [Placement(crs)] if is_lonlat or not crs.is_geographic else []
    if is_lonlat and crs.is_projected:
        found = [Placement(LONLAT, notes=(lonlat,)), Placement(LONLAT, True, (lonlat, swapped)), *found]
    elif is_lonlat:
        found.append(Placement(crs, True, (swapped,)))
    else:
        fits = (
            f"{name} names {_title(crs)}, which its coordinates do not fit; they fit the image's CRS, which is assumed."
        )
        found.append(Placement(scene_crs, notes=(fits,)))
    return found


def _meets(box: Polygon, area: Polygon) -> bool:
    return bool(np.isfinite(area.bounds).all() and shapely.intersects(box, area))


def _title(crs: CRS | None) -> str:
    if crs is None:
        return "no CRS"
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else "another CRS"


def _missing_grids(crs: CRS | None, scene: Grid, name: str) -> tuple[str, ...]:
    """A note where the best transformation to the image's CRS needs a file that is not installed."""
    here = _centre_of(scene)
    if crs is None or scene.crs is None or crs == scene.crs or here is None:
        return ()
    west, south = here
    try:
        group = TransformerGroup(
            pyproj.CRS.from_wkt(crs.to_wkt()),
            pyproj.CRS.from_wkt(scene.crs.to_wkt()),
            always_xy=True,
            area_of_interest=TransformerArea(west - 0.01, south - 0.01, west + 0.01, south + 0.01),
        )
    except ProjError:
        return ()
    if group.best_available or not group.transformers:
        return ()
    used, best = group.transformers[0].accuracy, group.unavailable_operations[0].accuracy
    if 0 <= used <= _LEAST_SHIFT_M or (best >= 0 and 0 <= used - best < _LEAST_SHIFT_M):
        return ()
    stake = f"up to {used:g} m" if used > 0 else _datum_shift(crs, here)
    return (
        f"{name} is in another datum than the image, and the grid file of their exact transformation is not installed: "
        f"positions are off by {stake}. Get it with: projsync --all, or give footprints in the image's CRS.",
    )


def _datum_shift(crs: CRS, here: tuple[float, float]) -> str:
    """How far a datum is from that of WGS 84 at a longitude and latitude, by what needs no grid file."""
    geodetic = pyproj.CRS.from_wkt(crs.to_wkt()).geodetic_crs
    west, south = here
    area = TransformerArea(west - 0.01, south - 0.01, west + 0.01, south + 0.01)
    group = TransformerGroup(geodetic, "EPSG:4326", always_xy=True, area_of_interest=area)
    known = next((each for each in group.transformers if each.accuracy > 0), None)
    if known is None:
        return "several metres"
    _, _, metres = pyproj.Geod(ellps="WGS84").inv(*here, *known.transform(*here))
    return f"about {metres:.0f} m"


def _centre_of(scene: Grid) -> tuple[float, float] | None:
    x, y = scene.transform @ (scene.width / 2, scene.height / 2)
    return _lonlat(x, y, scene.crs)


def _lonlat(x: float, y: float, crs: CRS | None) -> tuple[float, float] | None:
    if crs is None:
        return None
    try:
        to_lonlat = pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(crs.to_wkt()), "EPSG:4326", always_xy=True)
        found = to_lonlat.transform(x, y)
    except ProjError:
        return None
    return (found[0], found[1]) if all(map(math.isfinite, found)) and abs(found[1]) <= 90 else None


def _distance(metres: float) -> str:
    return (
        f"{metres:.0f} m"
        if metres < 1000
        else f"{metres / 1000:,.0f} km"
        if metres >= 10_000
        else f"{metres / 1000:.1f} km"
    )


def _fitting(bounds: Bounds, scene: Grid) -> str | None:
    """The CRS of the scene's place in which coordinates lie on the scene: its own, or another that is used there."""
    here = _centre_of(scene)
    if here is None or scene.crs is None:
        return None
    centre = shapely.box(*bounds)
    if _meets(centre, outline(scene, scene.crs)):
        return _title(scene.crs) if scene.crs.to_epsg() else "the image's CRS"
    longitude, latitude = here
    zone = int((longitude + 180) // 6) % 60 + 1
    codes = [base + (zone + step - 1) % 60 + 1 for step in (0, -1, 1) for base in (32600, 32700)]
    area = AreaOfInterest(longitude - 0.001, latitude - 0.001, longitude + 0.001, latitude + 0.001)
    local = query_crs_info("EPSG", [PJType.PROJECTED_CRS, PJType.GEOGRAPHIC_2D_CRS], area, contains=True)
    codes += [3857, *(int(info.code) for info in local[:_MOST_CANDIDATES] if info.code.isdigit())]
    for code in codes:
        try:
            area_there = outline(scene, CRS.from_epsg(code))
        except (ProjError, CRSError, TruthError, ValueError):
            continue
        if _meets(centre, area_there):
            return f"EPSG:{code}"
    return None
