"""What an address may reach: public hosts by http and https, within a deadline."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scinet import web
from scinet.download import find_file
from scinet.errors import DownloadError, RasterError
from scinet.raster.scene import open_scene
from tests.range_server import serve_files


@contextmanager
def server_that_sends(first: bytes, drip_s: float = 0.0) -> Iterator[tuple[str, list[int]]]:
    """The address of a server that sends some bytes, then single ones; and how often it was asked."""
    asked: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                asked.append(1)
                with connection:
                    try:
                        connection.recv(4096)
                        connection.sendall(first)
                        while drip_s:
                            time.sleep(drip_s)
                            connection.sendall(b"X")
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked


@pytest.fixture
def private_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCINET_ALLOW_PRIVATE", raising=False)


@pytest.mark.usefixtures("private_is_refused")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
def test_this_machine_is_not_asked(host: str) -> None:
    with server_that_sends(b"HTTP/1.0 200 OK\r\n\r\nsecret") as (address, asked):
        url = f"http://{host}:{address.rpartition(':')[2]}/a.tif"
        with pytest.raises(RasterError, match="on this machine or in its network"):
            open_scene(url)
        with pytest.raises(DownloadError, match="on this machine or in its network"):
            find_file(url)
    assert not asked


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("172.16.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
@pytest.mark.usefixtures("private_is_refused")
def test_only_public_addresses_are_allowed(address: str, is_allowed: bool) -> None:
    assert web._is_allowed(address) is is_allowed


def test_a_redirect_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"public": True}  # the first server counts as public, the second does not

    def is_allowed(text: str) -> bool:
        return first.pop("public", False)

    monkeypatch.setattr(web, "_is_allowed", is_allowed)
    with (
        server_that_sends(b"HTTP/1.0 200 OK\r\n\r\nsecret") as (inner, asked),
        server_that_sends(f"HTTP/1.0 302 Found\r\nLocation: {inner}/a.tif\r\n\r\n".encode()) as (outer, asked_outer),
        pytest.raises(RasterError, match="on this machine or in its network"),
    ):
        web.check_url(f"{outer}/a.tif")
    assert asked_outer and not asked


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a.tif", "file:///etc/passwd"])
def test_a_redirect_to_another_scheme_is_refused(target: str) -> None:
    answer = f"HTTP/1.0 302 Found\r\nLocation: {target}\r\n\r\n".encode()
    with server_that_sends(answer) as (address, _), pytest.raises(RasterError, match=r"a\.tif cannot be opened"):
        web.check_url(f"{address}/a.tif")


@pytest.mark.parametrize("first", [b"", b"HTTP/1.0 200 OK\r\nX: "])
def test_a_server_that_drips_is_given_up(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "DEADLINE_S", 0.5)
    start = time.monotonic()
    with server_that_sends(first, drip_s=0.05) as (address, _), pytest.raises(RasterError, match=r"a\.tif"):
        web.check_url(f"{address}/a.tif")
    assert time.monotonic() - start < 5


def test_a_setting_allows_this_machine() -> None:
    with serve_files({"/a.bin": b"123"}) as server:
        assert find_file(f"{server.address}/a.bin").size_bytes == 3
