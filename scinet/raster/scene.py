"""Images that may be too large for memory: the header first, then all of it, an overview, windows or rows."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import Env
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.windows import Window

from scinet import web
from scinet.camera.shot import Shot
from scinet.errors import NodataError, RasterError
from scinet.raster.bands import Rendering, choose_rendering, read_colours, read_decimated_colours, stretch_sample
from scinet.raster.choice import LIKELIEST, ImageChoice
from scinet.raster.grid import Grid
from scinet.raster.open import (
    MAX_PIXELS,
    MIN_SIDE_PX,
    Source,
    grid_of,
    is_remote,
    open_raster,
    source_bytes,
    source_name,
)
from scinet.raster.photo import shot_of, taken_on
from scinet.raster.raster import Raster
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.stream import Band, RowStream

# Pixels that may be decoded for an overview: some seconds' worth from a disk, and from the web.
MAX_DECIMATED_PIXELS = 400_000_000
MAX_DECIMATED_WEB_PIXELS = 25_000_000
_BAND_PX = 1_000_000  # of a scene's rows at a time
_MIN_CACHE_BYTES, _MAX_CACHE_BYTES = 32_000_000, 160_000_000  # of decoded blocks

Place = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layout:
    """What a file holds, among which a reader may choose.

    Attributes:
        bands: What each band is called; "" where the file does not say.
        alpha: The number of the band of transparency, from 1, or None.
        shown: The numbers of the bands that are shown.
        pages: How many images it has.
        stretch: The values that become black and white; None where they are shown as they are.
    """

    bands: tuple[str, ...]
    alpha: int | None
    shown: tuple[int, ...]
    pages: int
    stretch: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """An image that is read in parts; it keeps no file open and may be read by several threads.

    Attributes:
        source: Path, address, or the bytes of a file, which each read opens again.
        name: What to call it in a message.
        grid: Its size in px, its place and its ground resolution.
        block: Rows and columns of the blocks that the file decodes at once.
        overviews: Factors by which the file's own overviews are coarser, in its order.
        notes: What reading does to the image, in sentences for the reader.
        choice: What the reader says about the image where its file leaves it open.
        shot: What a photo says about its own flight; None where it says nothing.
        taken: The day of which its file is; None where it does not say.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from scinet.raster.geotiff import write_raster
        >>> noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
        >>> place = Affine(0.1, 0, 810_000, 0, -0.1, 620_000)
        >>> image = Raster(noise, np.ones((400, 600), bool), place, CRS.from_epsg(32630))
        >>> with TemporaryDirectory() as folder:
        ...     write_raster(f"{folder}/image.tif", image)
        ...     scene = open_scene(f"{folder}/image.tif")
        ...     part = scene.window(column_px=100, row_px=50, width_px=64, height_px=32)
        >>> scene.grid.shape, round(scene.cm_per_px, 2), part.shape
        ((400, 600), 9.99, (32, 64))
        >>> bool((part.pixels == noise[50:82, 100:164]).all())
        True
    """

    source: str | bytes
    name: str
    grid: Grid
    block: tuple[int, int]
    overviews: tuple[int, ...]
    notes: tuple[str, ...] = ()
    choice: ImageChoice = LIKELIEST
    shot: Shot | None = None
    taken: date | None = None

    @property
    def width(self) -> int:
        """Columns in px."""
        return self.grid.width

    @property
    def height(self) -> int:
        """Rows in px."""
        return self.grid.height

    @property
    def transform(self) -> Affine:
        """Pixel coordinates -> CRS units, as in `Raster`."""
        return self.grid.transform

    @property
    def crs(self) -> CRS | None:
        """None where the image has no place on the earth."""
        return self.grid.crs

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    @property
    def is_remote(self) -> bool:
        """Whether it is read from the web or from an object store."""
        return is_remote(self.source)

    @property
    def cm_per_px(self) -> float:
        """GSD: ground centimetres per pixel at the scene's centre, the geometric mean of x and y."""
        return self.grid.cm_per_px

    @property
    def all_notes(self) -> tuple[str, ...]:
        """What reading does to the image, its choice of bands and colours included. Reads samples the first time."""
        return (*self._rendering.notes, *self.notes)

    def read(self) -> Raster:
        """The whole image in memory.

        Raises:
            NodataError: It holds nodata only.
            RasterError: It has more than 100 million pixels, or cannot be read.
        """
        return self.window(0, 0, self.width, self.height)

    def rows(self, cm_per_px: float) -> RowStream:
        """The whole scene in bands, for work at a GSD in cm/px: at least as fine as that.

        A scene that would fit in memory (100 million pixels) comes at its native GSD, and gives what `read_raster`
        gives; a larger one from the coarsest of the file's own overviews that will do.
        """
        shrink = 1.001 * cm_per_px / self.cm_per_px
        levels = [level for level, factor in enumerate(self.overviews) if factor <= shrink and self.pixels > MAX_PIXELS]
        return _SceneRows(self, max(levels, key=lambda level: self.overviews[level], default=None))

    def overview(self, max_px: int) -> Raster:
        """The whole scene, decimated so that its longer side has at most `max_px` pixels.

        Raises:
            NodataError: It holds nodata only.
            RasterError: The scene is large and the file has no overviews to take it from, or it cannot be read.
        """
        shape = self._overview_shape(max_px)
        shrink = max(1.0, max(self.width, self.height) / max_px)
        levels = [level for level, factor in enumerate(self.overviews) if factor <= shrink]
        level = max(levels, key=lambda level: self.overviews[level], default=None)
        decoded = self.pixels / (1 if level is None else self.overviews[level] ** 2)
        if decoded > (MAX_DECIMATED_WEB_PIXELS if self.is_remote else MAX_DECIMATED_PIXELS):
            raise self._no_overviews()
        rendering = self._rendering
        # The overview itself, not the image with a smaller output: GDAL would read masks of the whole image then.
        with self._open(level) as dataset:
            pixels, valid = read_decimated_colours(dataset, rendering, shape)
        if not valid.any():
            raise NodataError(self._blank)
        return Raster(pixels, valid, self.grid.resized(shape).transform, self.crs, self.all_notes)

    def window(self, column_px: int, row_px: int, width_px: int, height_px: int) -> Raster:
        """The part with its upper left corner at a column and row of the scene, at the native resolution.

        Raises:
            NodataError: It holds nodata only.
            RasterError: It is not within the scene, has more than 100 million pixels, or cannot be read.
        """
        with self._open() as dataset:
            return self._window_of(dataset, (column_px, row_px, width_px, height_px))

    def windows(self, places: Iterable[Place]) -> Iterator[Raster | RasterError]:
        """What `window` returns or raises for each place, (column, row, width, height) in px.

        The file is opened once: for a JPEG-compressed one, that takes longer than to decode 1024 x 1024 px.
        """
        rest = deque(places)
        while rest:
            try:
                with self._open() as dataset:
                    while rest:
                        found: Raster | RasterError
                        try:
                            found = self._window_of(dataset, rest[0])
                        except NodataError as nodata:
                            found = nodata
                        rest.popleft()
                        yield found
            except RasterError as damage:  # the file is opened again for the next ones
                rest.popleft()
                yield damage

    def _overview_shape(self, max_px: int) -> tuple[int, int]:
        """Height and width of an overview."""
        shrink = max(1.0, max(self.width, self.height) / max_px)
        return max(1, round(self.height / shrink)), max(1, round(self.width / shrink))

    def _no_overviews(self) -> RasterError:
        return RasterError(
            f"{self.name} has {self.width} x {self.height} px and no overviews, so it cannot be shown as a whole. "
            "Add them with gdaladdo, or save it with gdal_translate -of COG."
        )

    def _check(self, place: Place) -> None:
        """Raise RasterError for a window that is too small, too large, or not within the scene."""
        column_px, row_px, width_px, height_px = place
        if min(width_px, height_px) < MIN_SIDE_PX or width_px * height_px > MAX_PIXELS:
            raise RasterError(
                f"A window of {width_px} x {height_px} px cannot be read: at least {MIN_SIDE_PX} x {MIN_SIDE_PX} px "
                f"and at most {MAX_PIXELS / 1e6:g} million pixels can."
            )
        if min(column_px, row_px) < 0 or column_px + width_px > self.width or row_px + height_px > self.height:
            raise RasterError(
                f"The window of {width_px} x {height_px} px at column {column_px}, row {row_px} reaches beyond "
                f"{self.name}, which has {self.width} x {self.height} px."
            )

    def _window_of(self, dataset: DatasetReader, place: Place) -> Raster:
        self._check(place)
        return self._read(dataset, place)

    def _read(self, dataset: DatasetReader, place: Place) -> Raster:
        """A place of the scene from its file, opened without an overview."""
        column_px, row_px, width_px, height_px = place
        if "_rendering" not in self.__dict__:  # the cached property would open the file once more
            self.__dict__["_rendering"] = choose_rendering(dataset, self.choice)
        return self._raster(
            place, *read_colours(dataset, self._rendering, Window(column_px, row_px, width_px, height_px))
        )

    def _raster(self, place: Place, pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Raster:
        """The pixels of a place. Raises NodataError where none is valid."""
        column_px, row_px, _, _ = place
        if not valid.any() and pixels.shape[:2] == self.grid.shape:
            raise NodataError(self._blank)
        if not valid.any():
            raise NodataError(
                f"{self.name} holds no image at column {column_px}, row {row_px}: the window is nodata. Move it."
            )
        corner = Affine.translation(column_px, row_px)
        return Raster(pixels, valid, self.transform @ corner, self.crs, self.all_notes, self.taken)

    def layout(self) -> Layout:
        """The bands and pages of its file.

        Raises:
            RasterError: It cannot be read.
        """
        rendering = self._rendering
        with self._open() as dataset:
            names = [
                described or ("" if colour.name in ("gray", "undefined", "palette") else colour.name)
                for described, colour in zip(dataset.descriptions, dataset.colorinterp, strict=True)
            ]
        with open_raster(self.source, self.name, by_windows=True) as first:
            pages = len(first.subdatasets) if first.driver == "GTiff" else 1
        return Layout(tuple(names), rendering.alpha, tuple(rendering.bands), max(1, pages), rendering.stretch)

    def stretched_by(self, stretch: tuple[float, float] | None) -> "Scene":
        """The scene with another stretch, if it has more than 8 bits and `stretch` is not None."""
        if stretch is None or self.stretch_sample() is None:
            return self
        return replace(self, choice=replace(self.choice, stretch=stretch))

    def stretch_sample(self) -> NDArray[Any] | None:
        """Valid values (n,) that tell the stretch of the scene; None where it is shown as it is.

        Raises:
            RasterError: It cannot be read.
        """
        with self._open() as dataset:
            return stretch_sample(dataset, self.choice)

    @property
    def _blank(self) -> str:
        return f"{self.name} holds no image: all of its pixels are nodata or transparent."

    @cached_property
    def _rendering(self) -> Rendering:
        with self._open() as dataset:
            return choose_rendering(dataset, self.choice)

    def _open(self, overview: int | None = None) -> AbstractContextManager[DatasetReader]:
        return open_raster(self.source, self.name, by_windows=True, overview=overview, page=self.choice.page)


class _SceneRows:
    """The rows of a scene, or of one of its overviews; each block of the file is decoded once."""

    def __init__(self, scene: Scene, level: int | None) -> None:
        self._scene, self._level = scene, level
        with scene._open(level) as dataset:
            self.grid = scene.grid.resized(dataset.shape)

    def bands(self, start: int = 0) -> Iterator[Band]:
        rendering = self._scene._rendering
        with self._scene._open(self._level) as dataset:
            block_rows, block_columns = dataset.block_shapes[0]
            columns = -(-dataset.width // block_columns) * block_columns
            block_row_bytes = block_rows * columns * sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
            rows = max(1, _BAND_PX // dataset.width)
            if block_row_bytes > _MAX_CACHE_BYTES or rows >= block_rows:
                rows = max(1, rows // block_rows) * block_rows
            else:  # several bands from a row of blocks, which stays in the cache meanwhile
                rows = next(count for count in range(rows, 0, -1) if block_rows % count == 0)
            with Env(GDAL_CACHEMAX=max(_MIN_CACHE_BYTES, int(1.1 * block_row_bytes))):
                for top in range(start // rows * rows, dataset.height, rows):
                    part = Window(0, top, dataset.width, min(rows, dataset.height - top))
                    yield Band(top, *read_colours(dataset, rendering, part))


def read_raster(
    source: Source,
    *,
    cm_per_px: float | None = None,
    max_pixels: int = MAX_PIXELS,
    choice: ImageChoice = LIKELIEST,
) -> Raster:
    """Read an image from a path, from bytes or from an open binary file: `open_scene(source).read()` in one go.

    GeoTIFF (COG too), PNG, JPEG, WebP and JPEG 2000, told by their content; 1 to many bands of any real
    type, palettes, alpha, masks and nodata (see `scinet.raster.bands.read_colours`). A georeference is a CRS and a
    transform within the file.

    Args:
        source: Path, bytes or open binary file.
        cm_per_px: Its resolution in ground centimetres, used only where the file has no georeference.
        max_pixels: The most pixels that it may have, checked before any is decoded.
        choice: Bands, nodata and CRS, where the file leaves them open; by default the likeliest.

    Returns:
        The image: uint8 RGB (H, W, 3), which of its pixels are valid, and its place.

    Raises:
        GsdMissingError: There is neither a georeference nor `cm_per_px`.
        ResolutionError: `cm_per_px` is not a number from 0.5 to 2000.
        RasterError: The file cannot be read, is smaller than 8 px, has more than `max_pixels` pixels, is not on the
            earth, or holds nodata only.

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("RGB", (60, 40), (200, 100, 50)).save(file, "PNG")
        >>> raster = read_raster(file, cm_per_px=12.5)
        >>> raster.shape, raster.pixels[0, 0].tolist(), raster.cm_per_px
        ((40, 60), [200, 100, 50], 12.5)
    """
    if is_remote(source):
        return open_scene(source, cm_per_px=cm_per_px, choice=choice).read()
    cm_per_px = None if cm_per_px is None else parse_cm_per_px(cm_per_px)
    name = source_name(source)
    source = _reopenable(source, name)
    if (indirect := _indirect(source, name, cm_per_px, choice)) is not None:
        return indirect.read()
    with open_raster(source, name, max_pixels=max_pixels, page=choice.page) as dataset:
        scene = _scene_of(dataset, source, name, cm_per_px, choice)
        return scene._read(dataset, (0, 0, scene.width, scene.height))


def open_scene(
    source: Source,
    *,
    cm_per_px: float | None = None,
    name: str | None = None,
    choice: ImageChoice = LIKELIEST,
) -> Scene:
    """Open an image of any size: its header is read, its pixels are not.

    A GeoTIFF may have any size, and so may an image in tiles: a GeoPackage, MBTiles, PMTiles or a folder
    zoom/column/row.png. Other formats, which are decoded as a whole, may have at most 100 million pixels.

    Args:
        source: Path; http(s) address of a COG, of tiles, of a service or of a STAC item; address of a COG in an object
            store (s3://, gs://, az://), with the credentials of the environment; bytes or open binary file.
        cm_per_px: Its resolution in ground centimetres, used only where the file has no georeference.
        name: What to call it in a message; by default the file's name.
        choice: Bands, nodata and CRS, where the file leaves them open; by default the likeliest.

    Raises:
        GsdMissingError: There is neither a georeference nor `cm_per_px`.
        ResolutionError: `cm_per_px` is not a number from 0.5 to 2000.
        RasterError: The file cannot be opened, or its blocks do not fit in memory.

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("RGB", (60, 40)).save(file, "PNG")
        >>> scene = open_scene(file, cm_per_px=12.5, name="tile.png")
        >>> scene.name, scene.grid.shape, scene.cm_per_px
        ('tile.png', (40, 60), 12.5)
    """
    cm_per_px = None if cm_per_px is None else parse_cm_per_px(cm_per_px)
    name = name or source_name(source)
    source = _reopenable(source, name)
    if (indirect := _indirect(source, name, cm_per_px, choice)) is not None:
        return indirect
    if web.is_url(source):
        web.check_url(str(source))
    with open_raster(source, name, by_windows=True, page=choice.page) as dataset:
        scene = _scene_of(dataset, source, name, cm_per_px, choice)
        if scene.is_remote and scene.block[1] == scene.width and scene.pixels > MAX_DECIMATED_WEB_PIXELS:
            raise RasterError(
                f"{name} is not a Cloud Optimized GeoTIFF: it has no tiles. Download it, or save it with "
                "gdal_translate -of COG."
            )
        return scene


def _indirect(source: str | bytes, name: str, cm_per_px: float | None, choice: ImageChoice) -> Scene | None:
    from scinet.raster.pyramid.open import open_indirect  # builds on this module

    return open_indirect(source, name, cm_per_px, choice)


def _reopenable(source: Source, name: str) -> str | bytes:
    return str(source) if isinstance(source, str | Path) else source_bytes(source, name)


def _scene_of(
    dataset: DatasetReader, source: str | bytes, name: str, cm_per_px: float | None, choice: ImageChoice
) -> Scene:
    grid, notes = grid_of(dataset, name, cm_per_px, choice)
    blocks, overviews = max(dataset.block_shapes), tuple(dataset.overviews(1))
    return Scene(source, name, grid, blocks, overviews, notes, choice, shot_of(dataset), taken_on(dataset))
