"""A drawn area of interest in the address of a page: ``area=WIDTHxHEIGHT_X_Y_X_Y_X_Y``, in px of the image.

What is drawn is rounded as the address is, so that a link opens exactly the area that was looked at. The image's size
tells whether it is the one on which the area was drawn.
"""

import re
from collections.abc import Sequence

import numpy as np
import shapely
from rasterio.crs import CRS

from scinet.errors import TruthError
from scinet.raster.grid import Grid
from scinet.vector.area import Area, area_of_corners
from scinet.vector.footprints import in_pixels

PARAMETER = "area"
MOST_CORNERS = 100
_DECIMALS = 1
_NUMBER = r"-?\d{1,7}(?:\.\d)?"
_TEXT = re.compile(rf"(\d{{1,9}})x(\d{{1,9}})((?:_{_NUMBER}_{_NUMBER}){{3,{MOST_CORNERS}}})", re.ASCII)

Corners = tuple[tuple[float, float], ...]


def corners_in_px(points: Sequence[tuple[float, float]], crs: CRS | None, grid: Grid) -> Corners:
    """Corners (x, y) as column and row on an image's grid, rounded; none where they are not an area.

    Args:
        points: In `crs`.
        crs: None for metres in the local plane of an image without a CRS.
        grid: The image's grid.

    Raises:
        TruthError: Only one of corners and image has a CRS.
    """
    if len(points) < 3 or not np.isfinite(points).all():
        return ()
    (ring,) = in_pixels(np.array([shapely.LineString(points)], dtype=object), crs, grid)
    return tuple((float(x), float(y)) for x, y in shapely.get_coordinates(ring).round(_DECIMALS))


def area_in_px(corners: Corners, grid: Grid) -> Area:
    """The area of interest within corners on an image's grid. Raises TruthError where it has no size."""
    return area_of_corners([grid.transform @ corner for corner in corners], grid.crs, grid)


def to_text(corners: Corners, grid: Grid) -> str:
    """What the address says of an area; "" where it has too many corners, or ones far from the image."""
    text = "_".join([f"{grid.width}x{grid.height}", *(f"{value:.{_DECIMALS}f}" for each in corners for value in each)])
    short = text.replace(".0_", "_").removesuffix(".0")
    return short if _TEXT.fullmatch(short) else ""


def from_text(text: str, grid: Grid) -> Corners:
    """The corners that an address names.

    Raises:
        TruthError: It does not name any, or those on an image of another size.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise TruthError("The area in the address cannot be read, so all of the image counts. Draw the area again.")
    width, height, values = int(found[1]), int(found[2]), [float(value) for value in found[3].split("_")[1:]]
    if (height, width) != grid.shape:
        raise TruthError(
            f"The area in the address was drawn on an image of {width} x {height} px, and this one has "
            f"{grid.width} x {grid.height}, so all of the image counts. Draw the area again."
        )
    return tuple(zip(values[::2], values[1::2], strict=True))
