"""LRU disk cache for web data: a place that is looked at twice is fetched once."""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine

from scinet import json_values, web
from scinet.atomic_write import atomic_write, write_text
from scinet.download import cache_folder, download, find_file
from scinet.errors import RasterError, SciNetError, WriteError
from scinet.raster.grid import Grid
from scinet.raster.pyramid.scene import PyramidScene
from scinet.raster.raster import Raster
from scinet.raster.scene import Layout, Scene, open_scene

LIMIT_GB = 2.0
_OWN = re.compile(r"[0-9a-f]{32}(\.[A-Za-z0-9]{1,10})?(\.part)?")  # names as `_name` makes them


@dataclass(frozen=True)
class DiskCache:
    """Files in a folder; where they exceed `limit_bytes` together, the least recently used are removed."""

    folder: Path
    limit_bytes: int

    def file(self, name: str, write: Callable[[Path], object]) -> Path:
        """The file of a name; `write` makes it where it is missing, and may raise."""
        path = self.folder / name
        try:
            os.utime(path)
        except OSError:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WriteError(f"{self.folder} cannot be written: {error.strerror}. Set SCINET_CACHE.") from None
            write(path)
            self._trim(path)
        return path

    def raster(self, name: str, read: Callable[[], Raster]) -> Raster:
        """The raster of a name; `read` gives it where it is missing. It is returned even where the disk is full."""
        path = self.folder / f"{name}.npz"
        try:
            raster = _load(path)
            os.utime(path)
        except Exception:  # missing, or damaged: what numpy, zipfile and tokenize raise then is of many types
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raster = read()
            with contextlib.suppress(WriteError):
                self.file(path.name, lambda to: _save(to, raster))
        return raster

    def _trim(self, newest: Path) -> None:
        files = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):  # another process was faster
                status = path.stat()
                if _OWN.fullmatch(path.name) and stat.S_ISREG(status.st_mode):  # the folder may hold others' files
                    files.append((status.st_mtime_ns, status.st_size, path))
        excess = sum(size for _, size, _ in files) - self.limit_bytes
        for _, size, path in sorted(files, key=lambda file: file[0]):
            if excess <= 0 or path == newest:
                return
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            excess -= size


def default_cache() -> DiskCache:
    """The cache in `cache_folder()`, of at most SCINET_CACHE_GB (2 by default)."""
    text = os.environ.get("SCINET_CACHE_GB") or str(LIMIT_GB)
    try:
        limit_gb = float(text)
    except ValueError:
        limit_gb = -1.0
    if not 0 <= limit_gb < 1e6:
        raise SciNetError(f"SCINET_CACHE_GB is {text[:40]!r}; give the cache's size in GB, such as 2.")
    return DiskCache(cache_folder(), int(limit_gb * 1e9))


@dataclass(frozen=True, eq=False)
class CachedScene(Scene):
    """A scene at an http(s) address whose overview and windows are cached, and so stay available offline."""

    cache: DiskCache = field(kw_only=True)

    def overview(self, max_px: int) -> Raster:
        """As that of a `Scene`, from the cache where it is there."""
        return self._cached((max_px,), lambda: Scene.overview(self, max_px))

    def window(self, column_px: int, row_px: int, width_px: int, height_px: int) -> Raster:
        """As that of a `Scene`, from the cache where it is there."""
        place = column_px, row_px, width_px, height_px
        return self._cached(place, lambda: Scene.window(self, *place))

    def layout(self) -> Layout:
        """Three colours, without a request: published scenes have no others."""
        return Layout(("red", "green", "blue"), None, (1, 2, 3), 1)

    def _cached(self, what: tuple[int, ...], read: Callable[[], Raster]) -> Raster:
        def ask() -> Raster:
            web.check_url(str(self.source))  # fails sooner than GDAL, and in words
            return read()

        return self.cache.raster(_name(str(self.source), *what), ask)


@dataclass(frozen=True, eq=False)
class CachedPyramid(PyramidScene):
    """An image of a service whose overview and windows are cached."""

    cache: DiskCache = field(kw_only=True)

    def overview(self, max_px: int) -> Raster:
        """As that of a `PyramidScene`, from the cache where it is there."""
        return self.cache.raster(self._key(max_px), lambda: PyramidScene.overview(self, max_px))

    def window(self, column_px: int, row_px: int, width_px: int, height_px: int) -> Raster:
        """As that of a `PyramidScene`, from the cache where it is there."""
        place = column_px, row_px, width_px, height_px
        return self.cache.raster(self._key(*place), lambda: PyramidScene.window(self, *place))

    def _key(self, *what: int) -> str:
        return _name(f"{self.source!r} {self.choice} {self.grid}", *what)


def with_cache(scene: Scene, cache: DiskCache) -> Scene:
    """A scene whose windows are cached if a service gives them; any other as it is."""
    if not (isinstance(scene, PyramidScene) and scene.is_remote):
        return scene
    return CachedPyramid(**{each.name: getattr(scene, each.name) for each in fields(scene)}, cache=cache)


def open_cached_scene(url: str, cache: DiskCache) -> CachedScene:
    """Open a COG at an address and cache its header.

    For files that never change: a cached header is not requested again. Raises RasterError as `open_scene` does.
    """

    def write(path: Path) -> None:
        scene = open_scene(url)
        header = {
            "width": scene.width,
            "height": scene.height,
            "transform": list(scene.transform)[:6],
            "crs": scene.crs.to_wkt() if scene.crs else None,
            "block": scene.block,
            "overviews": scene.overviews,
            "notes": scene.notes,
        }
        write_text(path, json.dumps(header))

    path = cache.file(f"{_name(url)}.json", write)
    try:
        header = json_values.mapping(json_values.parse(path.read_text(encoding="utf-8")), "the header")
        return CachedScene(
            source=url,
            name=web.file_name(url),
            grid=Grid(
                json_values.whole(header["height"], "height"),
                json_values.whole(header["width"], "width"),
                Affine(*header["transform"]),
                CRS.from_wkt(header["crs"]) if header["crs"] else None,
            ),
            block=tuple(header["block"]),
            overviews=tuple(header["overviews"]),
            notes=tuple(header["notes"]),
            cache=cache,
        )
    except Exception:  # any damage; a header is read again then
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise RasterError(
            f"The cached header of {web.file_name(url)} was damaged and has been removed. Try again."
        ) from None


def cached_file(url: str, cache: DiskCache) -> Path:
    """A file at an address, downloaded once. Raises DownloadError."""
    return cache.file(f"{_name(url)}{Path(web.file_name(url)).suffix}", lambda to: download(find_file(url), to))


def _name(url: str, *what: int) -> str:
    return hashlib.sha256(repr((url, *what)).encode()).hexdigest()[:32]


def _save(path: Path, raster: Raster) -> None:
    """Without compression: 3 ms for a window of 1024 px, while compression takes 90 ms and saves a fifth."""
    place = {"transform": list(raster.transform)[:6], "crs": raster.crs.to_wkt() if raster.crs else None}
    with atomic_write(path) as partial:
        np.savez(
            partial,
            pixels=raster.pixels,
            valid=np.packbits(raster.valid),
            text=np.array(json.dumps({**place, "notes": raster.notes})),
        )


def _load(path: Path) -> Raster:
    with np.load(path, allow_pickle=False) as content:
        pixels, bits, text = content["pixels"], content["valid"], json.loads(str(content["text"]))
    valid = np.unpackbits(bits, count=pixels.shape[0] * pixels.shape[1]).reshape(pixels.shape[:2]).astype(np.bool_)
    crs = CRS.from_wkt(text["crs"]) if text["crs"] else None
    return Raster(pixels, valid, Affine(*text["transform"]), crs, tuple(text["notes"]))
