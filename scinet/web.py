"""Files at http and https addresses: GDAL's options for them, and why an address cannot be read, in words."""

import urllib.error
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit

from scinet.errors import RasterError

USER_AGENT = "sci-net-explorer/0.1"  # some servers refuse the default ones
CONNECT_S, READ_S = 8, 30

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
    if isinstance(error, OSError):
        host = urlsplit(url).netloc or "the server"
        return f"{host} cannot be reached. Check the address and the internet connection"
    return f"{url[:80]} cannot be read as an address. Give one like https://host/file.tif"


def check_url(url: str) -> None:
    """Request the first bytes of a file, as GDAL would, and say in a sentence what is wrong with the answer.

    Raises:
        RasterError: It is not an address, cannot be reached, is refused, does not hold a TIFF, or its server does not
            answer range requests.
    """
    name = file_name(url)
    try:
        with urllib.request.urlopen(request(url, Range="bytes=0-15"), timeout=CONNECT_S) as answer:
            status, start = answer.status, answer.read(16)
    except Exception as error:  # errors of http.client and of the URL parser too, for malformed addresses and answers
        raise RasterError(f"{name} cannot be opened: {reason(url, error)}.") from None
    if not start.startswith(_TIFF):
        raise RasterError(f"{name} is not a GeoTIFF. Give the address of a Cloud Optimized GeoTIFF (COG).")
    if status != 206:
        raise RasterError(f"The server of {name} does not hand out parts of files. Download the file and open that.")
