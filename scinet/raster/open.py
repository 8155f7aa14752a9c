"""Opens raster files that others wrote: the only place that does, with known drivers and bounded memory."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile
from rasterio.transform import Affine

from scinet import web
from scinet.errors import GsdMissingError, RasterError
from scinet.raster.bands import choose_rendering, read_colours
from scinet.raster.raster import Raster
from scinet.raster.resolution import ground_metres_per_px, has_place_on_earth, parse_cm_per_px

MAX_PIXELS = 100_000_000

MAX_BLOCK_VALUES = 4 * MAX_PIXELS

MIN_SIDE_PX = 8

Source = str | Path | bytes | BinaryIO

# Formats are told by content, never by suffix, and only these drivers may look: a VRT or other XML could
# make GDAL read any file or address.
_DRIVERS = ["GTiff", "PNG", "JPEG", "WEBP", "JP2OpenJPEG"]  # GTiff reads COG too

_GDAL_OPTIONS = {
    "GDAL_CACHEMAX": 64_000_000,  # bytes of decoded blocks; by default a twentieth of the machine's memory
    # The file alone counts: no world files, .aux.xml, .msk or .ovr that happen to lie beside it.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": False,
    # Damaged JPEG and PNG files must fail. By default the first gives grey blocks, and GDAL's own decoder
    # gives a truncated PNG's missing rows whatever was in memory.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
}


def read_raster(source: Source, *, cm_per_px: float | None = None, max_pixels: int = MAX_PIXELS) -> Raster:
    """Read an image from a path, from bytes or from an open binary file.

    GeoTIFF (COG too), PNG, JPEG, WebP and JPEG 2000, told by their content; 1 to many bands of any real
    type, palettes, alpha, masks and nodata (see `scinet.raster.bands.read_colours`). A georeference is a CRS and a
    transform within the file; `cm_per_px` (ground centimetres) is used only where there is none.

    Raises GsdMissingError where there is neither, ResolutionError where `cm_per_px` is no usable number and
    RasterError where the file cannot be read, is smaller than 8 px, has more than `max_pixels` pixels
    (checked before any is decoded), is not on the earth, or holds nodata only.
    """
    if cm_per_px is not None:
        cm_per_px = parse_cm_per_px(cm_per_px)
    name = source_name(source)
    with open_raster(source, name, max_pixels=max_pixels) as dataset:
        transform, crs, notes = georeference(dataset, name, cm_per_px)
        look = choose_rendering(dataset)
        pixels, valid = read_colours(dataset, look)
    if not valid.any():
        raise RasterError(f"{name} holds no image: all of its pixels are nodata or transparent.")
    return Raster(pixels, valid, transform, crs, (*look.notes, *notes))


def source_name(source: Source) -> str:
    """What to call a source in a message."""
    if web.is_url(source):
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
) -> Iterator[DatasetReader]:
    """Open a raster file; within, whatever GDAL cannot read becomes a RasterError.

    It has at most `max_pixels` pixels, unless it is to be read `by_windows` and its format can be: then a
    GeoTIFF may have any size, as long as its blocks fit in memory, and lie at an http or https address.
    `overview` opens the file's own overview of that index (from 0) in its place.
    """
    by_url = by_windows and web.is_url(source)
    path, content = (web.gdal_path(str(source)), b"") if by_url else _path_or_bytes(source, name)
    drivers, options = (["GTiff"], _GDAL_OPTIONS | web.GDAL_OPTIONS) if by_url else (_DRIVERS, _GDAL_OPTIONS)
    opened = False
    try:
        with warnings.catch_warnings(), rasterio.Env(**options):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            if by_url:
                _read_directories(str(path), drivers)
            with _dataset(path, content, drivers, overview) as dataset:
                opened = True
                if by_windows and dataset.driver == "GTiff":
                    _check_blocks(dataset, name)
                else:
                    _check_size(dataset, name, max_pixels)
                yield dataset
    except (RasterioError, CPLE_BaseError, OSError):
        if by_url:
            raise RasterError(
                f"{name} cannot be read from its address: it is damaged, or the connection failed. Try again."
            ) from None
        if not opened:
            raise RasterError(
                f"{name} is no image that can be read. Give a GeoTIFF, PNG, JPEG, WebP or JPEG 2000."
            ) from None
        raise RasterError(f"{name} is damaged or incomplete: its pixels cannot be read.") from None
    except MemoryError:
        raise RasterError(f"{name} does not fit in memory. Cut or shrink it first.") from None


def _read_directories(path: str, drivers: list[str]) -> None:
    """Have GDAL fetch a file's header and those of its overviews, which it then has at hand.

    Opening an overview does so while other threads run. Where it is left to rasterio's questions about overviews and
    masks, those wait for the network with Python's lock held, and all sessions of the app with them.
    """
    with suppress(RasterioError, CPLE_BaseError), DatasetReader(path, driver=drivers, overview_level=0):
        pass  # a file without overviews is opened in vain


@contextmanager
def _dataset(path: str | None, content: bytes, drivers: list[str], overview: int | None) -> Iterator[DatasetReader]:
    options = {"driver": drivers} if overview is None else {"driver": drivers, "overview_level": overview}
    if path is not None:
        with DatasetReader(path, **options) as dataset:
            yield dataset
    else:
        with MemoryFile(content) as memory, memory.open(**options) as dataset:  # no copy of the bytes
            yield dataset


def georeference(
    dataset: DatasetReader, name: str, cm_per_px: float | None
) -> tuple[Affine, CRS | None, tuple[str, ...]]:
    """Transform, CRS and notes of an open file; `cm_per_px` is used only where it has no place on the earth.

    Raises GsdMissingError where there is neither, RasterError where the file is smaller than 8 px or off the earth.
    """
    if min(dataset.width, dataset.height) < MIN_SIDE_PX:
        raise RasterError(
            f"{name} is only {dataset.width} x {dataset.height} px. "
            f"Give an image of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} px."
        )
    transform, crs = _place(dataset)
    if crs is None:
        if cm_per_px is None:
            raise GsdMissingError(f"{name} carries no georeference. Give its resolution in cm/px.")
        metres = cm_per_px / 100.0
        transform = Affine(metres, 0.0, 0.0, 0.0, -metres, 0.0)
    x, y = ground_metres_per_px(transform, crs, dataset.width, dataset.height)
    if abs(x / y - 1.0) <= 0.01:
        return transform, crs, ()
    note = (
        f"Pixels are {100 * x:.3g} x {100 * y:.3g} cm on the ground; "
        f"their geometric mean, {100 * math.sqrt(x * y):.3g} cm, counts as the resolution."
    )
    return transform, crs, (note,)


def _path_or_bytes(source: Source, name: str) -> tuple[str | None, bytes]:
    try:
        if isinstance(source, str | Path):
            # A plain local file, absolute: GDAL would take "/vsicurl/...", "zip://" or "GTIFF_DIR:" for more.
            path = Path(source).resolve()
            if path.is_dir():
                raise RasterError(f"{name} is a folder. Give an image file.")
            with path.open("rb") as file:
                empty = not file.read(1)
            content, local = b"", str(path)
        else:
            if not isinstance(source, bytes):
                source.seek(0)
                source = source.read()
            content, local, empty = source, None, not source
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such file"
        raise RasterError(f"{name} cannot be opened: {reason}.") from None
    if empty:
        raise RasterError(f"{name} is empty (0 bytes).")
    return local, content


def _check_size(dataset: DatasetReader, name: str, max_pixels: int) -> None:
    """Refuse what would not fit in memory from the header alone: a small file can claim any size."""
    if dataset.count == 0:
        raise RasterError(f"{name} holds no bands. Give an image.")
    values = dataset.width * dataset.height * dataset.count
    # Bands beyond the shown ones are decoded with them where pixels are interleaved, hence a limit for both.
    if dataset.width * dataset.height > max_pixels or values > 16 * max_pixels:
        raise RasterError(
            f"{name} is {dataset.width} x {dataset.height} px with {dataset.count} bands; "
            f"at most {max_pixels / 1e6:g} million pixels can be opened. Cut or shrink it first."
        )


def _check_blocks(dataset: DatasetReader, name: str) -> None:
    """Refuse blocks that would not fit in memory: GDAL decodes whole ones, whatever the window."""
    if dataset.count == 0:
        raise RasterError(f"{name} holds no bands. Give an image.")
    height, width = max(dataset.block_shapes)
    if height * width * dataset.count > MAX_BLOCK_VALUES:
        raise RasterError(
            f"{name} is stored in pieces of {width} x {height} px, too large to read a part of it. "
            "Save it in tiles: gdal_translate -of COG IN OUT."
        )


def _place(dataset: DatasetReader) -> tuple[Affine, CRS | None]:
    """The transform and CRS, which is None where the file does not place every pixel on the earth.

    The identity is what GDAL gives for "none"; ground control points and RPCs need a rectification first;
    a transform without a CRS (a world file's) has unknown units.
    """
    if dataset.transform == Affine.identity() or not has_place_on_earth(dataset.crs):
        return dataset.transform, None
    return dataset.transform, dataset.crs
