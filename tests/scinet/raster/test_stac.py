"""STAC items name their image; several are told apart by the address."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from scinet.errors import RasterError
from scinet.raster.scene import open_scene
from scinet.raster.stac import stac_image
from tests.range_server import RangeServer, serve_files
from tests.scinet.raster.test_scene import geotiff

URL = "https://host.example/items/a"


def asset(href: str = "image.tif", **facts: Any) -> dict[str, Any]:
    return {"href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized", **facts}


def item(name: str = "a", **assets: Any) -> dict[str, Any]:
    properties = {"datetime": "2023-05-01T10:00:00Z", "gsd": 0.05, "license": "CC-BY-4.0"}
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "properties": properties, "assets": assets}


def collection(*items: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(items)}


def address(facts: Any, url: str = URL) -> str:
    found = stac_image(json.dumps(facts).encode(), url, "host.example")
    assert found is not None
    return found.address


def test_the_visual_image_comes_before_the_data() -> None:
    found = item(data=asset("data.tif"), visual=asset("visual.tif"), thumbnail=asset("t.tif", roles=["thumbnail"]))
    assert address(found) == "https://host.example/items/visual.tif"
    assert (
        address(item(x=asset("x.tif", roles=["visual"]), visual=asset("v.tif"))) == "https://host.example/items/x.tif"
    )
    assert address(found, f"{URL}#data") == "https://host.example/items/data.tif"


def test_several_items_are_told_apart_by_the_address() -> None:
    several = collection(item("a", image=asset("a.tif")), item("b", image=asset("b.tif"), other=asset("c.tif")))
    assert address(several, f"{URL}#b") == "https://host.example/items/b.tif"
    assert address(several, f"{URL}#b/other") == "https://host.example/items/c.tif"
    assert address(collection(item("a", image=asset("a.tif")))) == "https://host.example/items/a.tif"
    with pytest.raises(RasterError, match=r"2 items: a \(2023-05-01, 5 cm/px, CC-BY-4.0\); b .*adding #ITEM"):
        address(several)


@pytest.mark.parametrize(
    ("facts", "url", "reason"),
    [
        ({"type": "Collection", "stac_version": "1.0.0"}, URL, "STAC collection"),
        (item(thumbnail=asset(roles=["thumbnail"])), URL, "names no GeoTIFF"),
        (item(b2=asset("2.tif"), b3=asset("3.tif")), URL, "several images: b2, b3"),
        (item(image=asset()), f"{URL}#other", "no image other; it has image"),
        (item(image=asset("s3://bucket/a.tif")), URL, "no http or https address"),
        (item(image=asset("file:///etc/passwd.tif")), URL, "no http or https address"),
    ],
)
def test_items_without_an_image_are_refused(facts: Any, url: str, reason: str) -> None:
    with pytest.raises(RasterError, match=reason):
        address(facts, url)


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"{}", b'{"type": "FeatureCollection", "features": 3}', b"[" * 100_000]
)
def test_other_json_is_not_stac(content: bytes) -> None:
    assert stac_image(content, URL, "host.example") is None


@pytest.fixture
def server() -> Iterator[RangeServer]:
    image = geotiff(np.full((3, 64, 80), 90, np.uint8), tiled=True, blockxsize=32, blockysize=32)
    with serve_files({"/items/image.tif": image, "/items/a": json.dumps(item(image=asset())).encode()}) as server:
        yield server


def test_an_item_is_opened_with_a_note_on_its_origin(server: RangeServer) -> None:
    scene = open_scene(f"{server.address}/items/a")
    assert scene.grid.shape == (64, 80) and scene.source == f"{server.address}/items/image.tif"
    assert scene.notes == ("The image is that of the STAC item a (2023-05-01, 5 cm/px, CC-BY-4.0).",)
    server.files["/items/b"] = b'{"a": 1}'
    with pytest.raises(RasterError, match="JSON that names no image"):
        open_scene(f"{server.address}/items/b")
