"""A tile pyramid as a scene: windows, an overview and rows, put together from tiles."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scinet.errors import NodataError, RasterError
from scinet.raster.bands import OPAQUE
from scinet.raster.pyramid.decode import decode_tile
from scinet.raster.pyramid.matrix import Box, Matrix, Pyramid
from scinet.raster.raster import Raster
from scinet.raster.scene import MAX_DECIMATED_PIXELS, MAX_DECIMATED_WEB_PIXELS, Layout, Place, Scene
from scinet.raster.stream import Band, RowStream

Colours = tuple[NDArray[np.uint8], NDArray[np.bool_]]

_MOST_TILES = 20_000  # that one run may ask of a server


@dataclass(frozen=True, eq=False)
class PyramidScene(Scene):
    """An image in tiles.

    Attributes:
        pyramid: Its tiles; the first of its matrices has the scene's resolution, and its bounds are the scene's.
        corner: Column and row of the scene's upper left pixel in that matrix.
    """

    pyramid: Pyramid = field(kw_only=True)
    corner: tuple[int, int] = field(kw_only=True)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """What reading does to the image."""
        return self.notes

    def window(self, column_px: int, row_px: int, width_px: int, height_px: int) -> Raster:
        """As that of a `Scene`."""
        place = column_px, row_px, width_px, height_px
        self._check(place)
        left, top = self.corner[0] + column_px, self.corner[1] + row_px
        return self._raster(place, *self._pixels(self.pyramid.matrices[0], (left, top, width_px, height_px)))

    def windows(self, places: Iterable[Place]) -> Iterator[Raster | RasterError]:
        """As those of a `Scene`."""
        for place in places:
            try:
                yield self.window(*place)
            except RasterError as error:
                yield error

    def overview(self, max_px: int) -> Raster:
        """As that of a `Scene`, from the coarsest zoom that is fine enough and has tiles."""
        shape = self._overview_shape(max_px)
        boxes = [(matrix, matrix.box(self.pyramid.bounds)) for matrix in self.pyramid.matrices]
        fine = [(matrix, box) for matrix, box in boxes if box[2] - box[0] >= shape[1] and box[3] - box[1] >= shape[0]]
        most_px = MAX_DECIMATED_WEB_PIXELS if self.is_remote else MAX_DECIMATED_PIXELS
        for matrix, box in sorted(fine or boxes[:1], key=lambda each: _size_px(each[1])):
            if _size_px(box) > most_px:
                raise self._no_overviews()
            pixels, valid = self._reduced(matrix, box, shape)
            if valid.any():
                return Raster(pixels, valid, self.grid.resized(shape).transform, self.crs, self.all_notes)
        raise NodataError(self._blank)

    def rows(self, cm_per_px: float) -> RowStream:
        """As those of a `Scene`, always at its own resolution."""
        matrix = self.pyramid.matrices[0]
        tiles = math.prod(len(each) for each in _tiles_at(matrix, (*self.corner, self.width, self.height)))
        if self.is_remote and tiles > _MOST_TILES:
            raise RasterError(
                f"{self.name} would be asked for {tiles:,} tiles; at most {_MOST_TILES:,} are fetched in a run. "
                "Choose a smaller place (--bounds) or a coarser zoom (--zoom)."
            )
        return _PyramidRows(self)

    def layout(self) -> Layout:
        """Three colours; the images of a GeoPackage are told in its notes."""
        return Layout(("red", "green", "blue"), None, (1, 2, 3), 1)

    def stretch_sample(self) -> None:
        """None: tiles have 8 bits and are shown as they are."""

    def _reduced(self, matrix: Matrix, box: Box, shape: tuple[int, int]) -> Colours:
        """A box of a matrix, averaged to (H, W) = `shape`."""
        left, top = math.floor(box[0] + 1e-6), math.floor(box[1] + 1e-6)
        width, height = math.ceil(box[2] - 1e-6) - left, math.ceil(box[3] - 1e-6) - top
        pixels, valid = self._pixels(matrix, (left, top, width, height))
        image = Image.fromarray(np.dstack([pixels, np.where(valid, np.uint8(255), np.uint8(0))]))
        within = (max(0.0, box[0] - left), max(0.0, box[1] - top), min(width, box[2] - left), min(height, box[3] - top))
        reduced = np.asarray(image.resize(shape[::-1], Image.Resampling.BOX, box=within))
        opaque = reduced[..., 3] >= OPAQUE
        return np.where(opaque[..., np.newaxis], reduced[..., :3], np.uint8(0)), opaque

    def _pixels(self, matrix: Matrix, place: Place) -> Colours:
        """The pixels of a place of a matrix: uint8 (H, W, 3), 0 where they are not valid, and valid bool (H, W)."""
        left, top, width, height = place
        pixels, valid = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.bool_)
        size = matrix.tile_width_px, matrix.tile_height_px
        for column, row, content in self.pyramid.source.tiles(matrix, *_tiles_at(matrix, place)):
            colours, opaque = self._chosen(*decode_tile(content, size, self.name))
            x, y = column * size[0] - left, row * size[1] - top
            into = np.s_[max(0, y) : y + size[1], max(0, x) : x + size[0]]
            part = np.s_[max(0, -y) : height - y, max(0, -x) : width - x]
            pixels[into], valid[into] = np.where(opaque[part][..., np.newaxis], colours[part], 0), opaque[part]
        return pixels, valid

    def _chosen(self, colours: NDArray[np.uint8], opaque: NDArray[np.bool_]) -> Colours:
        """A tile as the reader's choice has it."""
        if self.choice.nodata is not None and not math.isnan(self.choice.nodata):
            opaque = opaque & (colours != self.choice.nodata).any(axis=-1)
        if self.choice.bands:
            colours = np.broadcast_to(colours[..., [band - 1 for band in self.choice.bands]], colours.shape)
        return colours, opaque


class _PyramidRows:
    """The rows of a pyramid, one row of tiles at a time."""

    def __init__(self, scene: PyramidScene) -> None:
        self._scene = scene
        self.grid = scene.grid

    def bands(self, start: int = 0) -> Iterator[Band]:
        scene, matrix = self._scene, self._scene.pyramid.matrices[0]
        left, first = scene.corner
        top = first + start
        while top < first + scene.height:
            begin = max(first, top // matrix.tile_height_px * matrix.tile_height_px)
            end = min(first + scene.height, (top // matrix.tile_height_px + 1) * matrix.tile_height_px)
            yield Band(begin - first, *scene._pixels(matrix, (left, begin, scene.width, end - begin)))
            top = end


def _tiles_at(matrix: Matrix, place: Place) -> tuple[range, range]:
    """Columns and rows of the tiles that a place needs."""
    left, top, width, height = place
    columns = range(
        max(0, left // matrix.tile_width_px), min(matrix.columns, -(-(left + width) // matrix.tile_width_px))
    )
    rows = range(max(0, top // matrix.tile_height_px), min(matrix.rows, -(-(top + height) // matrix.tile_height_px)))
    return columns, rows


def _size_px(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
