"""Opens raster files from untrusted sources: the only place that does, with known drivers and bounded memory."""

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT

from scinet import store, web
from scinet.errors import GsdMissingError, RasterError
from scinet.local_file import open_regular
from scinet.raster.choice import LIKELIEST, ImageChoice
from scinet.raster.control_points import gcp_transform, warped_by_gcps
from scinet.raster.grid import SQUARE_WITHIN, Grid
from scinet.raster.header_cost import check_header
from scinet.raster.jpeg2000 import decoded, is_jpeg2000
from scinet.raster.photo import GPS_NOTE, photo_notes, shot_of, upright
from scinet.raster.resolution import has_place_on_earth, local_metres
from scinet.web_proxy import gdal_options

MAX_PIXELS = 100_000_000

MAX_BLOCK_VALUES = 4 * MAX_PIXELS
MAX_BLOCK_BYTES = 10 * MAX_PIXELS

BYTES_PER_PX = 16  # of an image with as many pixels as are allowed: four bands of float32

MIN_SIDE_PX = 8

_OPENING_S = 60  # for all requests that it takes to open the file at an address

_CODECS = {"JXL": "JPEG XL"}

Source = str | Path | bytes | BinaryIO

# Formats are told by content, never by suffix, and only these drivers may look: a VRT or other XML could
# make GDAL read any file or address.
_DRIVERS = ["GTiff", "PNG", "JPEG", "WEBP"]  # GTiff reads COG too, and what JPEG 2000 files are decoded to

_GDAL_OPTIONS = {
    "GDAL_CACHEMAX": 64_000_000,  # bytes of decoded blocks; by default a twentieth of the machine's memory
    # The file alone counts: no world files, .aux.xml, .msk or .ovr that happen to lie next to it.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": False,
    # Damaged JPEG and PNG files must fail. By default the first gives grey blocks, and GDAL's own decoder
    # gives a truncated PNG's missing rows whatever was in memory.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
}


def is_remote(source: object) -> bool:
    """Whether a source is an http or https address, or one of an object store."""
    return web.is_url(source) or store.is_in_store(source)


def source_name(source: Source) -> str:
    """What to call a source in a message."""
    if is_remote(source):
        return web.file_name(str(source))
    if isinstance(source, str | Path):
        return Path(source).name or str(source)
    name = getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) and name else "The file"


@contextmanager
def open_raster(
    source: Source,
    name: str,
    *,
    max_pixels: int = MAX_PIXELS,
    by_windows: bool = False,
    overview: int | None = None,
    page: int = 1,
) -> Iterator[DatasetReader]:
    """Open a raster file; in the block, whatever GDAL cannot read becomes a RasterError.

    Args:
        source: Path, bytes or open binary file; where `by_windows`, an address of the web or of an object store too.
        name: What to call it in a message.
        max_pixels: The most pixels that the file may have.
        by_windows: Whether it is read by windows: then a GeoTIFF may have any size, if its blocks fit in memory.
        overview: Index (from 0) of the overview to open in place of the image; None for the image.
        page: Of a TIFF with several, from 1.

    Raises:
        RasterError: The file cannot be opened or read, is too large, or has no such page.
    """
    address = str(source) if by_windows and is_remote(source) else None
    path, content = _path_or_bytes(source, name) if address is None else (_gdal_path(address), b"")
    if address is None:
        check_header(path or content, name)
    is_decoded = address is None and is_jpeg2000(path or content)
    if is_decoded:
        path, content = str(decoded(path or content, name, max_pixels)), b""
    drivers, options = (["GTiff"] if address else _DRIVERS), _GDAL_OPTIONS | _remote_options(address)
    opened = False
    try:
        with warnings.catch_warnings(), rasterio.Env(**options), ExitStack() as files:
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.Env(**_remote_options(address, _OPENING_S)):
                if address:
                    _read_directories(str(path), drivers)
                first = files.enter_context(_dataset(path, content, drivers, overview))
                stored = files.enter_context(_page(first, page, overview, name))
            opened = True
            if is_decoded or not (by_windows and stored.driver == "GTiff"):
                check_size(stored, name, max_pixels)
            check_blocks(stored, name)
            yield files.enter_context(warped_by_gcps(files.enter_context(upright(stored, path or content))))
    except (RasterioError, CPLE_BaseError, OSError, UnicodeDecodeError) as error:
        raise RasterError(_why_not(error, name, address, opened=opened)) from None
    except MemoryError:
        raise RasterError(f"{name} does not fit in memory. Cut or shrink it first.") from None


def _why_not(error: Exception, name: str, address: str | None, *, opened: bool) -> str:
    """What is wrong with a file that GDAL cannot read."""
    if address and web.is_url(address):
        return f"{name} cannot be read from its address: it is damaged, or the connection failed. Try again."
    if address:
        return (
            f"{name} cannot be read from its store as a GeoTIFF: check the address, your credentials and, for S3, "
            "AWS_REGION."
        )
    if codec := re.search(r"missing codec (\w+)", str(error)):
        compression = _CODECS.get(codec[1], codec[1])
        return (
            f"{name} is a GeoTIFF compressed with {compression}, which this installation cannot read. "
            "Save it with another compression: gdal_translate -co COMPRESS=DEFLATE IN OUT."
        )
    if not opened:
        return f"{name} cannot be read as an image. Give a GeoTIFF, PNG, JPEG, WebP or JPEG 2000."
    return f"{name} is damaged or incomplete: its pixels cannot be read."


def _gdal_path(address: str) -> str:
    return web.gdal_path(address) if web.is_url(address) else store.gdal_path(address)


def _remote_options(address: str | None, deadline_s: float | None = None) -> dict[str, Any]:
    """GDAL's options for an address; none for a local file."""
    if address is None:
        return {}
    if web.is_url(address):
        return gdal_options(deadline_s)
    return web.GDAL_OPTIONS | store.gdal_options()  # without the proxy: the environment names the store


def _path_or_bytes(source: Source, name: str) -> tuple[str | None, bytes]:
    """The path of a local file, or the bytes of any other source."""
    if isinstance(source, str | Path):
        return _local_path(source, name), b""
    content = source_bytes(source, name)
    if not content:
        raise RasterError(f"{name} is empty (0 bytes).")
    return None, content


def _read_directories(path: str, drivers: list[str]) -> None:
    """Have GDAL fetch and cache the headers of a file and of its overviews.

    Opening an overview fetches them with Python's lock released. Otherwise rasterio's properties for overviews and
    masks would fetch them while holding it, and all sessions of the app would wait for the network.
    """
    with suppress(RasterioError, CPLE_BaseError), DatasetReader(path, driver=drivers, overview_level=0):
        pass  # there is nothing more to fetch for a file without overviews


@contextmanager
def _dataset(path: str | None, content: bytes, drivers: list[str], overview: int | None) -> Iterator[DatasetReader]:
    options = {"driver": drivers} if overview is None else {"driver": drivers, "overview_level": overview}
    if path is not None:
        with DatasetReader(path, **options) as dataset:
            yield dataset
    else:
        with MemoryFile(content) as memory, memory.open(**options) as dataset:  # does not copy the bytes
            yield dataset


@contextmanager
def _page(first: DatasetReader, page: int, overview: int | None, name: str) -> Iterator[DatasetReader]:
    """A page of a TIFF, of which the first is open."""
    if page == 1:
        yield first
        return
    pages = first.subdatasets if first.driver == "GTiff" else []
    if page > max(1, len(pages)):
        raise RasterError(f"{name} has {max(1, len(pages))} pages, so page {page} cannot be read. Choose another.")
    options = {} if overview is None else {"overview_level": overview}
    with DatasetReader(pages[page - 1], driver=["GTiff"], **options) as dataset:
        yield dataset


def grid_of(
    dataset: DatasetReader, name: str, cm_per_px: float | None, choice: ImageChoice = LIKELIEST
) -> tuple[Grid, tuple[str, ...]]:
    """The grid of an open file, and notes about it.

    Args:
        dataset: The open file.
        name: What to call it in a message.
        cm_per_px: Its resolution on the ground, used only where it has no place on the earth.
        choice: What places it instead, and its CRS, used only where the file has a transform without one.

    Raises:
        GsdMissingError: It has no place on the earth and `cm_per_px` is None.
        RasterError: It is smaller than 8 px, or its georeference is off the earth.
    """
    if min(dataset.width, dataset.height) < MIN_SIDE_PX:
        raise RasterError(
            f"{name} is only {dataset.width} x {dataset.height} px. "
            f"Give an image of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} px."
        )
    notes = list(photo_notes(dataset))
    if dataset.driver == "GTiff" and len(dataset.subdatasets) > 1:
        notes.append(f"{name} has {len(dataset.subdatasets)} pages; the first is read. Choose another with --page N.")
    transform, found = _chosen_place(dataset, choice)
    metres_per_unit = local_metres(dataset.crs) if found is None and has_transform(dataset) else None
    if metres_per_unit is not None:
        transform = Affine.scale(metres_per_unit) @ transform
        notes.append(
            f"{name} has a local CRS: its size and origin are taken, in metres, but it has no place on the map."
        )
    elif found is None:
        if cm_per_px is None:
            raise _resolution_missing(dataset, name, choice)
        metres = cm_per_px / 100.0
        transform = Affine(metres, 0.0, 0.0, 0.0, -metres, 0.0)
    elif choice.place is None and isinstance(dataset, WarpedVRT):
        notes.append(f"{name} is warped to its ground control points.")
    elif choice.place is None and dataset.gcps[0]:
        notes.append(f"{name} is placed by its {len(dataset.gcps[0])} ground control points.")
    grid = Grid(dataset.height, dataset.width, transform, found)
    x, y = grid.metres_per_px
    if abs(x / y - 1.0) > SQUARE_WITHIN:
        notes.append(
            f"Pixels are {100 * x:.3g} x {100 * y:.3g} cm on the ground; "
            f"their geometric mean, {100 * math.sqrt(x * y):.3g} cm, counts as the resolution."
        )
    return grid, tuple(notes)


def _resolution_missing(dataset: DatasetReader, name: str, choice: ImageChoice) -> GsdMissingError:
    shot = None if has_transform(dataset) else shot_of(dataset)
    parts = (_why_no_place(dataset, name, choice), shot.text if shot else "")
    return GsdMissingError(" ".join(filter(None, parts)), shot.cm_per_px if shot else None)


def _chosen_place(dataset: DatasetReader, choice: ImageChoice) -> tuple[Affine, CRS | None]:
    """The transform and CRS of an open file, as far as the reader has not chosen others."""
    transform, crs = place(dataset)
    if choice.place is not None:
        transform, crs = choice.place[0], choice.place[1] or crs
    is_placed = has_transform(dataset) or choice.place is not None
    return transform, choice.crs if crs is None and is_placed and has_place_on_earth(choice.crs) else crs


def _why_no_place(dataset: DatasetReader, name: str, choice: ImageChoice) -> str:
    if choice.place is not None:
        return f"The world file of {name} names no CRS. Give it (--crs EPSG:N), or the image's resolution in cm/px."
    if dataset.crs and has_transform(dataset):
        return f"{name} has a local CRS without a place on the earth. Give its resolution in cm/px."
    if has_transform(dataset):
        return (
            f"{name} has coordinates but names no CRS for them. Give the CRS (--crs EPSG:N), or the image's resolution "
            "in cm/px."
        )
    if dataset.gcps[0]:
        return (
            f"{name} has ground control points without a CRS. Save them with one (gdal_translate -a_srs EPSG:N), or "
            "give the image's resolution in cm/px."
        )
    if dataset.rpcs is not None:
        return (
            f"{name} is placed by RPCs alone, which need a rectification first: gdalwarp -rpc IN OUT. "
            "Or give its resolution in cm/px."
        )
    if photo_notes(dataset)[-1:] == (GPS_NOTE,):
        return f"{name} carries no georeference: its GPS position is the camera's alone. Give its resolution in cm/px."
    return f"{name} carries no georeference. Give its resolution in cm/px."


def place(dataset: DatasetReader) -> tuple[Affine, CRS | None]:
    """The transform and CRS of an open file; None where the file does not place every pixel on the earth.

    RPCs need a rectification first; a transform without a CRS (a world file's) has unknown units. Ground control
    points count where they agree with a transform; `open_raster` warps an image with others.
    """
    affine, crs = gcp_transform(dataset)
    if affine is not None:
        return affine, crs
    if not has_transform(dataset) or not has_place_on_earth(dataset.crs):
        return dataset.transform, None
    return dataset.transform, dataset.crs


def has_transform(dataset: DatasetReader) -> bool:
    """Whether the file has one: the identity is what GDAL gives for "none"."""
    return bool(dataset.transform != Affine.identity())


def source_bytes(source: bytes | BinaryIO, name: str) -> bytes:
    """The content of bytes or of an open binary file, from its start. Raises RasterError where it cannot be read."""
    if isinstance(source, bytes):
        return source
    with _open_errors(name):
        source.seek(0)
        return source.read()


def _local_path(source: str | Path, name: str) -> str:
    """A plain local file, absolute: GDAL would take "/vsicurl/...", "zip://" or "GTIFF_DIR:" for more."""
    with _open_errors(name):
        path = Path(source).resolve()
        if path.is_dir():
            raise RasterError(f"{name} is a folder. Give an image file.")
        with open_regular(path) as file:
            if not file.read(1):
                raise RasterError(f"{name} is empty (0 bytes).")
        return str(path)


@contextmanager
def _open_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no such file"
        raise RasterError(f"{name} cannot be opened: {reason}.") from None


def check_size(dataset: DatasetReader, name: str, max_pixels: int) -> None:
    """Refuse what would not fit in memory from the header alone: a small file can claim any size."""
    if dataset.count == 0:
        raise RasterError(f"{name} has no bands. Give an image.")
    values = dataset.width * dataset.height * dataset.count
    # Bands beyond the shown ones are decoded with them where pixels are interleaved, hence a limit for both.
    if dataset.width * dataset.height > max_pixels or values > 16 * max_pixels:
        raise RasterError(
            f"{name} is {dataset.width} x {dataset.height} px with {dataset.count} bands; "
            f"at most {max_pixels / 1e6:g} million pixels can be opened. Cut or shrink it first."
        )
    size_bytes, most_bytes = values * _value_bytes(dataset), BYTES_PER_PX * max_pixels
    if size_bytes > most_bytes:
        raise RasterError(
            f"{name} has {size_bytes / 1e6:,.0f} MB of values; at most {most_bytes / 1e6:,.0f} MB can be opened. "
            "Save it with fewer bands or as uint8 (gdal_translate -b N -ot Byte IN OUT), or cut it first."
        )


def check_blocks(dataset: DatasetReader, name: str) -> None:
    """Refuse blocks that would not fit in memory: GDAL decodes whole ones, whatever the window."""
    if dataset.count == 0:
        raise RasterError(f"{name} has no bands. Give an image.")
    height, width = max(dataset.block_shapes, key=lambda shape: shape[0] * shape[1])
    values = height * width * dataset.count
    if values > MAX_BLOCK_VALUES or values * _value_bytes(dataset) > MAX_BLOCK_BYTES:
        raise RasterError(
            f"{name} is stored in pieces of {width} x {height} px, too large to read a part of it. "
            "Save it in tiles: gdal_translate -of COG IN OUT."
        )


def _value_bytes(dataset: DatasetReader) -> int:
    """Bytes of a value in memory."""
    kind = dataset.dtypes[0]
    return 16 if kind.startswith("complex") else np.dtype(kind).itemsize
