"""A proxy through which GDAL reads addresses: it connects to public hosts only, wherever a redirect or a name leads.

GDAL resolves names and follows redirects itself, so that checking an address before GDAL opens it proves little. The
proxy is a process of its own, as GDAL may wait for it while it holds Python's lock.
"""

import base64
import os
import secrets
import selectors
import socket
import subprocess
import sys
import time
import urllib.request
import weakref
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from scinet import web

_HEAD_BYTES = 65_536
_IDLE_S, _CONNECTION_S = 30, 300
_BUFFER_BYTES = 262_144


def gdal_options(deadline_s: float | None = None) -> dict[str, Any]:
    """GDAL's options for addresses, with the proxy where strangers' addresses must not lead to private hosts.

    Args:
        deadline_s: After so long the proxy closes all connections that are made with these options, and refuses others.
            GDAL limits single requests only, of which a file may need any number before it is open.
    """
    if web.private_is_allowed() or urllib.request.getproxies().keys() & {"http", "https", "all"}:
        return web.GDAL_OPTIONS  # whoever runs the program says so, or has set a proxy that decides
    for name in ("no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)  # without another proxy it would only lead around this one
    address, password = _proxy.started()
    return web.GDAL_OPTIONS | {
        "GDAL_HTTP_PROXY": address,
        "GDAL_HTTPS_PROXY": address,
        "GDAL_HTTP_PROXYUSERPWD": f"{_user(deadline_s)}:{password}",
        "GDAL_PROXY_AUTH": "BASIC",
    }


def _user(deadline_s: float | None) -> str:
    """The user's name, which says by the system's clock when connections end."""
    return f"until-{'ever' if deadline_s is None else round(time.time() + deadline_s, 3)}"


def _left_s(user: str) -> float:
    """How long a user's connection may last from now."""
    word, _, until = user.partition("-")
    if word != "until":
        raise ValueError("unknown user")
    return _CONNECTION_S if until == "ever" else min(_CONNECTION_S, float(until) - time.time())


class _Proxy:
    """The proxy's process, started when it is needed; it ends with this one."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._place = ("", "")

    def started(self) -> tuple[str, str]:
        """The proxy's address and password."""
        with self._guard:
            if self._process is None or self._process.poll() is not None:
                password = secrets.token_urlsafe(24)
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "scinet.web_proxy"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
                )
                weakref.finalize(self, process.kill)
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write(f"{password}\n")
                process.stdin.flush()
                self._process, self._place = process, (f"127.0.0.1:{int(process.stdout.readline())}", password)
            return self._place


_proxy = _Proxy()


def serve() -> None:
    """The program: serve until the standard input is closed."""
    password = sys.stdin.readline().strip()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        Thread(target=_accept, args=(listener, password), daemon=True).start()
        sys.stdin.read()


def _accept(listener: socket.socket, password: str) -> None:
    while True:
        connection, _ = listener.accept()
        Thread(target=_handle, args=(connection, password), daemon=True).start()


def _handle(client: socket.socket, password: str) -> None:
    with client, suppress(OSError, ValueError, UnicodeError):
        client.settimeout(_IDLE_S)
        head, rest = _read_head(client)
        request, *headers = head.split(b"\r\n")
        given = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in headers}
        user, given_password = _credentials(given.get(b"proxy-authorization", b""))
        if not secrets.compare_digest(given_password.encode(), password.encode()):
            _refuse(client, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
            return
        ends = time.monotonic() + _left_s(user)
        if ends <= time.monotonic():
            _refuse(client, HTTPStatus.GATEWAY_TIMEOUT)
            return
        method, target, version = request.split(b" ")
        place = urlsplit(f"//{target.decode()}" if method == b"CONNECT" else target.decode())
        if not place.hostname:
            _refuse(client, HTTPStatus.BAD_REQUEST)
            return
        try:
            server = web.connect_public((place.hostname, place.port or 80), web.CONNECT_S)
        except web.PrivateAddressError:
            _refuse(client, HTTPStatus.FORBIDDEN)
            return
        except OSError:
            _refuse(client, HTTPStatus.BAD_GATEWAY)
            return
        with server:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = (place.path or "/") + (f"?{place.query}" if place.query else "")
                kept = [line for line in headers if not line.lower().startswith((b"proxy-", b"connection:"))]
                lines = [b" ".join((method, path.encode(), version)), *kept, b"Connection: close"]
                rest = b"\r\n".join(lines) + b"\r\n\r\n" + rest
            server.sendall(rest)
            _pass_on(client, server, ends)


def _credentials(header: bytes) -> tuple[str, str]:
    """The user and the password of a header for basic authentication; two empty ones where there are none."""
    scheme, _, text = header.partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    user, _, password = base64.b64decode(text).decode().partition(":")
    return user, password


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """The request's line and headers, and what follows them."""
    content = b""
    while b"\r\n\r\n" not in content:
        part = client.recv(_HEAD_BYTES)
        content += part
        if not part or len(content) > _HEAD_BYTES:
            raise ValueError("no request")
    head, _, rest = content.partition(b"\r\n\r\n")
    return head, rest


def _refuse(client: socket.socket, status: HTTPStatus) -> None:
    text = f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    client.sendall(text.encode())


def _pass_on(client: socket.socket, server: socket.socket, ends: float) -> None:
    """Pass bytes both ways until one end closes, nothing comes for a while, or `ends` by the monotonic clock."""
    with selectors.DefaultSelector() as both:
        both.register(client, selectors.EVENT_READ, server)
        both.register(server, selectors.EVENT_READ, client)
        while ready := both.select(max(0.0, min(_IDLE_S, ends - time.monotonic()))):
            if time.monotonic() >= ends:
                return
            for key, _ in ready:
                source, other = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                content = source.recv(_BUFFER_BYTES)
                if not content:
                    return
                other.sendall(content)


if __name__ == "__main__":
    serve()
