"""Large files from the web: a download that goes on where it stopped, and appears only when it is whole and right."""

import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, TypeVar

from scinet.errors import DownloadError
from scinet.raster import remote

RETRIES = 4  # in a row without a single new byte
WAIT_S = 1.0  # before the first of them, twice as long before each further one
MAX_WAIT_S = 30.0
_CHUNK_BYTES = 1 << 20
_SPARE_BYTES = 100_000_000  # that a disk keeps free
_MIB = 1 << 20
_PART_SIZES = tuple(n * _MIB for n in (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 256, 512))  # of S3 clients
T = TypeVar("T")
_TRANSIENT = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class WebFile:
    """What a server says of a file: its size, and its ETag, which changes with the content ("" where there is none)."""

    url: str
    size_bytes: int
    etag: str

    @property
    def name(self) -> str:
        return remote.file_name(self.url)


def find_file(url: str) -> WebFile:
    """Ask a server for a file's size and tag. Raises DownloadError where it has none for us."""

    def ask() -> WebFile:
        with _open(url, remote.CONNECT_S, Range="bytes=0-0") as answer:
            total = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
            size = total if answer.status == 206 else answer.headers.get("Content-Length") or ""
            if not size.isdigit():
                raise DownloadError(f"{remote.file_name(url)} cannot be fetched: the server does not tell its size.")
            return WebFile(url, int(size), answer.headers.get("ETag") or "")

    return _patiently(ask, url, retries=1)


def missing_bytes(file: WebFile, path: Path) -> int:
    """What has yet to be fetched, given what is there; 0 where the file is complete."""
    if path.is_file() and path.stat().st_size == file.size_bytes:
        return 0
    return file.size_bytes - _kept_bytes(file, path)


def check_space(folder: Path, wanted_bytes: int) -> None:
    """Raise DownloadError where a folder's disk has no room for so many bytes. The folder may be yet to be made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free - _SPARE_BYTES
    if wanted_bytes > free:
        raise DownloadError(
            f"The download needs {wanted_bytes / 1e9:.2f} GB, and {folder} has {max(0, free) / 1e9:.2f} GB free. "
            "Free some space, or choose another folder."
        )


def download(file: WebFile, path: Path, on_progress: Callable[[int], None] = lambda done_bytes: None) -> bool | None:
    """Fetch a file to a path, going on with what an earlier attempt left beside it as `.part`.

    It takes its name only when it has its size and the server's checksum. Returns True where that was compared,
    None where the server names none or the file was there already. `on_progress` gets the bytes that are there.

    Raises DownloadError where the server refuses, the connection keeps failing, the disk is full or the content is
    wrong; all but the last keep what was fetched.
    """
    if path.is_file() and path.stat().st_size == file.size_bytes:
        on_progress(file.size_bytes)
        return None
    part, tag = _part(path), _tag(path)
    check_space(path.parent, missing_bytes(file, path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _kept_bytes(file, path) == 0:
            part.write_bytes(b"")
            tag.write_text(_identity(file))
        if part.stat().st_size < file.size_bytes:
            _patiently(lambda: _fetch_more(file, part, on_progress), file.url, lambda: part.stat().st_size)
        checked = _is_right(part, file)
        if checked is False:
            part.unlink()
            tag.unlink()
            raise DownloadError(f"{file.name} was damaged on its way: its checksum is wrong. Fetch it again.")
        part.replace(path)
        tag.unlink()
    except OSError as error:
        raise DownloadError(f"{path} cannot be written: {error.strerror or 'the disk refuses it'}.") from None
    return checked


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _tag(path: Path) -> Path:
    """Says of which content the part is a part."""
    return path.with_name(f"{path.name}.tag.part")


def _identity(file: WebFile) -> str:
    return f"{file.size_bytes} {file.etag}"


def _kept_bytes(file: WebFile, path: Path) -> int:
    """How much of the file, as it is now, an earlier attempt has left beside a path."""
    try:
        have = _part(path).stat().st_size
        return have if _tag(path).read_text() == _identity(file) and have <= file.size_bytes else 0
    except (OSError, ValueError):
        return 0


def _fetch_more(file: WebFile, part: Path, on_progress: Callable[[int], None]) -> None:
    """Append to the part what is missing; where that fails midway, what came stays."""
    have = part.stat().st_size
    headers = {"Range": f"bytes={have}-"}
    if file.etag.startswith('"'):  # a weak one, W/"...", would always bring the whole file
        headers["If-Range"] = file.etag
    with _open(file.url, remote.READ_S, **headers) as answer, part.open("r+b", buffering=0) as out:
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
    except OSError as error:  # not to be mistaken for one of the network's
        reason = error.strerror or "the disk refuses it"
        raise DownloadError(f"{part} cannot be written: {reason}. What was fetched is kept.") from None


def _open(url: str, timeout_s: float, **headers: str) -> Any:
    return urllib.request.urlopen(remote.request(url, **headers), timeout=timeout_s)


def _patiently(ask: Callable[[], T], url: str, reached: Callable[[], int] = lambda: 0, retries: int = RETRIES) -> T:
    """What `ask` gives. After what may pass it is called again, until it got no further for `retries` times."""
    furthest, failures = reached(), 0
    while True:
        try:
            return ask()
        except DownloadError:
            raise
        except Exception as error:
            furthest, failures = max(furthest, reached()), 0 if reached() > furthest else failures + 1
            if not _may_pass(error) or failures > retries:
                kept = " What was fetched is kept." if furthest else ""
                raise DownloadError(
                    f"{remote.file_name(url)} cannot be fetched: {_reason(url, error)}.{kept}"
                ) from None
            time.sleep(_wait_s(error, failures))


def _may_pass(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _TRANSIENT
    return isinstance(error, OSError | http.client.HTTPException) and not isinstance(error, http.client.InvalidURL)


def _reason(url: str, error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the connection breaks off again and again. Try again later"
    return remote.reason(url, error)


def _wait_s(error: Exception, failures: int) -> float:
    asked = error.headers.get("Retry-After", "") if isinstance(error, urllib.error.HTTPError) else ""
    return min(MAX_WAIT_S, float(asked) if asked.isdigit() else WAIT_S * 2 ** max(0, failures - 1))


def _is_right(path: Path, file: WebFile) -> bool | None:
    """Whether a file has the checksum of its tag; None where the tag is none.

    S3's tag is the MD5 of the content, or for a file that came in parts the MD5 of their MD5s and their number;
    the size of the parts is not told, so those that clients use are tried.
    """
    digest, _, count = file.etag.strip('"').partition("-")
    if len(digest) != 32 or not set(digest.lower()) <= set("0123456789abcdef"):
        return None
    if not count:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "md5").hexdigest() == digest.lower()
    if not count.isdigit():
        return None
    fitting = [size for size in _PART_SIZES if -(-file.size_bytes // size) == int(count)]
    if any(_md5_of_parts(path, size) == digest.lower() for size in fitting):
        return True
    return None  # another size of parts, or damage: the tag cannot tell


def _md5_of_parts(path: Path, part_bytes: int) -> str:
    whole = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as content:
        while True:
            part, left = hashlib.md5(usedforsecurity=False), part_bytes
            while left and (chunk := content.read(min(left, _CHUNK_BYTES))):
                part.update(chunk)
                left -= len(chunk)
            if left == part_bytes:
                return whole.hexdigest()
            whole.update(part.digest())
