"""What a reader says about an image where its file leaves it open."""

import math
import re
from dataclasses import dataclass

import pyproj
from pyproj.exceptions import CRSError
from rasterio.crs import CRS

from scinet.errors import RasterError
from scinet.raster.world_file import Georeference


@dataclass(frozen=True)
class ImageChoice:
    """What a reader says about an image where its file leaves it open; by default the likeliest reading.

    Attributes:
        bands: The bands (from 1) to show: red, green and blue, or one for grey; empty: the likeliest.
        nodata: The value of pixels that hold nothing; NaN where there is no such value; None: what the file says, or
            the likeliest.
        crs: The CRS of a file that has a transform without one.
        stretch: The values that become black and white; None: the likeliest, of files with more than 8 bits.
        page: Of a TIFF or a GeoPackage with several images, from 1.
        place: Transform and CRS of an image that a world file or an .aux.xml file places; None: what the file says.
        zoom: Of an image in tiles; None: the finest.
        bounds: West, south, east and north, in degrees, of the part of an image in tiles; None: all of it.
        tms: Whether the tiles' rows are counted from the south where the source does not say so.

    Raises:
        RasterError: The number of bands is not 1 or 3, the stretch is not from a lower to a higher number, or the
            bounds are not on the earth.
    """

    bands: tuple[int, ...] = ()
    nodata: float | None = None
    crs: CRS | None = None
    stretch: tuple[float, float] | None = None
    page: int = 1
    place: Georeference | None = None
    zoom: int | None = None
    bounds: tuple[float, float, float, float] | None = None
    tms: bool = False

    def __post_init__(self) -> None:
        if len(self.bands) not in (0, 1, 3):
            raise RasterError("Give three bands, for red, green and blue, or one for grey.")
        if self.stretch is not None and not -math.inf < self.stretch[0] < self.stretch[1] < math.inf:
            raise RasterError("Give the stretch as a lower and a higher number, such as 200 3000.")
        if self.page < 1:
            raise RasterError("Pages are counted from 1.")
        if self.bounds is not None:
            west, south, east, north = self.bounds
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise RasterError(
                    "Give the bounds in degrees: west, south, east and north, such as -0.25 5.5 -0.2 5.6."
                )


LIKELIEST = ImageChoice()


def parse_crs(text: str) -> CRS:
    """A CRS from a text such as "EPSG:32630".

    Raises:
        RasterError: It names no CRS.
    """
    try:
        if re.fullmatch(r"[A-Za-z]+:\d+", text):  # not a text in PROJ's language, which can name files
            return CRS.from_wkt(pyproj.CRS.from_user_input(text).to_wkt())
    except CRSError:
        pass
    raise RasterError(f'"{text[:80]}" is not a CRS. Give its code, such as EPSG:32630.')


def parse_nodata(text: str) -> float:
    """A nodata value from a text such as "-9999"; NaN for "none".

    Raises:
        RasterError: It is neither a number nor "none".
    """
    if text.lower() == "none":
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise RasterError(f'"{text[:80]}" is not a nodata value. Give a number such as -9999, or none.') from None
