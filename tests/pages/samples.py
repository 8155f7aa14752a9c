"""Image files for the app's tests, good and bad, and what a page remembers and sent to its map."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from streamlit.testing.v1 import AppTest

from pages.app.state import SESSION, Session
from tests.png import png

PROJECT = Path(__file__).parents[2]

VRT = b"""<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>/etc/hostname</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


def house() -> tuple[np.ndarray, np.ndarray]:
    """An image uint8 (64, 64, 3) of one bright house of 20 x 20 px, and its mask bool (64, 64)."""
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    image = np.random.default_rng(0).integers(60, 90, (64, 64, 3), np.uint8)
    image[mask] += 120
    return image, mask


def geotiff(repeat: int = 1) -> bytes:
    """The house at 10 cm/px in UTM 30N, repeated in both directions."""
    image = np.tile(house()[0], (repeat, repeat, 1))
    profile = {"driver": "GTiff", "width": image.shape[1], "height": image.shape[0], "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32630", "transform": from_origin(500000, 620000, 0.1, 0.1)}
    with MemoryFile() as memory:
        with rasterio.open(memory, "w", **profile, **place) as dataset:
            dataset.write(np.moveaxis(image, -1, 0))
        return bytes(memory.read())


def bad_images() -> dict[str, tuple[str, bytes]]:
    """Name and content of files that are not images, by what is wrong with them."""
    return {
        "zero bytes": ("empty.tif", b""),
        "truncated": ("cut.tif", geotiff()[:4000]),
        "truncated png": ("cut.png", png(house()[0])[:3000]),
        "text": ("notes.tif", b"These are not the pixels you are looking for.\n"),
        "vrt": ("virtual.tif", VRT),
    }


def session_of(app: AppTest) -> Session:
    """What the app remembers of the test's session."""
    session: Session = app.session_state[SESSION]
    return session


def map_state(app: AppTest) -> dict[str, Any]:
    """What the page shows on its map: "frame" with its CRS, the state, and the two sides as "left" and "right"."""
    (component,) = app.get("component_instance")
    arguments = json.loads(component.proto.json_args)
    links = arguments["js_links"] + arguments["css_links"]
    assert links and not any("//" in link for link in links), links  # the app's own files
    frame = _argument(arguments["script"], "scinetMap.open(map_div, ")
    frame["crs"] = re.findall(r"crs: L\.CRS\.(\w+)", arguments["script"])[0]
    (text,) = (match for each in app.get("html") for match in re.findall('data-state="(.*?)"', each.proto.body))
    state = json.loads(unescape(text))
    left, right = (state["cells"][side] for side in state["sides"])
    return {"frame": frame, **state, "left": left, "right": right}


def _argument(script: str, call: str) -> dict[str, Any]:
    """The JSON object after the text of a call in a script."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(script, script.index(call) + len(call))[0]
    return found
