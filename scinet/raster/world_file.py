"""World files and .aux.xml files, which count only where the user names them."""

import math
import re
from pathlib import Path

from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine

from scinet.errors import RasterError
from scinet.local_file import open_regular
from scinet.raster.crs_text import crs_from_text
from scinet.safe_xml import parse_xml

MAX_BYTES = 1_000_000

Georeference = tuple[Affine, CRS | None]


def read_world_file(path: str | Path) -> Georeference:
    """The transform of a world file, or that and the CRS of an .aux.xml file, by its path. Raises RasterError."""
    name = Path(path).name
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise RasterError(f"{name} cannot be opened: {reason}.") from None
    return parse_world_file(content, name)


def parse_world_file(content: bytes, name: str) -> Georeference:
    """The transform of a world file, or that and the CRS of an .aux.xml file.

    Args:
        content: The file.
        name: What to call it in a message.

    Returns:
        The transform from the upper left corner of pixels to coordinates, and the CRS or None.

    Raises:
        RasterError: It is neither, or places nothing.

    Example:
        >>> transform, crs = parse_world_file(b"0.1 0 0 -0.1 810000.05 619999.95", "image.tfw")
        >>> [round(number, 6) for number in transform[:6]], crs
        ([0.1, 0.0, 810000.0, 0.0, -0.1, 620000.0], None)
    """
    text = content.decode("utf-8-sig", errors="replace").strip()
    if text.startswith("<"):
        return _aux_xml(content, name)
    try:
        x_per_column, y_per_column, x_per_row, y_per_row, x, y = (float(n.replace(",", ".")) for n in text.split())
    except ValueError:
        raise _unusable(name) from None
    # Its place is that of the centre of the first pixel
    transform = Affine(x_per_column, x_per_row, x, y_per_column, y_per_row, y) @ Affine.translation(-0.5, -0.5)
    return _checked(transform, name), None


def _aux_xml(content: bytes, name: str) -> Georeference:
    try:
        root = parse_xml(content)
        numbers = [float(number) for number in re.split(r"[\s,]+", (root.findtext("GeoTransform") or "").strip())]
        transform = Affine.from_gdal(*numbers)
    except (ValueError, TypeError):
        raise _unusable(name) from None
    srs = root.find("SRS")
    if srs is None or not (srs.text or "").strip():
        return _checked(transform, name), None
    try:
        return _checked(transform, name), crs_from_text(srs.text or "")
    except CRSError:
        raise RasterError(f"{name} names an unknown CRS. Give it with --crs EPSG:N.") from None


def _checked(transform: Affine, name: str) -> Affine:
    if not all(map(math.isfinite, transform)) or transform.determinant == 0:
        raise _unusable(name)
    return transform


def _unusable(name: str) -> RasterError:
    return RasterError(
        f"{name} does not place an image. Give a world file, which holds six numbers, or an .aux.xml file with a "
        "GeoTransform."
    )
