"""What a reader says about an image where its file leaves it open."""

import math
import re
from dataclasses import dataclass

import pyproj
from pyproj.exceptions import CRSError
from rasterio.crs import CRS

from scinet.errors import RasterError


@dataclass(frozen=True)
class ImageChoice:
    """What a reader says about an image where its file leaves it open; by default the likeliest reading.

    Attributes:
        bands: The bands (from 1) to show: red, green and blue, or one for grey; empty: the likeliest.
        nodata: The value of pixels that hold nothing; NaN where there is no such value; None: what the file says, or
            the likeliest.
        crs: The CRS of a file that has a transform without one.
        stretch: The values that become black and white; None: the likeliest, of files with more than 8 bits.
        page: Of a TIFF with several, from 1.

    Raises:
        RasterError: The number of bands is not 1 or 3, or the stretch is not from a lower to a higher number.
    """

    bands: tuple[int, ...] = ()
    nodata: float | None = None
    crs: CRS | None = None
    stretch: tuple[float, float] | None = None
    page: int = 1

    def __post_init__(self) -> None:
        if len(self.bands) not in (0, 1, 3):
            raise RasterError("Give three bands, for red, green and blue, or one for grey.")
        if self.stretch is not None and not -math.inf < self.stretch[0] < self.stretch[1] < math.inf:
            raise RasterError("Give the stretch as a lower and a higher number, such as 200 3000.")
        if self.page < 1:
            raise RasterError("Pages are counted from 1.")


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
