"""Rasters that may be too large for memory: a header at first, then an overview and windows of it."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from rasterio import Env
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy.ndimage import uniform_filter

from scinet import web
from scinet.errors import NodataError, RasterError
from scinet.raster.bands import Rendering, choose_rendering, read_colours, read_decimated_colours
from scinet.raster.grid import Grid
from scinet.raster.open import MAX_PIXELS, MIN_SIDE_PX, Source, georeference, open_raster, source_name
from scinet.raster.raster import Raster
from scinet.raster.resolution import parse_cm_per_px
from scinet.raster.stream import Band, RowStream

# Pixels that may be decoded for an overview: some seconds' worth from a disk, and from the web.
MAX_DECIMATED_PIXELS = 400_000_000
MAX_DECIMATED_WEB_PIXELS = 25_000_000
_BAND_PX = 1_000_000  # of a scene's rows at a time
_MIN_CACHE_BYTES, _MAX_CACHE_BYTES = 32_000_000, 160_000_000  # of decoded blocks

Place = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Scene:
    """An image that is read by parts; it holds no file open and may be read by several threads.

    source     path, http(s) address, bytes or open binary file, which each read opens anew
    name       what to call it in a message
    transform  pixel coordinates -> CRS units, or metres in a local plane where `crs` is None, as in `Raster`
    block      rows and columns of the blocks that the file decodes at once
    overviews  factors by which the file's own overviews are coarser, in its order
    notes      what reading does to the image, in sentences for the page
    """

    source: Source
    name: str
    width: int
    height: int
    transform: Affine
    crs: CRS | None
    block: tuple[int, int]
    overviews: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def is_remote(self) -> bool:
        return web.is_url(self.source)

    @cached_property
    def grid(self) -> Grid:
        return Grid(self.height, self.width, self.transform, self.crs)

    @property
    def cm_per_px(self) -> float:
        """GSD: ground centimetres a pixel at the scene's centre, the geometric mean of x and y."""
        return self.grid.cm_per_px

    @property
    def all_notes(self) -> tuple[str, ...]:
        """What reading does to the image, its choice of bands and colours included. Reads samples at first."""
        return (*self._look.notes, *self.notes)

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

        Raises NodataError where it holds nodata only, RasterError where the scene is large and the file has no
        overviews to take it from, or where it cannot be read.
        """
        shrink = max(1.0, max(self.width, self.height) / max_px)
        shape = max(1, round(self.height / shrink)), max(1, round(self.width / shrink))
        levels = [level for level, factor in enumerate(self.overviews) if factor <= shrink]
        level = max(levels, key=lambda level: self.overviews[level], default=None)
        decoded = self.pixels / (1 if level is None else self.overviews[level] ** 2)
        if decoded > (MAX_DECIMATED_WEB_PIXELS if self.is_remote else MAX_DECIMATED_PIXELS):
            raise RasterError(
                f"{self.name} has {self.width} x {self.height} px and no overviews, so it cannot be shown as a whole. "
                "Add them with gdaladdo, or save it with gdal_translate -of COG."
            )
        look = self._look
        # The overview itself, not the image with a smaller output: GDAL would read masks of the whole image then.
        with self._open(level) as dataset:
            pixels, valid = read_decimated_colours(dataset, look, shape)
        if not valid.any():
            raise NodataError(self._blank)
        scale = Affine.scale(self.width / shape[1], self.height / shape[0])
        return Raster(pixels, valid, self.transform @ scale, self.crs, (*look.notes, *self.notes))

    def window(self, column_px: int, row_px: int, width_px: int, height_px: int) -> Raster:
        """The part with its upper left corner at a column and row of the scene, at the native resolution.

        Raises NodataError where it holds nodata only, RasterError where it is not within the scene, has more than
        100 million pixels or cannot be read.
        """
        with self._open() as dataset:
            return self._window(dataset, (column_px, row_px, width_px, height_px))

    def windows(self, places: Iterable[Place]) -> Iterator[Raster | RasterError]:
        """What `window` gives at some places, (column, row, width, height) in px, or raises there.

        The file is opened once: for a JPEG-compressed one, that takes longer than to decode 1024 x 1024 px.
        """
        rest = deque(places)
        while rest:
            try:
                with self._open() as dataset:
                    while rest:
                        found: Raster | RasterError
                        try:
                            found = self._window(dataset, rest[0])
                        except NodataError as nodata:
                            found = nodata
                        rest.popleft()
                        yield found
            except RasterError as damage:  # the next ones get a file opened anew
                rest.popleft()
                yield damage

    def _window(self, dataset: DatasetReader, place: Place) -> Raster:
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
        look = self._look
        pixels, valid = read_colours(dataset, look, Window(column_px, row_px, width_px, height_px))
        if not valid.any() and pixels.shape[:2] == (self.height, self.width):
            raise NodataError(self._blank)
        if not valid.any():
            raise NodataError(
                f"{self.name} holds no image at column {column_px}, row {row_px}: the window is nodata. Move it."
            )
        return Raster(
            pixels, valid, self.transform @ Affine.translation(column_px, row_px), self.crs, (*look.notes, *self.notes)
        )

    @property
    def _blank(self) -> str:
        return f"{self.name} holds no image: all of its pixels are nodata or transparent."

    @cached_property
    def _look(self) -> Rendering:
        with self._open() as dataset:
            return choose_rendering(dataset)

    def _open(self, overview: int | None = None) -> AbstractContextManager[DatasetReader]:
        return open_raster(self.source, self.name, by_windows=True, overview=overview)


class _SceneRows:
    """The rows of a scene, or of one of its overviews; each block of the file is decoded once."""

    def __init__(self, scene: Scene, level: int | None) -> None:
        self._scene, self._level = scene, level
        with scene._open(level) as dataset:
            self.grid = scene.grid.resized(dataset.shape)

    def bands(self, start: int = 0) -> Iterator[Band]:
        look = self._scene._look
        with self._scene._open(self._level) as dataset:
            block_rows, block_columns = dataset.block_shapes[0]
            columns = -(-dataset.width // block_columns) * block_columns
            block_row_bytes = block_rows * columns * sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
            rows = max(1, _BAND_PX // dataset.width)
            if block_row_bytes > _MAX_CACHE_BYTES or rows >= block_rows:
                rows = max(1, rows // block_rows) * block_rows
            else:  # several bands from a row of blocks, which stays decoded meanwhile
                rows = next(count for count in range(rows, 0, -1) if block_rows % count == 0)
            with Env(GDAL_CACHEMAX=max(_MIN_CACHE_BYTES, int(1.1 * block_row_bytes))):
                for top in range(start // rows * rows, dataset.height, rows):
                    part = Window(0, top, dataset.width, min(rows, dataset.height - top))
                    yield Band(top, *read_colours(dataset, look, part))


def open_scene(source: Source, *, cm_per_px: float | None = None, name: str | None = None) -> Scene:
    """The header of an image: a path, an http(s) address of a COG, bytes or an open binary file.

    A GeoTIFF may have any size; other formats, which are decoded as a whole, at most 100 million pixels.
    `cm_per_px` (ground centimetres) is used only where the file carries no georeference; `name` is what to
    call it in a message.

    Raises GsdMissingError where there is neither, ResolutionError where `cm_per_px` is no usable number and
    RasterError where the file cannot be opened or its blocks do not fit in memory.
    """
    if cm_per_px is not None:
        cm_per_px = parse_cm_per_px(cm_per_px)
    if isinstance(source, Path):
        source = str(source)
    name = name or source_name(source)
    if web.is_url(source):
        web.check_url(str(source))
    with open_raster(source, name, by_windows=True) as dataset:
        transform, crs, notes = georeference(dataset, name, cm_per_px)
        block = max(dataset.block_shapes)
        width, height = dataset.width, dataset.height
        if web.is_url(source) and block[1] == width and width * height > MAX_DECIMATED_WEB_PIXELS:
            raise RasterError(
                f"{name} is no Cloud Optimized GeoTIFF: it has no tiles. Download it, or save it with "
                "gdal_translate -of COG."
            )
        return Scene(source, name, width, height, transform, crs, block, tuple(dataset.overviews(1)), notes)


def central_window(scene: Scene, overview: Raster | None, side_px: int) -> tuple[int, int]:
    """Column and row of a window of at most `side_px` a side: full of image, and as near its middle as can be.

    `overview` tells where the scene holds an image; without it, the scene's middle is taken.
    """
    width, height = min(side_px, scene.width), min(side_px, scene.height)
    x, y = scene.width / 2, scene.height / 2
    if overview is not None:
        step_x, step_y = scene.width / overview.width, scene.height / overview.height
        size = max(1, round(height / step_y)), max(1, round(width / step_x))
        share = uniform_filter(overview.valid.astype(np.float32), size, mode="constant")
        rows, columns = np.nonzero(overview.valid)
        good_rows, good_columns = np.nonzero(share > 0.99 * share.max())
        distance = (good_rows - rows.mean()) ** 2 + (good_columns - columns.mean()) ** 2
        nearest = int(distance.argmin())
        x, y = (good_columns[nearest] + 0.5) * step_x, (good_rows[nearest] + 0.5) * step_y
    return window_around(scene, x, y, side_px)


def window_around(scene: Scene, x_px: float, y_px: float, side_px: int) -> tuple[int, int]:
    """Column and row of the window of at most `side_px` a side around a point of the scene, kept within it."""
    width, height = min(side_px, scene.width), min(side_px, scene.height)
    column = min(max(0, round(x_px - width / 2)), scene.width - width)
    row = min(max(0, round(y_px - height / 2)), scene.height - height)
    return column, row
