"""A server that speaks as much of S3 as images and uploads need: buckets, objects in parts, and failures on demand."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

BUCKET = "maps"


class S3Server(ThreadingHTTPServer):
    """Objects by their keys, parts of unfinished ones by their numbers; refuses parts while `is_full`.

    `asked` has the range and the signature of each request for an object.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.is_full = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Server

    def _place(self) -> tuple[str, str, dict[str, list[str]]]:
        found = urlsplit(self.path)
        bucket, _, key = found.path.lstrip("/").partition("/")
        return bucket, key, parse_qs(found.query, keep_blank_values=True)

    def _answer(self, status: int, content: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content.encode("latin-1"))

    def _body(self) -> bytes:
        """The content, which clients may send in signed chunks."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            content = b"".join(iter(self._chunk, b""))
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return content
        parts, rest = [], content
        while (size := int(re.split(rb"[;\r]", rest, maxsplit=1)[0], 16)) > 0:
            rest = rest.partition(b"\r\n")[2]
            parts.append(rest[:size])
            rest = rest[size + 2 :]
        return b"".join(parts)

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        found = self.rfile.read(size)
        self.rfile.readline()
        return found

    def do_HEAD(self) -> None:
        bucket, key, _ = self._place()
        content = self.server.objects.get(key, b"")
        held = bucket == BUCKET and (not key or key in self.server.objects)
        self._answer(200 if held else 404, content.decode("latin-1"), ETag='"whole"')

    def do_GET(self) -> None:
        bucket, key, _ = self._place()
        if key:
            self._send_object(bucket, key)
            return
        keys = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in self.server.objects)
        content = f"<ListBucketResult><KeyCount>{len(self.server.objects)}</KeyCount>{keys}</ListBucketResult>"
        self._answer(200 if bucket == BUCKET else 404, content)

    def _send_object(self, bucket: str, key: str) -> None:
        """The range of an object that is asked for."""
        asked = self.headers.get("Range", ""), self.headers.get("Authorization", "")
        self.server.asked.append(asked)
        content = self.server.objects.get(key, b"") if bucket == BUCKET else b""
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked[0])
        if not content or not found:
            self._answer(404, "<Error><Code>NoSuchKey</Code></Error>")
            return
        start, stop = int(found[1]), min(int(found[2]) + 1, len(content))
        part = content[start:stop].decode("latin-1")
        self._answer(206, part, Content_Range=f"bytes {start}-{stop - 1}/{len(content)}")

    def do_POST(self) -> None:
        _, key, query = self._place()
        self._body()
        if "uploads" in query:
            self.server.parts[key] = {}
            name = f"<InitiateMultipartUploadResult><UploadId>{key}</UploadId></InitiateMultipartUploadResult>"
            self._answer(200, name)
            return
        parts = self.server.parts.pop(query["uploadId"][0])
        self.server.objects[key] = b"".join(parts[number] for number in sorted(parts))
        self._answer(200, f"<CompleteMultipartUploadResult><Key>{key}</Key></CompleteMultipartUploadResult>")

    def do_PUT(self) -> None:
        _, key, query = self._place()
        content = self._body()
        if self.server.is_full:
            self._answer(403, "<Error><Code>QuotaExceeded</Code><Message>The quota is used up</Message></Error>")
            return
        if "uploadId" in query:
            self.server.parts[query["uploadId"][0]][int(query["partNumber"][0])] = content
        else:
            self.server.objects[key] = content
        self._answer(200, ETag='"part"')

    def do_DELETE(self) -> None:
        _, _, query = self._place()
        self.server.parts.pop(query.get("uploadId", [""])[0], None)
        self._answer(204)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serve_s3() -> Iterator[S3Server]:
    """A server with an empty bucket."""
    with S3Server() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
