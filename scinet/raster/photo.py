"""Photos as cameras write them: stored turned, with the position of the camera."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from rasterio.io import DatasetReader, MemoryFile
from rasterio.transform import Affine

from scinet.camera.shot import Shot, read_shot

GPS_NOTE = "The photo's GPS position is the camera's, and does not place the image on the ground."

_FORMATS = {"JPEG": "JPEG", "PNG": "PNG", "WEBP": "WEBP", "GTiff": "TIFF"}
_ORIENTATION, _GPS = 0x0112, 0x8825
_TAG = "SCINET_ORIENTATION"
_GPS_TAG = "SCINET_GPS"
_XMP_TAG = "SCINET_XMP"
_XMP = "xml:XMP"  # GDAL's name of the packet
_MOST_XMP = 200_000  # characters


def photo_notes(dataset: DatasetReader) -> tuple[str, ...]:
    """Notes on a file that `upright` gave."""
    tags = dataset.tags()
    orientation = tags.get(_TAG)
    turned = (f"The photo is stored turned (EXIF orientation {orientation}) and is read upright.",)
    has_gps = _GPS_TAG in tags or "EXIF_GPSLatitude" in tags
    return (turned if orientation else ()) + ((GPS_NOTE,) if has_gps else ())


_DATES = ("EXIF_DateTimeOriginal", "EXIF_DateTime", "TIFFTAG_DATETIME")


def shot_of(dataset: DatasetReader) -> Shot | None:
    """What the photo says about its flight, or None."""
    tags = _flight_tags(dataset)
    return read_shot(tags, tags.get(_XMP_TAG, ""), dataset.width, dataset.height)


def taken_on(dataset: DatasetReader) -> date | None:
    """The day on which a photo was taken, or else of which its file is; None where it says neither."""
    tags = dataset.tags()
    text = next((tags[name] for name in _DATES if tags.get(name)), "")
    try:
        return date(*(int(part) for part in text[:10].split(":")))
    except (TypeError, ValueError):
        return None


def _flight_tags(dataset: DatasetReader) -> dict[str, str]:
    """The EXIF tags of a photo, with its XMP packet as one more."""
    tags = {name: text for name, text in dataset.tags().items() if name.startswith("EXIF_") or name == _XMP_TAG}
    packet = "".join(dataset.tags(ns=_XMP).values())[:_MOST_XMP]
    return tags | ({_XMP_TAG: packet} if packet else {})


@contextmanager
def upright(dataset: DatasetReader, source: str | bytes) -> Iterator[DatasetReader]:
    """The dataset, or a copy in memory that is turned as its EXIF orientation says.

    Args:
        dataset: The open file.
        source: Its path or bytes.
    """
    orientation, has_gps = _exif(dataset, source)
    if orientation not in range(2, 9):
        yield dataset
        return
    values = turned(dataset.read(), orientation)
    count, height, width = values.shape
    form: dict[str, Any] = {"driver": "GTiff", "count": count, "height": height, "width": width}
    form |= {"dtype": values.dtype, "nodata": dataset.nodata, "BIGTIFF": "IF_SAFER"}
    palette = dataset.colormap(1) if dataset.colorinterp[0].name == "palette" else None
    with MemoryFile() as memory:
        with memory.open(**form) as copy:
            copy.colorinterp = dataset.colorinterp
            copy.write(values)
            if palette is not None:
                copy.write_colormap(1, palette)
            copy.update_tags(
                **_flight_tags(dataset), **{_TAG: str(orientation)}, **({_GPS_TAG: "yes"} if has_gps else {})
            )
        with memory.open() as copy:
            yield copy


def turned(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Bands (C, H, W) as stored, turned upright: (C, H, W) or (C, W, H).

    Args:
        values: The bands.
        orientation: 1 to 8, as EXIF and TIFF define it.
    """
    if orientation >= 5:  # rows and columns change places
        values = values.swapaxes(1, 2)
    if orientation in (3, 4, 7, 8):
        values = values[:, ::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, :, ::-1]
    return np.ascontiguousarray(values)


def _exif(dataset: DatasetReader, source: str | bytes) -> tuple[int, bool]:
    """The orientation that a photo's header names, 1 where it names none, and whether it has a GPS position."""
    if dataset.driver == "JPEG":  # GDAL gives it, without another look at the file
        tags = dataset.tags()
        text = tags.get("EXIF_Orientation", "1")
        return int(text) if text.isdigit() else 1, "EXIF_GPSLatitude" in tags
    if dataset.driver not in _FORMATS or dataset.transform != Affine.identity() or dataset.gcps[0]:
        return 1, False
    if (isinstance(source, str) and "://" in source) or (isinstance(source, str) and source.startswith("/vsi")):
        return 1, False
    with suppress(UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        file = BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=[_FORMATS[dataset.driver]]) as photo:
            if photo.format == "PNG" and "exif" not in photo.info:
                return 1, False  # Pillow would decode the image to look behind it
            exif = photo.getexif()
            return int(exif.get(_ORIENTATION, 1)), bool(exif.get_ifd(_GPS))
    return 1, False
