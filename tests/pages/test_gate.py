"""What stands before the hosted app: a cap on visitors, limits of uploads, headers, numbers of errors."""

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import streamlit as st

from pages.app import gate
from pages.app.gate import Gate, report_error

HTML = [(b"accept", b"text/html,*/*")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers every request, and holds a WebSocket until it is told to end."""
    if scope["type"] == "websocket":
        await scope["end"].wait()
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b"app"})


async def asked(gate: Gate, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, dict, bytes]:
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    await gate({"type": "http", "method": method, "path": path, "headers": headers}, no_message, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def no_message() -> dict:
    return {}


def ask(gate: Gate, method: str, path: str, headers: list[tuple[bytes, bytes]] = HTML) -> tuple[int, dict, bytes]:
    return asyncio.run(asked(gate, method, path, headers))


def upload(gate: Gate, session: str, file: str, size: int | None, method: str = "PUT") -> int:
    headers = [] if size is None else [(b"content-length", str(size).encode())]
    return ask(gate, method, f"/_stcore/upload_file/{session}/{file}", headers)[0]


def test_every_answer_says_who_may_frame_the_page() -> None:
    status, headers, body = ask(Gate(app), "GET", "/")
    assert (status, body, headers[b"x"]) == (204, b"app", b"y")
    assert headers[b"content-security-policy"] == b"frame-ancestors 'self'"
    assert headers[b"x-content-type-options"] == b"nosniff"


def test_one_visitor_more_than_there_are_places_gets_a_friendly_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_MAX_SESSIONS", "1")

    async def visits() -> None:
        guarded, end, sent = Gate(app), asyncio.Event(), []

        async def send(message: dict) -> None:
            sent.append(message)

        stream = {"type": "websocket", "path": "/_stcore/stream", "end": end}
        first = asyncio.create_task(guarded(stream, no_message, send))
        await asyncio.sleep(0)
        await guarded(stream, no_message, send)
        assert sent == [{"type": "websocket.close", "code": 1013}]
        status, headers, body = await asked(guarded, "GET", "/", HTML)
        assert status == 503 and headers[b"retry-after"] and b"All places are taken" in body
        assert (await asked(guarded, "GET", "/static/x.js", []))[0] == 204  # of the visitor who is there
        end.set()
        await first
        assert (await asked(guarded, "GET", "/", HTML))[0] == 204

    asyncio.run(visits())


def test_a_session_holds_so_many_bytes_of_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_MAX_UPLOAD_MB", "10")
    guarded = Gate(app)
    assert upload(guarded, "a", "1", 6_000_000) == 204
    assert upload(guarded, "a", "2", 6_000_000) == 413
    assert upload(guarded, "a", "1", 9_000_000) == 204  # in its place
    assert upload(guarded, "b", "1", 6_000_000) == 204
    assert upload(guarded, "a", "1", None, "DELETE") == 204
    assert upload(guarded, "a", "2", 6_000_000) == 204


@pytest.mark.parametrize("size", [None, -1])
def test_an_upload_of_unknown_size_is_refused(size: int | None) -> None:
    assert upload(Gate(app), "a", "1", size) == 413


def test_an_error_is_shown_as_a_number_that_the_log_has(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(st, "error", shown.append)
    assert report_error(ValueError("/secret/path"))
    (text,) = shown
    number = text.rstrip(".").rpartition(" ")[2]
    assert "/secret/path" not in text
    assert number in caplog.text and "/secret/path" in caplog.text


@pytest.fixture
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("handler")
def test_sigterm_ends_the_process_soon_whatever_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, timers = [], []
    signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))

    class Timer:
        daemon = False

        def __init__(self, seconds: float, *what: Any) -> None:
            timers.append((seconds, *what))

        def start(self) -> None: ...

    monkeypatch.setattr(gate.threading, "Timer", Timer)
    asyncio.run(Gate(app)({"type": "lifespan"}, no_message, no_message))
    signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM]
    assert timers == [(gate.END_S, gate.os._exit, (0,))]
