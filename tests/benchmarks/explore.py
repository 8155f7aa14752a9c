"""Response times of the page Explore in a browser: ``python -m tests.benchmarks.explore``.

Times are medians, from the user's action to the new picture on both sides of the map. The tile is the first test tile
of 1024 px in the folder that SCINET_DATA names.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd
from playwright.sync_api import Browser, Page, WebSocket, sync_playwright

from scinet.models.card import list_models
from scinet.models.checkpoint import load_model
from scinet.raster.resample import resample
from scinet.raster.resolution import STEPS_CM_PER_PX
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, PROJECT, SETTLED, served

REPEATS = 5
COLD_STARTS = 3
SETTLE_MS = 10_000
POLL_MS = 20  # polling at every frame, the default, would have the browser draw 60 per second
NEW = "to a new resolution"
AREAS_M2 = (20, 60, 120, 250, 500)  # each drops buildings that the previous one kept
OVERLAYS = """() => {
    const map = document.querySelector("iframe[title*=folium]")?.contentDocument;
    const images = [...(map?.querySelectorAll("img.slot-overlay") ?? [])];
    const whole = images.every((image) => image.complete && image.naturalWidth > 0);
    return whole ? images.map((image) => image.getAttribute("src")) : null;
}"""
CHANGED = f"""(former) => {{
    const now = ({OVERLAYS})();
    return now && now.length <= 2 && now.join() !== former.join();
}}"""


@dataclass
class Traffic:
    """Bytes received by the browser."""

    messages: int = 0
    files: int = 0
    asked: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        def opened(socket: WebSocket) -> None:
            socket.on("framereceived", lambda frame: setattr(self, "messages", self.messages + len(frame)))

        page.on("websocket", opened)
        page.on("requestfinished", lambda request: self.asked.append(request.url))
        page.on("response", lambda r: "/media/" in r.url and self._add(r.header_value("content-length")))

    def _add(self, length: str | None) -> None:
        self.files += int(length or 0)


@dataclass
class Row:
    name: str
    seconds: list[float] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        seconds = f"{statistics.median(self.seconds):6.2f} s ({min(self.seconds):.2f} to {max(self.seconds):.2f})"
        sizes = f"{statistics.median(self.messages) / 1e3:8.1f} kB  {statistics.median(self.files) / 1e3:8.1f} kB"
        return f"{self.name:34} {seconds:28} {sizes}"


class Reader:
    """A user whose waiting times are measured."""

    def __init__(self, page: Page) -> None:
        self.page, self.traffic = page, Traffic()
        self.traffic.watch(page)

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.wait_for_picture()

    def wait_for_picture(self) -> None:
        self.page.wait_for_function(CHANGED, arg=[], polling=POLL_MS)

    def settle(self) -> None:
        """Wait for what follows the picture, such as the change since the native resolution."""
        for _ in range(2):
            self.page.wait_for_timeout(700)
            self.page.wait_for_selector(SETTLED)

    @contextmanager
    def timed(self, row: Row, *, opening: bool = False) -> Iterator[None]:
        before = (self.traffic.messages, self.traffic.files)
        former = [] if opening else self.page.evaluate(OVERLAYS)
        began = time.perf_counter()
        yield
        if not opening:
            self.page.wait_for_function(CHANGED, arg=former, polling=POLL_MS)
        row.seconds.append(time.perf_counter() - began)
        self.settle()
        row.messages.append(self.traffic.messages - before[0])
        row.files.append(self.traffic.files - before[1])

    def press(self, name: str, key: str) -> None:
        self.page.get_by_role("slider", name=name).press(key)

    def display(self, style: str) -> None:
        self.page.locator(".st-key-style").get_by_text(style, exact=True).click()

    def min_area(self, area_m2: float) -> None:
        box = self.page.locator(".st-key-min_area input")
        box.fill(f"{area_m2:g}")
        box.press("Enter")


def tile_of_1024_px(folder: Path) -> pd.Series:
    index = pd.read_csv(folder / "index.csv")
    return index[(index["width"] == 1024) & (index["split"] == "test")].iloc[0]


def forward_seconds(path: Path, native_cm_per_px: float, steps_cm_per_px: Sequence[float]) -> list[float]:
    """Seconds that both warm models take together at each step."""
    raster = read_raster(path, cm_per_px=native_cm_per_px)
    models = [load_model(card.name) for card in list_models()[:2]]
    for model in models:
        segment(resample(raster, 40.0), model)
    seconds = []
    for cm_per_px in steps_cm_per_px:
        working = resample(raster, cm_per_px)
        began = time.perf_counter()
        for model in models:
            segment(working, model)
        seconds.append(time.perf_counter() - began)
    return seconds


def first_visits(browser: Browser, scratch: Path) -> list[Row]:
    """A first visit, to a server that starts with it and to the same one later, until heading and masks show."""
    rows = [Row(f"{what}, server {state}") for state in ("cold", "warm") for what in ("heading", "first picture")]
    for _ in range(COLD_STARTS):
        began = time.perf_counter()
        with served(scratch / "log.txt", SCINET_DATA=str(scratch)) as address:
            first_visit(browser, address, began, rows[:2])
            for _ in range(REPEATS):
                first_visit(browser, address, time.perf_counter(), rows[2:])
    return rows


def first_visit(browser: Browser, address: str, began: float, rows: Sequence[Row]) -> None:
    """Open the app in a new session; adds the seconds since `began` to the rows of heading and picture."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(1000 * PATIENCE_S)
    reader = Reader(page)
    page.goto(address)
    for row, wait in zip(rows, (lambda: page.wait_for_selector("h1"), reader.wait_for_picture), strict=True):
        wait()
        row.seconds.append(time.perf_counter() - began)
        row.messages.append(reader.traffic.messages)
        row.files.append(reader.traffic.files)
    reader.settle()
    page.wait_for_timeout(SETTLE_MS)  # the next visit does not compete with the background imports of this one
    page.close()


def measure(reader: Reader, url: str) -> list[Row]:
    """The rows of the table."""
    opening, new, known = Row("open the page, server warm"), Row(NEW), Row("to a known resolution")
    reader.open(url)
    reader.settle()
    for _ in range(3):
        with reader.timed(opening, opening=True):
            reader.open(url)
    for _ in range(REPEATS):
        with reader.timed(new):
            reader.press("Ground resolution", "ArrowRight")
    for key in ["ArrowLeft", "ArrowRight"] * REPEATS:
        with reader.timed(known):
            reader.press("Ground resolution", key)
    for _ in range(REPEATS):
        reader.press("Ground resolution", "ArrowLeft")
        reader.settle()
    actions: list[tuple[str, list[Callable[[], None]]]] = [
        ("threshold", [lambda: reader.press("Threshold", "ArrowRight")] * REPEATS),
        ("minimum area", [lambda area=area: reader.min_area(area) for area in AREAS_M2]),
        ("display, first time", [lambda: reader.display("Probability"), lambda: reader.display("Outlines")]),
        ("display, again", [lambda s=s: reader.display(s) for s in ["Buildings", "Probability", "Outlines"] * 2]),
    ]
    rows = [opening, new, known]
    for name, steps in actions:
        row = Row(name)
        for action in steps:
            with reader.timed(row):
                action()
        rows.append(row)
    return rows


def main() -> None:
    folder = Path(os.environ.get("SCINET_DATA") or PROJECT.parent / "shared" / "data")
    tile = tile_of_1024_px(folder)
    link = {"source": "Tiles", "city": tile["city"], "tile": Path(tile["image"]).stem}
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        rows = first_visits(browser, Path(scratch))
        with served(Path(scratch) / "log.txt", SCINET_DATA=str(folder)) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(1000 * PATIENCE_S)
            rows += measure(Reader(page), f"{address}/?{urlencode(link)}")
        browser.close()
    native = float(tile["cm_per_px"])
    steps = [step for step in STEPS_CM_PER_PX if step > 1.02 * native][:REPEATS]
    forward = forward_seconds(folder / tile["image"], native, steps)
    print(f"{tile['image']}, {native:g} cm/px; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':34} {'until the picture shows':28} {'messages':>11}  {'files':>11}")
    for row in rows:
        print(row)
    new = next(row for row in rows if row.name == NEW)
    beyond = [whole - alone for whole, alone in zip(new.seconds, forward, strict=True)]
    print(
        f"{NEW}, beyond its forward passes: {statistics.median(beyond):.2f} s ({min(beyond):.2f} to {max(beyond):.2f})"
    )


if __name__ == "__main__":
    main()
