"""What counts as a CRS, and what never reaches GDAL."""

import pyproj
import pytest
from rasterio.errors import CRSError

from scinet.raster.crs_text import crs_from_text


@pytest.mark.parametrize(
    ("text", "epsg"),
    [
        ("EPSG:32630", 32630),
        ("epsg:4326", 4326),
        ("urn:ogc:def:crs:EPSG::32630", 32630),
        ("urn:ogc:def:crs:EPSG:6.9:32630", 32630),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", 4326),
        ("OGC:CRS84", 4326),
        ("http://www.opengis.net/def/crs/EPSG/0/32630", 32630),
        (pyproj.CRS.from_epsg(32630).to_wkt(), 32630),
        (pyproj.CRS.from_epsg(32630).to_wkt("WKT1_GDAL"), 32630),
        (pyproj.CRS.from_epsg(32630).to_json(), 32630),
    ],
)
def test_what_files_write_is_read(text: str, epsg: int) -> None:
    assert crs_from_text(text).to_epsg() == epsg


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://127.0.0.1/wkt",
        "/vsicurl/http://127.0.0.1/wkt",
        "/etc/passwd",
        "ESRI::a.prj",
        "+proj=utm +zone=30 +nadgrids=/dev/zero",
        "WGS84",
        "EPSG:4326\n/etc/passwd",
        "EPSG:99999999999999",
        "EPSG:1",
        'GEOGCS["a",EXTENSION["PROJ4","+proj=longlat +nadgrids=/dev/zero"]]',
        "PROJCS[" * 5000,
        "{" * 40_000,
        '{"type": "CRS"}',
        "http://www.opengis.net.evil/def/crs/EPSG/0/1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(CRSError):
        crs_from_text(text)
