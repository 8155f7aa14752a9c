"""STAC items and collections of them: which image they name."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from scinet.errors import RasterError
from scinet.web import is_url

_TIFF = re.compile(r"\.tiff?($|\?)", re.IGNORECASE)
_PICTURES_OF_IT = {"thumbnail", "overview", "metadata", "mask"}
_USUAL_KEYS = ("visual", "image", "ortho", "rgb", "data", "analytic")
_SHOWN = 10


@dataclass(frozen=True)
class StacImage:
    """An image that an item names.

    Attributes:
        address: Of its GeoTIFF.
        note: Where it comes from, with date and licence, in a sentence for the reader.
    """

    address: str
    note: str


def stac_image(content: bytes, url: str, name: str) -> StacImage | None:
    """The image of a STAC item, or of one in a collection of items.

    Args:
        content: The JSON at an address.
        url: That address. After "#" it may name the item of several, the asset of several, or both: #item/asset.
        name: What to call it in a message.

    Returns:
        The image; None for JSON that is not STAC.

    Raises:
        RasterError: It names no image, or several among which the address does not choose.
    """
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict):
        return None
    if facts.get("type") in ("Catalog", "Collection") and "stac_version" in facts:
        raise RasterError(f"{name} gives a STAC {facts['type'].lower()}. Give the address of one of its items.")
    items = facts.get("features") if facts.get("type") == "FeatureCollection" else [facts]
    items = [item for item in items if _is_item(item)] if isinstance(items, list) else []
    if not items:
        return None
    item_id, _, asset = unquote(urldefrag(url).fragment).partition("/")
    item = _chosen(items, item_id, name)
    if item is None:  # of one item, "#" names the asset alone
        item, asset = items[0], item_id
    key = _asset(item["assets"], asset, name)
    address = urljoin(url, str(item["assets"][key].get("href", "")))
    if not is_url(address):
        raise RasterError(f"The image {key[:40]} of {name} has no http or https address. Choose another.")
    return StacImage(address, _note(item))


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and item.get("type") == "Feature"
        and "stac_version" in item
        and isinstance(item.get("assets"), dict)
    )


def _chosen(items: list[dict[str, Any]], item_id: str, name: str) -> dict[str, Any] | None:
    """The item with an id; None where there is one alone, with another id."""
    by_id = {str(item.get("id")): item for item in items}
    if item_id in by_id or (len(items) == 1 and not item_id):
        item: dict[str, Any] = by_id.get(item_id, items[0])
        return item
    if len(items) == 1:
        return None
    shown = "; ".join(f"{key[:60]} ({_facts(item) or 'no date'})" for key, item in list(by_id.items())[:_SHOWN])
    raise RasterError(f"{name} gives {len(items)} items: {shown}. Choose one by adding #ITEM to the address.")


def _asset(assets: dict[str, Any], asked: str, name: str) -> str:
    """The key of the asset that is the image."""
    found = {
        key: asset
        for key, asset in assets.items()
        if isinstance(asset, dict)
        and ("image/tiff" in str(asset.get("type")) or _TIFF.search(str(asset.get("href"))))
        and not _roles(asset) & _PICTURES_OF_IT
    }
    if asked:
        if asked not in found:
            raise RasterError(f"{name} has no image {asked[:40]}; it has {', '.join(found) or 'none'}. Choose another.")
        return asked
    for likely in ([key for key, asset in found.items() if "visual" in _roles(asset)], _USUAL_KEYS, found):
        keys = [key for key in likely if key in found]
        if keys and (likely is not found or len(keys) == 1):
            return keys[0]
    if not found:
        raise RasterError(f"{name} names no GeoTIFF. Give an item with one.")
    shown = ", ".join(list(found)[:_SHOWN])
    raise RasterError(f"{name} has several images: {shown}. Choose one by adding #IMAGE to the address.")


def _roles(asset: dict[str, Any]) -> set[str]:
    roles = asset.get("roles")
    return {str(role) for role in roles} if isinstance(roles, list) else set()


def _note(item: dict[str, Any]) -> str:
    return f"The image is that of the STAC item {str(item.get('id'))[:80]} ({_facts(item) or 'without a date'})."


def _facts(item: dict[str, Any]) -> str:
    """Date, resolution and licence, as far as an item states them."""
    properties = item.get("properties")
    said = properties if isinstance(properties, dict) else {}
    date = str(said.get("datetime") or said.get("start_datetime") or "")[:10]
    gsd = said.get("gsd")
    size = f"{100 * gsd:.3g} cm/px" if isinstance(gsd, int | float) and 0 < gsd < 1e6 else ""
    return ", ".join(filter(None, (date, size, str(said.get("license") or "")[:40])))
