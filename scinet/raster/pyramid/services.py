"""Which service is at an address: told by the address, else by what it answers."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from scinet import web
from scinet.errors import RasterError
from scinet.raster.choice import ImageChoice
from scinet.raster.pyramid.fetch import fetch_document, fetch_range
from scinet.raster.pyramid.matrix import Pyramid
from scinet.raster.pyramid.pmtiles import MAGIC, open_pmtiles
from scinet.raster.pyramid.templates import is_template, open_template, open_tilejson
from scinet.raster.pyramid.tms import open_tms
from scinet.raster.pyramid.wms import open_wms
from scinet.raster.pyramid.wmts import open_wmts
from scinet.raster.stac import StacImage, stac_image
from scinet.safe_xml import parse_xml

_TIFF = (".tif", ".tiff")


def open_service(url: str, cm_per_px: float | None, choice: ImageChoice) -> Pyramid | StacImage | None:
    """The tiles of a service or of a PMTiles file at an address, or the image of a STAC item; None for an image file.

    Args:
        url: A template such as https://host/{z}/{x}/{y}.png, or the address of a TileJSON file, a tile map resource
            (TMS), capabilities (WMTS, WMS), a PMTiles file, or a STAC item or collection of items.
        cm_per_px: The resolution to ask for, where the service has none of its own (WMS).
        choice: Zoom and bounds.

    Raises:
        GsdMissingError: `cm_per_px` is needed.
        RasterError: The service cannot be read, or `choice` lacks something.
    """
    name = web.host(url)
    if is_template(url):
        return open_template(url, name, choice)
    if web.file_name(url).lower().endswith(_TIFF):
        return None  # without a request
    kind = _query(url).get("service", "").upper()
    if kind in ("WMS", "WMTS"):
        return _from_xml(fetch_document(_capabilities(url, kind), name), url, cm_per_px, choice)
    head = web.first_bytes(url)
    if head.startswith(MAGIC):
        return open_pmtiles(fetch_range(url, web.file_name(url)), web.file_name(url))
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return _from_xml(fetch_document(url, name), url, cm_per_px, choice)
    if not start.startswith(b"{"):
        return None
    content = fetch_document(url, name)
    return open_tilejson(content, name, choice) or _stac(content, url, name)


def _stac(content: bytes, url: str, name: str) -> StacImage:
    image = stac_image(content, url, name)
    if image is None:
        raise RasterError(f"{name} answers with JSON that names no image. Give a STAC item, TileJSON or an image.")
    return image


def _from_xml(content: bytes, url: str, cm_per_px: float | None, choice: ImageChoice) -> Pyramid:
    name, address = web.host(url), urlunsplit(urlsplit(url)._replace(query="", fragment=""))
    try:
        root = parse_xml(content)
    except ValueError as error:
        raise RasterError(f"{name} answers with something that is not a map service: {error}.") from None
    tag = root.tag.rpartition("}")[2]
    if tag == "Capabilities":
        return open_wmts(root, address, _query(url), name)
    if tag in ("WMS_Capabilities", "WMT_MS_Capabilities"):
        return open_wms(root, address, _query(url), name, cm_per_px, choice)
    if tag == "TileMap":
        return open_tms(root, url, name)
    raise RasterError(
        f"{name} answers with a page or an error instead of an image. Give the address of a COG, of tiles with "
        "{z}, {x} and {y}, or of a service."
    )


def _query(url: str) -> dict[str, str]:
    return {key.lower(): value for key, value in parse_qsl(urlsplit(url).query)}


def _capabilities(url: str, kind: str) -> str:
    """The address of a service's capabilities; what else the query holds, such as a key, stays."""
    chosen = ("service", "request", "layer", "layers", "style", "styles", "tilematrixset", "version")
    kept = {key: value for key, value in _query(url).items() if key not in chosen}
    query = urlencode(kept | {"SERVICE": kind, "REQUEST": "GetCapabilities"})
    return urlunsplit(urlsplit(url)._replace(query=query, fragment=""))
