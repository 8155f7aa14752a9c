"""Resumable, verified downloads of large files, which appear when they are complete."""

import hashlib
import http.client
import os
import shutil
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import TypeVar

from scinet import web
from scinet.atomic_write import sync
from scinet.errors import DownloadError, WriteError
from scinet.output_lock import output_lock

RETRIES = 4  # in a row that bring no new byte
WAIT_S = 1.0  # before the first; doubled before each further one
MAX_WAIT_S = 30.0
_CHUNK_BYTES = 1 << 20
_SPARE_BYTES = 100_000_000  # stay free on the disk
T = TypeVar("T")
_TRANSIENT = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class WebFile:
    """What a server says about a file.

    Attributes:
        url: Its address.
        size_bytes: Its size.
        etag: Its ETag, which changes with the content; "" where there is none.
    """

    url: str
    size_bytes: int
    etag: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return web.file_name(self.url)


def find_file(url: str) -> WebFile:
    """Ask a server for a file's size and ETag. Raises DownloadError where it does not give them."""

    def ask() -> WebFile:
        with web.open_url(url, web.CONNECT_S, web.DEADLINE_S, Range="bytes=0-0") as answer:
            total = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
            size = total if answer.status == 206 else answer.headers.get("Content-Length") or ""
            if not size.isdigit():
                raise DownloadError(f"{web.file_name(url)} cannot be fetched: the server does not tell its size.")
            return WebFile(url, int(size), answer.headers.get("ETag") or "")

    return _with_retries(ask, url, retries=1)


def missing_bytes(file: WebFile, path: Path) -> int:
    """How much of a file has yet to be fetched; 0 where `path` is complete."""
    if path.is_file() and path.stat().st_size == file.size_bytes:
        return 0
    return file.size_bytes - _kept_bytes(file, path)


def check_space(folder: Path, wanted_bytes: int) -> None:
    """Raise DownloadError where the disk of a folder has no room for so many bytes. The folder need not exist yet."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free - _SPARE_BYTES
    if wanted_bytes > free:
        raise DownloadError(
            f"The download needs {wanted_bytes / 1e9:.2f} GB, and {folder} has {max(0, free) / 1e9:.2f} GB free. "
            "Free some space, or choose another folder."
        )


def cache_folder() -> Path:
    """The folder for what is fetched from the web: SCINET_CACHE, else scinet in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("SCINET_CACHE") or f"{home}/scinet").expanduser()


def download(
    file: WebFile, path: Path, on_progress: Callable[[int], None] = lambda done_bytes: None, *, sha256: str = ""
) -> bool | None:
    """Fetch a file, resuming what an earlier attempt left next to it as `.part`.

    Args:
        file: What `find_file` says about it.
        path: Where it appears, once it has its size and its checksum.
        on_progress: Called with the number of bytes that have arrived.
        sha256: Its checksum, in hexadecimal, where that is known; else an ETag that is an MD5 serves as one.

    Returns:
        True where a checksum was compared; None where there is none, or the file was there already.

    Raises:
        DownloadError: The server refuses, the connection keeps failing, the disk is full or the content is wrong.
            What was fetched is kept, except where the content is wrong.
    """
    if path.is_file() and path.stat().st_size == file.size_bytes:
        on_progress(file.size_bytes)
        return None
    check_space(path.parent, missing_bytes(file, path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with output_lock(path):
            return _fetch(file, path, on_progress, sha256)
    except WriteError as error:  # another process fetches it
        raise DownloadError(str(error)) from None
    except OSError as error:
        raise DownloadError(f"{path} cannot be written: {error.strerror or 'the disk refuses it'}.") from None


def _fetch(file: WebFile, path: Path, on_progress: Callable[[int], None], sha256: str) -> bool | None:
    """What `download` does, while nobody else does it."""
    part, tag = _part(path), _tag(path)
    if _kept_bytes(file, path) == 0:
        part.write_bytes(b"")
        tag.write_text(_identity(file))
    if part.stat().st_size < file.size_bytes:
        _with_retries(lambda: _fetch_more(file, part, on_progress), file.url, lambda: part.stat().st_size)
    checked = _is_intact(part, file, sha256)
    if checked is False:
        part.unlink()
        tag.unlink()
        raise DownloadError(f"{file.name} was damaged on its way: its checksum is wrong. Try again.")
    sync(part)
    part.replace(path)
    tag.unlink()
    return checked


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _tag(path: Path) -> Path:
    """Says to which content the part belongs."""
    return path.with_name(f"{path.name}.tag.part")


def _identity(file: WebFile) -> str:
    return f"{file.size_bytes} {file.etag}"


def _kept_bytes(file: WebFile, path: Path) -> int:
    """How much an earlier attempt left of the file as the server has it now."""
    try:
        have = _part(path).stat().st_size
        return have if _tag(path).read_text() == _identity(file) and have <= file.size_bytes else 0
    except (OSError, ValueError):
        return 0


def _fetch_more(file: WebFile, part: Path, on_progress: Callable[[int], None]) -> None:
    """Append what is missing to the part; where that fails midway, what has arrived stays."""
    have = part.stat().st_size
    headers = {"Range": f"bytes={have}-"}
    if file.etag.startswith('"'):  # a weak one, W/"...", would always give the whole file
        headers["If-Range"] = file.etag
    with web.open_url(file.url, web.READ_S, None, **headers) as answer, part.open("r+b", buffering=0) as out:
        starts_at = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
        if answer.status != 206 or starts_at != str(have):  # the whole file
            have = 0
            out.truncate(0)
        out.seek(have)
        while have < file.size_bytes and (chunk := answer.read1(min(_CHUNK_BYTES, file.size_bytes - have))):
            _write(out, chunk, part)
            have += len(chunk)
            on_progress(have)
    if have < file.size_bytes:
        raise http.client.IncompleteRead(b"", file.size_bytes - have)


def _write(out: RawIOBase, chunk: bytes, part: Path) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[out.write(rest) :]
    except OSError as error:  # must not be taken for a network error
        reason = error.strerror or "the disk refuses it"
        raise DownloadError(f"{part} cannot be written: {reason}. What was fetched is kept.") from None


def _with_retries(ask: Callable[[], T], url: str, reached: Callable[[], int] = lambda: 0, retries: int = RETRIES) -> T:
    """Call `ask` until it succeeds; after temporary errors again, up to `retries` times without progress."""
    furthest, failures = reached(), 0
    while True:
        try:
            return ask()
        except DownloadError:
            raise
        except Exception as error:
            furthest, failures = max(furthest, reached()), 0 if reached() > furthest else failures + 1
            if not _is_temporary(error) or failures > retries:
                kept = " What was fetched is kept." if furthest else ""
                raise DownloadError(f"{web.file_name(url)} cannot be fetched: {_reason(url, error)}.{kept}") from None
            time.sleep(_wait_s(error, failures))


def _is_temporary(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _TRANSIENT
    if isinstance(getattr(error, "reason", error), web.PrivateAddressError):
        return False
    return isinstance(error, OSError | http.client.HTTPException) and not isinstance(error, http.client.InvalidURL)


def _reason(url: str, error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the connection keeps breaking off. Try again later"
    return web.reason(url, error)


def _wait_s(error: Exception, failures: int) -> float:
    asked = error.headers.get("Retry-After", "") if isinstance(error, urllib.error.HTTPError) else ""
    return min(MAX_WAIT_S, float(asked) if asked.isdigit() else WAIT_S * 2 ** max(0, failures - 1))


def _is_intact(path: Path, file: WebFile, sha256: str) -> bool | None:
    """Whether a file has its checksum; None where there is none."""
    with path.open("rb") as content:
        if sha256:
            return hashlib.file_digest(content, "sha256").hexdigest() == sha256
        md5 = file.etag.strip('"').lower()  # S3 gives the content's, unless the file was uploaded in parts
        if len(md5) != 32 or not set(md5) <= set("0123456789abcdef"):
            return None
        return hashlib.file_digest(content, "md5").hexdigest() == md5
