"""PMTiles (version 3) with pictures: its header and directories, which say where in the file each tile lies."""

import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from scinet.errors import RasterError
from scinet.raster.pyramid.decode import MAX_TILE_BYTES, tile_size
from scinet.raster.pyramid.matrix import (
    MAX_ZOOM,
    WEB_MERCATOR,
    Bounds,
    Matrix,
    Pyramid,
    intersection,
    snapped,
    web_mercator_matrix,
)

MAGIC = b"PMTiles"

_HEADER_BYTES = 127
_MAX_STORED_BYTES, _MAX_DIRECTORY_BYTES = 2_000_000, 20_000_000  # of a directory, packed and unpacked
_MAX_ENTRIES = 1_000_000
_MAX_DEPTH = 4
_KEPT_DIRECTORIES = 16
_GZIP, _NO_COMPRESSION = 2, 1
_PICTURES = (2, 3, 4)  # PNG, JPEG and WebP
_LONLAT = CRS.from_epsg(4326)

ReadBytes = Callable[[int, int], bytes]  # from an offset, so many


@dataclass(frozen=True)
class _Entry:
    """Where a run of tiles lies, or the directory of the tiles from there on (`run` is 0)."""

    tile: int
    offset: int
    length: int
    run: int


@dataclass(eq=False)
class PmtilesSource:
    """The tiles of a PMTiles file.

    Attributes:
        read: Gives bytes of the file.
        name: What to call it in a message.
        root: Offset and length of the root directory.
        leaves_at: Offset of the other directories.
        tiles_at: Offset of the tiles.
        compression: Of the directories.
    """

    read: ReadBytes
    name: str
    root: tuple[int, int]
    leaves_at: int
    tiles_at: int
    compression: int
    _kept: "OrderedDict[tuple[int, int], list[_Entry]]" = field(default_factory=OrderedDict)
    _guard: Lock = field(default_factory=Lock)

    def tiles(self, matrix: Matrix, columns: range, rows: range) -> Iterator[tuple[int, int, bytes]]:
        """As in `TileSource`."""
        for row in rows:
            for column in columns:
                place = self._find(tile_number(matrix.zoom, column, row))
                if place is not None:
                    yield column, row, self._bytes(*place)

    def first_tile(self) -> bytes:
        """Any tile. Raises RasterError where there is none."""
        offset, length = self.root
        for _ in range(_MAX_DEPTH):
            entries = self._directory(offset, length)
            if not entries:
                break
            if entries[0].run:
                return self._bytes(self.tiles_at + entries[0].offset, entries[0].length)
            offset, length = self.leaves_at + entries[0].offset, entries[0].length
        raise RasterError(f"{self.name} holds no image: it has no tiles.")

    def _find(self, tile: int) -> tuple[int, int] | None:
        """Offset and length of a tile; None where it does not exist."""
        offset, length = self.root
        for _ in range(_MAX_DEPTH):
            entries = self._directory(offset, length)
            at = bisect_right(entries, tile, key=lambda entry: entry.tile) - 1
            if at < 0:
                return None
            entry = entries[at]
            if entry.run:
                return (self.tiles_at + entry.offset, entry.length) if tile < entry.tile + entry.run else None
            offset, length = self.leaves_at + entry.offset, entry.length
        return None

    def _directory(self, offset: int, length: int) -> list[_Entry]:
        with self._guard:
            if (offset, length) in self._kept:
                self._kept.move_to_end((offset, length))
                return self._kept[offset, length]
        if length > _MAX_STORED_BYTES:
            raise self._damaged()
        entries = self._parsed(self._unpacked(self._bytes(offset, length)))
        with self._guard:
            self._kept[offset, length] = entries
            while len(self._kept) > _KEPT_DIRECTORIES:
                self._kept.popitem(last=False)
        return entries

    def _unpacked(self, content: bytes) -> bytes:
        if self.compression == _NO_COMPRESSION:
            return content
        unpacking = zlib.decompressobj(wbits=31)
        try:
            unpacked = unpacking.decompress(content, _MAX_DIRECTORY_BYTES)
        except zlib.error:
            raise self._damaged() from None
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise self._damaged()
        return unpacked

    def _parsed(self, content: bytes) -> list[_Entry]:
        """A directory: the count, then all numbers of tiles as differences, all runs, lengths and offsets."""
        numbers = _numbers(content)
        try:
            count = next(numbers)
            if count > min(_MAX_ENTRIES, len(content)):
                raise self._damaged()
            tiles, tile = [], 0
            for _ in range(count):
                tile += next(numbers)
                tiles.append(tile)
            runs, lengths = ([next(numbers) for _ in range(count)] for _ in range(2))
            offsets: list[int] = []
            for at in range(count):
                offset = next(numbers)  # 0: right after the one before
                offsets.append(offset - 1 if offset else offsets[at - 1] + lengths[at - 1])
        except (StopIteration, IndexError):
            raise self._damaged() from None
        return [_Entry(*each) for each in zip(tiles, offsets, lengths, runs, strict=True)]

    def _bytes(self, offset: int, length: int) -> bytes:
        if not 0 < length <= MAX_TILE_BYTES:
            raise self._damaged()
        content = self.read(offset, length)
        if len(content) != length:
            raise self._damaged()
        return content

    def _damaged(self) -> RasterError:
        return RasterError(f"{self.name} is damaged: its tiles cannot be read. Make the PMTiles file again.")


def open_pmtiles(read: ReadBytes, name: str) -> Pyramid:
    """Open a PMTiles file.

    Args:
        read: Gives bytes of the file: from an offset, so many, fewer at its end.
        name: What to call it in a message.

    Raises:
        RasterError: It is damaged, of another version, or holds no pictures.
    """
    head = read(0, _HEADER_BYTES)
    if len(head) < _HEADER_BYTES or head[7] != 3:
        raise RasterError(f"{name} is not a PMTiles file of version 3. Convert it: pmtiles convert IN OUT.pmtiles.")
    root_at, root_bytes, _, _, leaves_at, _, tiles_at = (
        int.from_bytes(head[start : start + 8], "little") for start in range(8, 64, 8)
    )
    compression, kind, least_zoom, most_zoom = head[97], head[99], head[100], head[101]
    if kind not in _PICTURES:
        raise RasterError(
            f"{name} has vector tiles, or pictures that are neither PNG, JPEG nor WebP. Give one that has."
        )
    if compression not in (_GZIP, _NO_COMPRESSION):
        raise RasterError(
            f"{name} has directories that are not compressed by gzip. Convert it: pmtiles convert IN OUT."
        )
    if not least_zoom <= most_zoom <= MAX_ZOOM:
        raise RasterError(f"{name} is damaged: it has no possible zooms. Make the PMTiles file again.")
    source = PmtilesSource(read, name, (root_at, root_bytes), leaves_at, tiles_at, compression)
    width, height = tile_size(source.first_tile(), name)
    if width != height:
        raise RasterError(f"{name} has tiles of {width} x {height} px, which are not square. Make them again.")
    matrices = tuple(web_mercator_matrix(zoom, width) for zoom in range(most_zoom, least_zoom - 1, -1))
    return Pyramid(matrices, _bounds(head, matrices[0], name), WEB_MERCATOR, source)


def _bounds(head: bytes, finest: Matrix, name: str) -> Bounds:
    """The bounds that the header states, in web Mercator."""
    west, south, east, north = (
        int.from_bytes(head[start : start + 4], "little", signed=True) / 1e7 for start in range(102, 118, 4)
    )
    south, north = max(south, -85.05), min(north, 85.05)
    if not (-180 <= west < east <= 180 and south < north):
        raise RasterError(f"{name} is damaged: it has no possible bounds. Make the PMTiles file again.")
    stated = transform_bounds(_LONLAT, WEB_MERCATOR, west, south, east, north)
    return intersection(snapped((stated[0], stated[1], stated[2], stated[3]), finest), finest.bounds) or finest.bounds


def tile_number(zoom: int, column: int, row: int) -> int:
    """The number of a tile: those of coarser zooms first, then along a Hilbert curve.

    Example:
        >>> [tile_number(1, *place) for place in ((0, 0), (0, 1), (1, 1), (1, 0))]
        [1, 2, 3, 4]
        >>> tile_number(12, 3423, 1763)
        19078479
    """
    number: int = ((1 << 2 * zoom) - 1) // 3
    side = (1 << zoom) // 2
    x, y = column, row
    while side:
        right, low = int(bool(x & side)), int(bool(y & side))
        number += side * side * ((3 * right) ^ low)
        if not low:
            if right:
                x, y = side - 1 - (x & (side - 1)), side - 1 - (y & (side - 1))
            x, y = y, x
        x, y = x & (side - 1), y & (side - 1)
        side //= 2
    return number


def _numbers(content: bytes) -> Iterator[int]:
    """The numbers of a directory: seven bits per byte, the lowest first."""
    value = shift = 0
    for byte in content:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0
        elif shift > 63:
            return
