"""GeoTIFFs at http and https addresses: what GDAL may do there, and why an address gives no image."""

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
}


def is_url(source: object) -> bool:
    """Whether a source is an http or https address."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def file_name(url: str) -> str:
    """What to call the file at an address."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address at all: asking for it says so
        return url
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc or url


def gdal_path(url: str) -> str:
    return f"/vsicurl/{url}"


def check_url(url: str) -> None:
    """Ask for the first bytes of a file, as GDAL would, and say in a sentence what is wrong with the answer.

    Raises RasterError where the address is none, cannot be reached, is refused, holds no TIFF, or its server
    does not hand out parts of files.
    """
    name = file_name(url)
    try:
        request = urllib.request.Request(url, headers={"Range": "bytes=0-15", "User-Agent": USER_AGENT})
        with urllib.request.urlopen(request, timeout=CONNECT_S) as answer:
            status, start = answer.status, answer.read(16)
    except urllib.error.HTTPError as error:
        reason = _REASONS.get(error.code, f"the server answers with the error {error.code}. Try again later")
        raise RasterError(f"{name} cannot be opened: {reason}.") from None
    except TimeoutError:
        raise RasterError(f"{name} cannot be opened: the server does not answer. Try again later.") from None
    except OSError:
        raise RasterError(
            f"{urlsplit(url).netloc or 'The server'} cannot be reached. Check the address and the internet connection."
        ) from None
    except Exception:  # http.client's and the URL parser's own, for addresses and servers that are none
        raise RasterError(f"{url[:80]} is no address that can be read. Give one like https://host/file.tif.") from None
    if not start.startswith(_TIFF):
        raise RasterError(f"{name} is no GeoTIFF. Give the address of a Cloud Optimized GeoTIFF (COG).")
    if status != 206:
        raise RasterError(f"The server of {name} does not hand out parts of files. Download the file and open that.")
