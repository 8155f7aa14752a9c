"""What stands before the app when it is hosted: a cap on sessions and uploads, headers, errors with a number."""

import logging
import os
import secrets
import signal
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import streamlit as st

from pages.app.hosting import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

END_S = 8  # of the ten that a container has
_STREAM, _UPLOADS = "/_stcore/stream", "/_stcore/upload_file/"
_KNOWN_SESSIONS = 10_000
_HEADERS = (
    # The map's own frame is from here
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_FULL = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="30">
<meta name="viewport" content="width=device-width"><title>Sci-Net explorer</title>
<style>body{font:16px system-ui;max-width:34rem;margin:20vh auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>All places are taken</h1><p>This server shows the explorer to a limited number of visitors at a time. This page
tries again every half minute.</p></html>"""


class Gate:
    """ASGI middleware of the hosted app."""

    def __init__(self, app: App) -> None:
        self._app, self._limits = app, Limits.from_environment()
        self._sessions = 0
        self._uploads: OrderedDict[str, dict[str, int]] = OrderedDict()  # bytes by file, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "lifespan":
            _end_in_time()
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._request(scope, receive, _with_headers(send))

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._sessions >= self._limits.sessions:
            await receive()
            await send({"type": "websocket.close", "code": 1013})
            return
        self._sessions += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._sessions -= 1

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        headers = dict(scope["headers"])
        if _UPLOADS in path and method in ("PUT", "POST", "DELETE"):
            session, _, file = path.partition(_UPLOADS)[2].partition("/")
            await self._upload(session, file, method, headers, (scope, receive, send))
        elif self._sessions >= self._limits.sessions and b"text/html" in headers.get(b"accept", b""):
            await _answer(send, 503, _FULL, [(b"retry-after", b"30")])
        else:
            await self._app(scope, receive, send)

    async def _upload(
        self, session: str, file: str, method: str, headers: dict[bytes, bytes], request: tuple[Scope, Receive, Send]
    ) -> None:
        held = self._uploads.setdefault(session, {})
        self._uploads.move_to_end(session)
        while len(self._uploads) > _KNOWN_SESSIONS:
            self._uploads.popitem(last=False)
        scope, receive, send = request
        if method == "DELETE":
            held.pop(file, None)
            await self._app(scope, receive, send)
            return
        length = -1
        with suppress(ValueError):
            length = int(headers.get(b"content-length", b""))
        others = sum(size for name, size in held.items() if name != file)
        if length < 0 or others + length > self._limits.upload_mb * 1e6:
            text = f"A visit may hold {self._limits.upload_mb:g} MB of uploads. Remove a file first."
            await _answer(send, 413, text)
            return
        held[file] = length
        await self._app(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return send_with_headers


async def _answer(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    kind = b"text/html; charset=utf-8" if text.startswith("<") else b"text/plain; charset=utf-8"
    all_headers = [(b"content-type", kind), (b"cache-control", b"no-store"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": text.encode()})


def report_error(error: Exception) -> bool:
    """Log an error of the program under a number, and show the number alone."""
    number = secrets.token_hex(4)
    logging.getLogger("scinet").error("Error %s", number, exc_info=error)
    st.error(f"Something went wrong here, and the server's log says what, under the number {number}.")
    return True


def _end_in_time() -> None:
    """End the process soon after SIGTERM, whatever still runs: called by the server in its main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: Any) -> None:
        clock = threading.Timer(END_S, os._exit, (0,))
        clock.daemon = True
        clock.start()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, end)
