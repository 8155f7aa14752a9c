"""Which part of a pyramid, and at which zoom, is the scene."""

import math
from dataclasses import replace

from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.warp import transform_bounds

from scinet.errors import GsdMissingError, RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.grid import Grid
from scinet.raster.open import MIN_SIDE_PX
from scinet.raster.pyramid.matrix import Bounds, Matrix, Pyramid, intersection
from scinet.raster.pyramid.scene import PyramidScene
from scinet.raster.resolution import has_place_on_earth

_LONLAT = CRS.from_epsg(4326)
_WHOLE_PX = 1e-3  # an edge this close to a pixel's is meant to be there


def pyramid_scene(
    source: str | bytes, name: str, pyramid: Pyramid, cm_per_px: float | None, choice: ImageChoice
) -> PyramidScene:
    """The scene that a pyramid holds, at the zoom and within the bounds that the reader chooses.

    Args:
        source: As in `Scene`.
        name: What to call it in a message.
        pyramid: The tiles.
        cm_per_px: The resolution in ground centimetres, used only where the pyramid has no place on the earth.
        choice: What the reader says about it; by default its finest zoom and all of it.

    Raises:
        GsdMissingError: It has no place on the earth and `cm_per_px` is None.
        RasterError: It has no such zoom or bands, lies elsewhere than the bounds, or is smaller than 8 px.
    """
    _check_choice(choice, name)
    crs = pyramid.crs if has_place_on_earth(pyramid.crs) else None
    if crs is None and choice.crs is not None and has_place_on_earth(choice.crs):
        crs = choice.crs
    matrices = _from_zoom(pyramid.matrices, choice.zoom, name)
    bounds = pyramid.bounds if choice.bounds is None else _chosen_bounds(choice.bounds, pyramid.bounds, crs, name)
    finest = matrices[0]
    left, top, right, bottom = finest.box(bounds)
    column, row = math.floor(left + _WHOLE_PX), math.floor(top + _WHOLE_PX)
    width, height = math.ceil(right - _WHOLE_PX) - column, math.ceil(bottom - _WHOLE_PX) - row
    if min(width, height) < MIN_SIDE_PX:
        raise RasterError(
            f"{name} is only {width} x {height} px there. Give an image of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} px."
        )
    place = Affine(
        finest.x_per_px, 0, finest.x + column * finest.x_per_px, 0, -finest.y_per_px, finest.y - row * finest.y_per_px
    )
    aligned = (place.c, place.f - height * finest.y_per_px, place.c + width * finest.x_per_px, place.f)
    if crs is None:
        if cm_per_px is None:
            raise GsdMissingError(
                f"{name} names no CRS for its tiles. Give the CRS (--crs EPSG:N), or the image's resolution in cm/px."
            )
        place = Affine(cm_per_px / 100, 0, 0, 0, -cm_per_px / 100, 0)
    return PyramidScene(
        source=source,
        name=name,
        grid=Grid(height, width, place, crs),
        block=(finest.tile_height_px, finest.tile_width_px),
        overviews=(),
        notes=pyramid.notes,
        choice=choice,
        pyramid=replace(pyramid, matrices=matrices, bounds=aligned),
        corner=(column, row),
    )


def _check_choice(choice: ImageChoice, name: str) -> None:
    if choice.stretch is not None:
        raise RasterError(f"{name} has tiles of 8 bits, which are shown as they are. Leave --stretch out.")
    if any(not 1 <= band <= 3 for band in choice.bands):
        shown = " ".join(map(str, choice.bands))
        raise RasterError(f"The image has 3 bands, so bands {shown} cannot be shown. Choose others.")


def _from_zoom(matrices: tuple[Matrix, ...], zoom: int | None, name: str) -> tuple[Matrix, ...]:
    """The matrices from a zoom on, the finest first."""
    if zoom is None:
        return matrices
    found = [each for each, matrix in enumerate(matrices) if matrix.zoom == zoom]
    if not found:
        zooms = sorted(matrix.zoom for matrix in matrices)
        raise RasterError(f"{name} has no zoom {zoom}; it has {zooms[0]} to {zooms[-1]}. Choose one with --zoom N.")
    return matrices[found[0] :]


def _chosen_bounds(lonlat: Bounds, bounds: Bounds, crs: CRS | None, name: str) -> Bounds:
    """The part of a pyramid's bounds within longitudes and latitudes, in units of its CRS."""
    if crs is None:
        raise RasterError(
            f"{name} names no CRS, so no part of it can be chosen by --bounds. Give its CRS: --crs EPSG:N."
        )
    try:
        asked = transform_bounds(_LONLAT, crs, *lonlat)
    except RasterioError:
        asked = (math.inf,) * 4
    common = intersection((asked[0], asked[1], asked[2], asked[3]), bounds) if all(map(math.isfinite, asked)) else None
    if common is None:
        west, south, east, north = transform_bounds(crs, _LONLAT, *bounds)
        raise RasterError(
            f"{name} lies at {west:.5g} to {east:.5g} degrees east and {south:.5g} to {north:.5g} degrees north, "
            "outside the bounds that were asked for. Choose others with --bounds WEST SOUTH EAST NORTH."
        )
    return common
