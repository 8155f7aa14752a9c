"""CRSs as files write them. A text is matched before a library sees it: GDAL takes addresses and paths for CRSs too."""

import re

import pyproj
from pyproj.exceptions import CRSError as PyprojCRSError
from rasterio.crs import CRS
from rasterio.errors import CRSError

MAX_CHARACTERS = 50_000
_EPSG = re.compile(r"EPSG:(?::|[0-9.]+:)?([0-9]{1,7})", re.IGNORECASE)
_EPSG_NAME = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:EPSG:[0-9.]*:|https?://www\.opengis\.net/def/crs/EPSG/[0-9.]+/)([0-9]{1,7})",
    re.IGNORECASE,
)
_CRS84 = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:OGC:[0-9.]*:|https?://www\.opengis\.net/def/crs/OGC/[0-9.]+/|OGC:)?CRS84", re.IGNORECASE
)
_WKT = re.compile(r"[A-Z][A-Z_0-9]{4,30}\s*[\[(]")
_GRID_FILE = re.compile(r"grids\s*=\s*(?!@null)", re.IGNORECASE)


def crs_from_text(text: str) -> CRS:
    """Read a CRS: an EPSG code, a URN, CRS84, WKT or PROJJSON.

    Raises:
        CRSError: It is none of these, or is damaged.

    Example:
        >>> crs_from_text("urn:ogc:def:crs:EPSG::32630").to_epsg()
        32630
        >>> crs_from_text("http://127.0.0.1/wkt")
        Traceback (most recent call last):
        ...
        rasterio.errors.CRSError: this is not an EPSG code, a URN, CRS84, WKT or PROJJSON
    """
    text = text.strip()
    if _CRS84.fullmatch(text):
        return CRS.from_epsg(4326)
    if code := _EPSG.fullmatch(text) or _EPSG_NAME.fullmatch(text):
        return CRS.from_epsg(int(code[1]))
    if len(text) <= MAX_CHARACTERS and not _GRID_FILE.search(text) and "\0" not in text:
        if _WKT.match(text):
            return CRS.from_wkt(text)
        if text.startswith("{"):
            try:
                return CRS.from_wkt(pyproj.CRS.from_json(text).to_wkt())
            except (PyprojCRSError, ValueError, RecursionError) as error:
                raise CRSError(str(error)) from None
    raise CRSError("this is not an EPSG code, a URN, CRS84, WKT or PROJJSON")
