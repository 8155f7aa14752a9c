"""Documents and tiles of services: from public hosts only, a few at a time, each window within one deadline."""

import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scinet import web
from scinet.errors import RasterError
from scinet.raster.pyramid.decode import MAX_TILE_BYTES
from scinet.raster.pyramid.matrix import Matrix

MAX_DOCUMENT_BYTES = 20_000_000
DOCUMENT_S, TILE_S, WINDOW_S = 30, 20, 60
_AT_A_TIME = 6
_TRIES = 2
_NO_TILE = (204, 404, 410)


@dataclass(frozen=True)
class WebTiles:
    """The tiles of a service.

    Attributes:
        name: What to call it in a message.
        address: The address of a tile, by its matrix, column and row.
    """

    name: str
    address: Callable[[Matrix, int, int], str]

    def tiles(self, matrix: Matrix, columns: range, rows: range) -> Iterator[tuple[int, int, bytes]]:
        """As in `TileSource`."""
        ends_s = time.monotonic() + WINDOW_S
        places = [(column, row) for row in rows for column in columns]

        def fetch(place: tuple[int, int]) -> bytes | None:
            return self._fetch(self.address(matrix, *place), ends_s)

        pool = ThreadPoolExecutor(_AT_A_TIME)
        try:
            for (column, row), content in zip(places, pool.map(fetch, places), strict=True):
                if content is not None:
                    yield column, row, content
        finally:
            pool.shutdown(cancel_futures=True)

    def _fetch(self, url: str, ends_s: float) -> bytes | None:
        """A tile; None where the service has none."""
        for attempt in range(_TRIES):
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                break
            try:
                return _read(url, min(TILE_S, left_s), MAX_TILE_BYTES)
            except urllib.error.HTTPError as error:
                if error.code in _NO_TILE:
                    return None
                if error.code < 500 or attempt + 1 == _TRIES:
                    raise RasterError(f"{self.name} gives no tiles: {web.reason(url, error)}.") from None
            except Exception as error:  # of http.client and of the URL parser too
                if attempt + 1 == _TRIES:
                    raise RasterError(f"{self.name} gives no tiles: {web.reason(url, error)}.") from None
        raise RasterError(f"{self.name} takes more than {WINDOW_S} s for the tiles of a window. Try again later.")


def fetch_document(url: str, name: str) -> bytes:
    """The document at an address. Raises RasterError where there is none, or it is too large."""
    try:
        content = _read(url, DOCUMENT_S, MAX_DOCUMENT_BYTES)
    except Exception as error:
        raise RasterError(f"{name} cannot be opened: {web.reason(url, error)}.") from None
    if content is None or len(content) > MAX_DOCUMENT_BYTES:
        raise RasterError(f"{name} answers with nothing, or with more than {MAX_DOCUMENT_BYTES / 1e6:g} MB.")
    return content


def fetch_range(url: str, name: str) -> Callable[[int, int], bytes]:
    """Gives parts of a file at an address: from an offset, so many bytes."""

    def read(offset: int, length: int) -> bytes:
        try:
            limit = {"Range": f"bytes={offset}-{offset + length - 1}"}
            with web.open_url(url, web.CONNECT_S, TILE_S, **limit) as answer:
                if answer.status != 206:
                    raise RasterError(f"The server of {name} does not hand out parts of files. Download the file.")
                return answer.read(length)
        except RasterError:
            raise
        except Exception as error:
            raise RasterError(f"{name} cannot be opened: {web.reason(url, error)}.") from None

    return read


def _read(url: str, deadline_s: float, most_bytes: int) -> bytes | None:
    """What an address answers with, up to one byte more than the most; None for an answer without content."""
    with web.open_url(url, min(web.CONNECT_S, deadline_s), deadline_s) as answer:
        if answer.status == 204:
            return None
        content = answer.read(most_bytes + 1)
        if answer.length and len(content) <= most_bytes:  # the connection was closed
            raise TimeoutError
        return content
