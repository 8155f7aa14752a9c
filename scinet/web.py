"""Files at http and https addresses: GDAL's options for them, and why an address cannot be read, in words."""

import http.client
import ipaddress
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from typing import Any
from urllib.parse import unquote, urlsplit

from scinet.errors import RasterError

USER_AGENT = "sci-net-explorer/0.1"  # some servers refuse the default ones
CONNECT_S, READ_S = 8, 30
DEADLINE_S = 20  # for an answer that is a few bytes

GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_HTTP_USERAGENT": USER_AGENT,
    "GDAL_HTTP_CONNECTTIMEOUT": CONNECT_S,
    "GDAL_HTTP_TIMEOUT": READ_S,
    "GDAL_HTTP_MAX_RETRY": 2,
    "GDAL_HTTP_RETRY_DELAY": 0.5,
    "CPL_VSIL_CURL_USE_HEAD": False,  # addresses that are signed for GET refuse HEAD
}

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_REASONS = {
    401: "it wants a password. Give an open address, or download the file",
    403: "the server refuses it. Give an open address, or download the file",
    404: "there is no such file. Check the address",
    410: "the file is gone. Check the address",
    429: "the server is asked too often. Try again later",
    503: "the server is busy. Try again later",
}


def is_url(source: object) -> bool:
    """Whether a source is an http or https address."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def file_name(url: str) -> str:
    """What to call the file at an address."""
    try:
        parts = urlsplit(url)
    except ValueError:  # not an address: requesting it says so
        return url
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc or url


def gdal_path(url: str) -> str:
    """What GDAL calls the file at an address."""
    return f"/vsicurl/{url}"


def request(url: str, **headers: str) -> urllib.request.Request:
    """A request with this program's user agent. Raises ValueError where `url` is not an address."""
    return urllib.request.Request(url, headers={"User-Agent": USER_AGENT, **headers})


def reason(url: str, error: Exception) -> str:
    """What is wrong with an address and what to do, from an error of urllib: a sentence without its subject."""
    if isinstance(error, urllib.error.HTTPError):
        return _REASONS.get(error.code, f"the server answers with the error {error.code}. Try again later")
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "the server does not answer. Try again later"
    if isinstance(getattr(error, "reason", error), PrivateAddressError):
        return (
            "its server is on this machine or in its network. Give a public address, or set SCINET_ALLOW_PRIVATE=1 "
            "where nobody else uses the program"
        )
    if isinstance(error, OSError):
        return f"{host(url)} cannot be reached. Check the address and the internet connection"
    return f"{url[:80]} cannot be read as an address. Give one like https://host/file.tif"


def host(url: str) -> str:
    """The host of an address, with its port."""
    try:
        return urlsplit(url).netloc or url[:80]
    except ValueError:
        return url[:80]


class PrivateAddressError(OSError):
    """A host is on this machine or in its network, which a stranger's address must not reach."""


@contextmanager
def open_url(url: str, timeout_s: float, deadline_s: float | None = None, **headers: str) -> Iterator[HTTPResponse]:
    """Request an address; every host, that of redirects too, has to be public unless SCINET_ALLOW_PRIVATE=1.

    Args:
        url: An http or https address.
        timeout_s: For each part of the answer to arrive.
        deadline_s: After this, the connection is closed, however slowly bytes drip in.
        headers: Of the request.

    Yields:
        The answer. Errors of urllib and http.client pass through.
    """
    if not is_url(url):
        raise ValueError("not an http or https address")
    sockets: list[socket.socket] = []

    def connect(*args: Any, **kwargs: Any) -> socket.socket:
        connection = connect_public(*args, **kwargs)
        sockets.append(connection.dup())  # TLS takes the other over
        return connection

    def hang_up() -> None:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    opener = urllib.request.build_opener(*_handlers(connect))
    timer = threading.Timer(deadline_s or 0, hang_up)
    timer.daemon = True
    if deadline_s is not None:
        timer.start()
    try:
        with opener.open(request(url, **headers), timeout=timeout_s) as answer:
            yield answer
    finally:
        timer.cancel()
        for each in sockets:
            each.close()


def _handlers(connect: Callable[..., socket.socket]) -> list[urllib.request.BaseHandler]:
    """Handlers for http and https that connect by `connect`, and none for ftp, to which a redirect could lead."""

    class Http(http.client.HTTPConnection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._create_connection = connect

    class Https(http.client.HTTPSConnection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._create_connection = connect

    class HttpHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> HTTPResponse:
            return self.do_open(http.client.HTTPConnection if req.has_proxy() else Http, req)

    class HttpsHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> HTTPResponse:
            return self.do_open(http.client.HTTPSConnection if _is_proxied(req) else Https, req)

    class NoFtp(urllib.request.FTPHandler):
        def ftp_open(self, req: urllib.request.Request) -> Any:
            raise ValueError("not an http or https address")

    return [HttpHandler(), HttpsHandler(), NoFtp()]


def _is_proxied(req: urllib.request.Request) -> bool:
    """Whether a request goes through a proxy, which whoever runs the program has set."""
    return req.has_proxy() or getattr(req, "_tunnel_host", None) is not None


def connect_public(address: tuple[str, int], timeout: float, source_address: Any = None) -> socket.socket:
    """Connect to a host by one of its addresses that has been checked: resolving it twice could give two answers."""
    name, port = address
    problem: OSError = OSError(f"{name} has no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(name, port, 0, socket.SOCK_STREAM):
        if not _is_allowed(str(place[0])):
            raise PrivateAddressError(f"{name} is a private address")
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(place)
        except OSError as error:
            problem = error
            connection.close()
        else:
            return connection
    raise problem


def private_is_allowed() -> bool:
    """Whether addresses may lead to this machine and its network."""
    return os.environ.get("SCINET_ALLOW_PRIVATE") == "1"


def _is_allowed(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    if private_is_allowed():
        return True
    return address.is_global and not address.is_multicast


def first_bytes(url: str) -> bytes:
    """The first 16 bytes of the file at an address, which tell its kind. Raises RasterError where it has none."""
    return _start(url)[1]


def _start(url: str) -> tuple[int, bytes]:
    """The status of the answer to a request of 16 bytes, and these."""
    try:
        with open_url(url, CONNECT_S, DEADLINE_S, Range="bytes=0-15") as answer:
            return answer.status, answer.read(16)
    except Exception as error:  # errors of http.client and of the URL parser too, for malformed addresses and answers
        raise RasterError(f"{file_name(url)} cannot be opened: {reason(url, error)}.") from None


def check_url(url: str) -> None:
    """Request the first bytes of a file, as GDAL would, and say in a sentence what is wrong with the answer.

    Raises:
        RasterError: It is not an address, cannot be reached, is refused, does not hold a TIFF, or its server does not
            answer range requests.
    """
    name = file_name(url)
    status, start = _start(url)
    if not start.startswith(_TIFF):
        raise RasterError(f"{name} is not a GeoTIFF. Give the address of a Cloud Optimized GeoTIFF (COG).")
    if status != 206:
        raise RasterError(f"The server of {name} does not hand out parts of files. Download the file and open that.")
