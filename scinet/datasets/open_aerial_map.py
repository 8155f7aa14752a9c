"""OpenAerialMap: which open images show a place, with resolution, date and licence."""

import json
import math
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from scinet.errors import DownloadError, RasterError
from scinet.raster.pyramid.fetch import fetch_document
from scinet.raster.resolution import MAX_CM_PER_PX
from scinet.web import is_url

BASE_URL = "https://api.openaerialmap.org"
LICENCE = "CC-BY-4.0"  # of all images, as OpenAerialMap asks of those who share them
MOST_IMAGES = 100


@dataclass(frozen=True)
class AerialImage:
    """An image of OpenAerialMap.

    Attributes:
        title: As its provider calls it.
        address: Of its GeoTIFF.
        cm_per_px: Its resolution.
        date: When it was taken, as YYYY-MM-DD; "" if it does not say.
        provider: Who shares it.
        licence: Under which it is shared.
        bounds: West, south, east and north in degrees.
    """

    title: str
    address: str
    cm_per_px: float
    date: str
    provider: str
    licence: str
    bounds: tuple[float, float, float, float]


def find_images(west: float, south: float, east: float, north: float) -> list[AerialImage]:
    """The images that show a place, the finest first.

    Args:
        west: Of the place, in degrees, as are the others.
        south: Of the place.
        east: Of the place.
        north: Of the place.

    Raises:
        RasterError: The place is not on the earth, or OpenAerialMap cannot be read.
    """
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise RasterError("Give the place in degrees: west, south, east and north, such as -0.25 5.5 -0.2 5.6.")
    base = (os.environ.get("SCINET_OAM_URL") or BASE_URL).rstrip("/")
    if not is_url(base):
        raise DownloadError(f"SCINET_OAM_URL is {base[:80]!r}, which is not an http or https address.")
    query = urlencode({"bbox": f"{west},{south},{east},{north}", "limit": MOST_IMAGES, "order_by": "gsd"}, safe=",")
    content = fetch_document(f"{base}/meta?{query}", "OpenAerialMap")
    try:
        rows = json.loads(content)["results"]
        found = [image for row in rows if (image := _image(row)) is not None]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RasterError("OpenAerialMap answers in a way that cannot be read. Try again later.") from None
    return sorted(found, key=lambda image: image.cm_per_px)


def _image(row: Any) -> AerialImage | None:
    """A row of the answer; None where it lacks what is needed."""
    try:
        address, cm_per_px = str(row["uuid"]), 100 * float(row["gsd"])
        west, south, east, north = (float(degrees) for degrees in row["bbox"])
        said = row.get("properties") or {}
        licence = str(said.get("license") or LICENCE)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    if (
        not is_url(address)
        or not 0 < cm_per_px <= MAX_CM_PER_PX
        or not all(map(math.isfinite, (west, south, east, north)))
    ):
        return None
    return AerialImage(
        str(row.get("title") or "without a title")[:100],
        address,
        cm_per_px,
        str(row.get("acquisition_end") or row.get("acquisition_start") or "")[:10],
        str(row.get("provider") or "")[:100],
        licence[:40],
        (west, south, east, north),
    )
