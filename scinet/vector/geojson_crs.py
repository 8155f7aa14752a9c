"""The CRS that a GeoJSON document names: GDAL does not tell an unknown one or null from none."""

import json
import mmap
import re
from pathlib import Path
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import CRSError

from scinet.raster.crs_text import crs_from_text
from scinet.vector.footprints import LONLAT
from scinet.vector.formats import MAX_BYTES

_ABSENT = object()


def crs_of_geojson(path: Path) -> CRS | None:
    """The CRS of a GeoJSON file; longitude and latitude where it names none, None where it says that there is none.

    Raises:
        CRSError: It is unknown.
    """
    member = _crs_member(path)
    if member is _ABSENT:
        return LONLAT  # RFC 7946
    if member is None:
        return None  # the specification of 2008: no CRS can be assumed
    try:
        properties = member["properties"]
        text = str(properties["name"] if "name" in properties else f"EPSG:{properties['code']}")
    except (KeyError, TypeError):
        raise CRSError from None
    return crs_from_text(text)


def _crs_member(path: Path) -> Any:
    """The member "crs" of a GeoJSON document, which stands before or after its features; `_ABSENT` without one."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            features = content.find(b'"features"')
            if len(content) > MAX_BYTES and not 0 <= features <= MAX_BYTES:
                return _ABSENT  # more than can be searched
            if features < 0:  # a single feature or geometry
                document = json.loads(content[:])
                return document.get("crs", _ABSENT) if isinstance(document, dict) else _ABSENT
            for part in (content[:features], content[max(content.rfind(b"]"), len(content) - MAX_BYTES) :]):
                if member := re.search(rb'"crs"\s*:\s*', part):
                    return json.JSONDecoder().raw_decode(part[member.end() :].decode())[0]
        except (ValueError, RecursionError):
            pass  # damaged, as GDAL will find
        return _ABSENT
