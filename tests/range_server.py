"""A local server that answers range requests like the challenge's, and fails on demand."""

import hashlib
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

os.environ.setdefault("SCINET_ALLOW_PRIVATE", "1")  # this server is on this machine

FOREVER = 10_000
LARGE_BYTES = 100_000_000


@dataclass
class RangeServer:
    """Serves files by path ("/a/b.tif") or from a folder; `asked` lists (path, Range header) of all requests.

    `redirects` has addresses by path; `answers` has functions by path, which get the query and give the content.

    `fail` makes the next responses for a path fail:
        "403", "404", "503"  that status
        "whole"              200 and the whole file, whatever part was requested; "whole-truncate": half of it
        "truncate"           half of the promised bytes, then the connection closes
        "stall"              half of the promised bytes, then nothing; "silent": no response at all
        "corrupt"            one wrong byte
    """

    files: dict[str, bytes] = field(default_factory=dict)
    folder: Path | None = None
    address: str = ""
    etags: dict[str, str | None] = field(default_factory=dict)
    agents: set[str] = field(default_factory=set)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)
    redirects: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Callable[[dict[str, str]], bytes | None]] = field(default_factory=dict)

    def fail(self, path: str, fault: str, times: int = 1) -> None:
        self.faults[path] = [fault] * times

    def content(self, path: str) -> bytes | mmap.mmap | None:
        """A file's bytes; large files are memory-mapped."""
        if path in self.files:
            return self.files[path]
        file = self.folder / path.lstrip("/") if self.folder else None
        if file is None or not file.is_file():
            return None
        if file.stat().st_size < LARGE_BYTES:
            return file.read_bytes()
        with file.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)

    def etag(self, path: str, content: bytes | mmap.mmap) -> str | None:
        if path in self.etags:
            return self.etags[path]
        return _md5(content) if isinstance(content, bytes) else None


@lru_cache(maxsize=8)
def _md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, *arguments: Any, server_of_files: RangeServer):
        self.files = server_of_files
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path, part = self.path.partition("?")[0], self.headers.get("Range")
        self.files.agents.add(self.headers.get("User-Agent", ""))
        self.files.asked.append((path, part))
        if (place := self.files.redirects.get(path)) is not None:
            self.send_response(302)
            self.send_header("Location", place)
            self.end_headers()
            return
        faults = self.files.faults.get(path)
        fault = faults.pop(0) if faults else None
        answer = self.files.answers.get(path)
        content = answer(dict(parse_qsl(urlsplit(self.path).query))) if answer else self.files.content(path)
        if fault == "silent":
            self.files.closing.wait(30)
            return
        if content is None or (fault or "").isdigit():
            self.send_error(int(fault) if fault else 404)
            return
        etag = self.files.etag(path, content)
        condition = self.headers.get("If-Range")
        if (fault or "").startswith("whole") or (condition is not None and condition != f'"{etag}"'):
            part = None
        size, start = len(content), 0
        if part:
            first, _, last = part.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last), size - 1) if last else size - 1
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.end_headers()
                return
            content = content[start : end + 1]
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {start}-{start + len(content) - 1}/{size}")
        if etag is not None:
            self.send_header("ETag", f'"{etag}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self._send(content, fault)

    def _send(self, content: bytes | mmap.mmap, fault: str | None) -> None:
        if fault == "corrupt":
            content = bytes([content[0] ^ 255]) + content[1:]
        half = fault in ("truncate", "whole-truncate", "stall")
        self.wfile.write(content[: len(content) // 2] if half else content)
        if fault == "stall":
            self.files.closing.wait(30)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve_files(files: dict[str, bytes] | None = None, folder: Path | None = None) -> Iterator[RangeServer]:
    """Serve files on a free local port."""
    server = RangeServer(files or {}, folder)
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, server_of_files=server))
    http.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that close the connection early
    http.daemon_threads = True
    server.address = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        http.shutdown()
        http.server_close()
