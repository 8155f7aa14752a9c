"""GDAL reaches public hosts only, by redirects too; others who know the proxy's port cannot use it."""

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import rasterio
from rasterio.errors import RasterioIOError

from scinet import web, web_proxy
from tests.conftest import PROJECT
from tests.range_server import RangeServer, serve_files


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """GDAL's options, with a proxy that takes nothing private."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SCINET_ALLOW_PRIVATE", raising=False)
    return web_proxy.gdal_options()


@pytest.fixture
def served() -> Iterator[RangeServer]:
    with serve_files({"/a.tif": b"II*\0" + bytes(1000)}) as server:
        yield server


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The place and the password of a proxy that connects to this machine too."""
    monkeypatch.setenv("SCINET_ALLOW_PRIVATE", "1")  # of the proxy's process
    proxy = web_proxy._Proxy()
    yield proxy.started()
    del proxy  # its process ends when nobody holds it


def test_gdal_does_not_reach_this_machine(options: dict[str, Any], served: RangeServer) -> None:
    with rasterio.Env(**options), pytest.raises(RasterioIOError):
        rasterio.open(web.gdal_path(f"{served.address}/a.tif"))
    assert not served.asked


def answer(place: str, request: bytes) -> bytes:
    host, port = place.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request)
        return connection.recv(1000)


def test_nobody_else_can_use_the_proxy(options: dict[str, Any], served: RangeServer) -> None:
    for request in (f"GET {served.address}/a.tif HTTP/1.1\r\n\r\n", "CONNECT 8.8.8.8:53 HTTP/1.1\r\n\r\n"):
        assert answer(options["GDAL_HTTP_PROXY"], request.encode()).startswith(b"HTTP/1.1 407")


@pytest.mark.parametrize("target", ["127.0.0.1:80", "localhost:80", "[::1]:80", "169.254.169.254:80", "10.0.0.1:80"])
def test_a_tunnel_to_a_private_host_is_refused(options: dict[str, Any], target: str) -> None:
    credentials = base64.b64encode(options["GDAL_HTTP_PROXYUSERPWD"].encode()).decode()
    request = f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
    assert answer(options["GDAL_HTTP_PROXY"], request.encode()).startswith(b"HTTP/1.1 403")


def test_what_is_allowed_is_passed_on(allowed: tuple[str, str], served: RangeServer) -> None:
    place, password = allowed
    options = web.GDAL_OPTIONS | {"GDAL_HTTP_PROXY": place, "GDAL_HTTP_PROXYUSERPWD": f"until-ever:{password}"}
    options["GDAL_DISABLE_READDIR_ON_OPEN"] = "EMPTY_DIR"
    with rasterio.Env(**options), pytest.raises(RasterioIOError):  # it is not a whole image
        rasterio.open(web.gdal_path(f"{served.address}/a.tif"))
    assert "/a.tif" in {path for path, _ in served.asked}


def get(place: str, user: str, password: str, target: str) -> bytes:
    """What comes until the connection is closed."""
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    host, port = place.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nProxy-Authorization: Basic {credentials}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(10_000), b""))


def test_after_its_deadline_a_user_is_refused(allowed: tuple[str, str], served: RangeServer) -> None:
    place, password = allowed
    target = f"{served.address}/a.tif"
    assert get(place, f"until-{time.time() + 60}", password, target).startswith(b"HTTP/1.0 200")
    assert get(place, f"until-{time.time() - 1}", password, target).startswith(b"HTTP/1.1 504")
    for unknown in ("until-tomorrow", "somebody"):
        assert get(place, unknown, password, target) == b""


def test_a_connection_is_closed_at_its_deadline(allowed: tuple[str, str]) -> None:
    place, password = allowed
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the connection and never answers
        target = f"http://127.0.0.1:{silent.getsockname()[1]}/a.tif"
        assert get(place, f"until-{time.time() + 0.5}", password, target) == b""  # within the socket's own 20 s


PUBLIC = """
import socket
from scinet import web, web_proxy

def connect(address, timeout, source_address=None):
    if address[0] == "public.example":
        return socket.create_connection(("127.0.0.1", {port}), timeout)
    raise web.PrivateAddressError(address[0])

web.connect_public = connect
web_proxy.serve()
"""


@pytest.fixture
def behind_a_public_name(served: RangeServer) -> Iterator[dict[str, Any]]:
    """GDAL's options with a proxy for which the server's public name is public, while its own address is not."""
    program = PUBLIC.format(port=served.address.rpartition(":")[2])
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("password\n")
    process.stdin.flush()
    place = {
        "GDAL_HTTP_PROXY": f"127.0.0.1:{int(process.stdout.readline())}",
        "GDAL_HTTP_PROXYUSERPWD": "until-ever:password",
    }
    yield web.GDAL_OPTIONS | place | {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_MAX_RETRY": 0}
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("target", "is_reached"),
    [("http://public.example/a.tif", True), ("{address}/a.tif", False), ("http://[::1]/a.tif", False)],
)
def test_gdal_follows_a_redirect_to_public_hosts_only(
    behind_a_public_name: dict[str, Any], served: RangeServer, target: str, is_reached: bool
) -> None:
    path = f"/moved{abs(hash(target))}.tif"  # GDAL remembers what an address was
    served.redirects[path] = target.format(address=served.address)
    with rasterio.Env(**behind_a_public_name), pytest.raises(RasterioIOError):  # it is not a whole image
        rasterio.open(web.gdal_path(f"http://public.example{path}"))
    asked = [path for path, _ in served.asked]
    assert path in asked and ("/a.tif" in asked) == is_reached


def test_with_leave_for_private_hosts_there_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCINET_ALLOW_PRIVATE", "1")
    assert web_proxy.gdal_options() == web.GDAL_OPTIONS
