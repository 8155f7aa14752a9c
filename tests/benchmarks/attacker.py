"""One visitor who attacks the app: ``python -m tests.benchmarks.attacker ADDRESS SECONDS SEED``.

Uploads damaged and costly files, opens hostile links, opens and closes tabs, sends giant requests, one after another.
"""

import contextlib
import http.client
import itertools
import json
import random
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, Error, sync_playwright

from tests.fuzz.mutate import HOSTILE_TEXTS
from tests.fuzz.seeds import SEEDS
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS

WAIT_MS = 8_000
GIANT_BYTES = 200_000_000


def tangle(corners: int) -> bytes:
    """A GeoJSON of one ring that crosses itself everywhere."""
    ring = [[random.random(), random.random()] for _ in range(corners)]
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return json.dumps({"type": "Feature", "properties": {}, "geometry": geometry}).encode()


def bomb(side_px: int) -> bytes:
    """A PNG of a few kB that claims and holds side x side pixels of one colour."""
    rows = zlib.compress(bytes((side_px // 8 + 1) * side_px), 9)
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def hostile_file() -> tuple[str, bytes]:
    """A name and content: a damaged file of any kind, or one that costs much to read."""
    kind = random.choice(["geotiff", "cog", "png", "jp2", "geojson", "geopackage", "flatgeobuf", "shapefile", "kml"])
    content = bytearray(random.choice(SEEDS[kind]()))
    for _ in range(random.randint(1, 40)):
        content[random.randrange(min(len(content), 2_000))] = random.randrange(256)
    costly = [("a.geojson", tangle(3_000)), ("a.png", bomb(20_000)), ("a.png", bomb(60_000))]
    return random.choice([(f"a.{kind}", bytes(content))] * 3 + costly)


def upload(browser: Browser, address: str) -> None:
    """Upload a hostile image with a hostile reference, and leave while they are read."""
    with contextlib.closing(browser.new_context()) as context, tempfile.TemporaryDirectory() as folder:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{address}/?source=Upload")
        for uploader in page.locator("[data-testid=stFileUploader] input[type=file]").all():
            name, content = hostile_file()
            path = Path(folder) / name
            path.write_bytes(content)
            uploader.set_input_files(path)
        page.wait_for_timeout(2_000)


def hostile_link(browser: Browser, address: str) -> None:
    """Open a link with hostile values."""
    names = ("source", "tile", "path", "gsd", "models", "threshold", "town", "town_gsd", "folder", "scene", "side")
    query = {name: random.choice(HOSTILE_TEXTS[:-1])[:500] for name in random.sample(names, 4)}
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{address}/?{urlencode(query, errors='replace')}")
        page.wait_for_timeout(1_000)


def tabs(browser: Browser, address: str) -> None:
    """Open ten tabs with work to do, and close them at once."""
    with contextlib.closing(browser.new_context()) as context:
        for number in range(10):
            page = context.new_page()
            page.goto(f"{address}/?source=Town&town={random.randrange(10_000)}&n={number}", wait_until="commit")


def giant_request(browser: Browser, address: str) -> None:
    """Send a body of GIANT_BYTES to an address that takes uploads."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    with contextlib.closing(connection):
        chunk = bytes(1_000_000)
        connection.request(
            "PUT",
            "/_stcore/upload_file/a/b",
            body=itertools.repeat(chunk, GIANT_BYTES // len(chunk)),
            headers={"Content-Length": str(GIANT_BYTES)},
        )
        connection.getresponse().read()


ATTACKS: tuple[Callable[[Browser, str], None], ...] = (upload, upload, hostile_link, tabs, giant_request)


def main(address: str, seconds: float, seed: int) -> None:
    random.seed(seed)
    end, done = time.monotonic() + seconds, dict.fromkeys((attack.__name__ for attack in ATTACKS), 0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        while time.monotonic() < end:
            attack = random.choice(ATTACKS)
            with contextlib.suppress(Error, OSError, http.client.HTTPException):  # refused
                attack(browser, address)
            done[attack.__name__] += 1
        browser.close()
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
