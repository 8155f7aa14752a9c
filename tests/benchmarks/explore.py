"""Response times of the page Explore in a browser: ``python -m tests.benchmarks.explore``.

Times are medians, from the user's action to the new picture. First visits open the first example, whose masks are on
board; the other rows show all models (`All`) on the first test tile of 1024 px in the folder that SCINET_DATA names.
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
from scinet.segmentation.strategies import Strategy
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, PROJECT, SETTLED, served

REPEATS = 5
COLD_STARTS = 3
SETTLE_MS = 10_000
POLL_MS = 20  # polling at every frame, the default, would have the browser draw 60 per second
DRAG_STEPS = 3  # in each direction, from native resolution
PARTS = {"image": "image", "first": "first mask", "all": "all masks", "faded": "faded for"}
AREAS_M2 = (500, 2, 400, 3, 300)  # from few buildings to many and back
STYLES = ("Probability", "Buildings", "Outlines", "Errors")
# What the map shows: its step, and the addresses of its pictures once all of them are drawn
SHOWN = """() => {
    const frame = document.querySelector("[data-testid=stElementContainer]:not([data-retained]) iframe[title*=folium]");
    const state = frame?.contentWindow.scinetStage?.state;
    if (!state) return null;
    const images = (kind) => [...frame.contentDocument.querySelectorAll(`img.slot-${kind}`)];
    const drawn = (kind) => images(kind).every((image) => image.complete && image.naturalWidth > 0);
    return {
        step: state.step, image: drawn("base"), waiting: state.cells.filter((cell) => cell.waits).length,
        masks: drawn("overlay") ? images("overlay").map((image) => image.src) : null,
        cells: JSON.stringify(state.cells),
    };
}"""
ALL_MASKS = f"""() => {{
    const now = ({SHOWN})();
    return now && now.image && now.masks && now.waiting === 0 && now.cells.includes('"kind":"model"');
}}"""
CHANGED = f"""(former) => {{
    const now = ({SHOWN})();
    return now && now.image && now.masks && now.waiting === 0 && now.cells !== former;
}}"""
# Press the slider's key and say after how many ms image, first mask and all masks of the new step are drawn, and for
# how long the map was less than opaque meanwhile
STEP = f"""async (key) => {{
    const shown = {SHOWN};
    const slider = document.querySelector(".st-key-gsd input[type=range]");
    const frame = document.querySelector("iframe[title*=folium]");
    const isFaded = () => {{
        for (let at = frame; at; at = at.parentElement) if (Number(getComputedStyle(at).opacity) < 1) return true;
        return false;
    }};
    const began = performance.now(), models = shown().cells.split('"kind":"model"').length - 1;
    let image = null, first = null, fadedSince = null, faded = 0;
    for (const type of ["keydown", "keyup"]) slider.dispatchEvent(new KeyboardEvent(type, {{ key, bubbles: true }}));
    for (;;) {{
        await new Promise(requestAnimationFrame);
        const now = performance.now() - began, seen = shown();
        if (!isFaded()) fadedSince = null;
        else faded = Math.max(faded, now - (fadedSince ??= now));
        if (!seen || seen.step !== slider.getAttribute("aria-valuetext")) continue;
        if (seen.image) image ??= now;
        if (seen.waiting < models && seen.masks) first ??= now;
        if (seen.image && seen.masks && seen.waiting === 0) return {{ image, first, all: now, faded }};
    }}
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
        self.page.wait_for_function(ALL_MASKS, polling=POLL_MS)

    def settle(self) -> None:
        """Wait for what follows the picture, such as the change since the native resolution."""
        for _ in range(2):
            self.page.wait_for_timeout(700)
            self.page.wait_for_selector(SETTLED)

    @contextmanager
    def timed(self, row: Row, *, opening: bool = False) -> Iterator[None]:
        before = (self.traffic.messages, self.traffic.files)
        former = "" if opening else self.page.evaluate(SHOWN)["cells"]
        began = time.perf_counter()
        yield
        if not opening:
            self.page.wait_for_function(CHANGED, arg=former, polling=POLL_MS)
        row.seconds.append(time.perf_counter() - began)
        self.settle()
        row.messages.append(self.traffic.messages - before[0])
        row.files.append(self.traffic.files - before[1])

    def step(self, key: str, rows: dict[str, Row]) -> None:
        """Move the slider; adds to the rows of what the browser says, and to those of the bytes."""
        before = (self.traffic.messages, self.traffic.files)
        times_ms = self.page.evaluate(STEP, key)
        self.settle()
        for name, row in rows.items():
            row.seconds.append(times_ms[name] / 1000)
            row.messages.append(self.traffic.messages - before[0])
            row.files.append(self.traffic.files - before[1])

    def press(self, name: str, key: str) -> None:
        self.page.get_by_role("slider", name=name).press(key)

    def display(self, style: str) -> None:
        self.page.get_by_role("combobox", name="Display").click()
        self.page.get_by_role("option", name=style).click()

    def min_area(self, area_m2: float) -> None:
        box = self.page.locator(".st-key-min_area input")
        box.fill(f"{area_m2:g}")
        box.press("Enter")


def tile_of_1024_px(folder: Path) -> pd.Series:
    index = pd.read_csv(folder / "index.csv")
    return index[(index["width"] == 1024) & (index["split"] == "test")].iloc[0]


def forward_seconds(path: Path, native_cm_per_px: float, steps_cm_per_px: Sequence[float]) -> list[float]:
    """Seconds that all warm models take together at each step."""
    raster = read_raster(path, cm_per_px=native_cm_per_px)
    models = [load_model(card.name) for card in list_models()]
    for model in models:
        segment(resample(raster, 40.0), model, strategy=Strategy())
    seconds = []
    for cm_per_px in steps_cm_per_px:
        working = resample(raster, cm_per_px)
        began = time.perf_counter()
        for model in models:
            segment(working, model, strategy=Strategy())
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


def measure(reader: Reader, url: str) -> Iterator[Row]:
    """The rows of the table, each as soon as it is measured."""
    opening = Row("open the page, server warm")
    reader.open(url)
    reader.settle()
    for _ in range(3):
        with reader.timed(opening, opening=True):
            reader.open(url)
    yield opening
    new = {name: Row(f"new step: {text}") for name, text in PARTS.items()}
    for _ in range(REPEATS):
        reader.step("ArrowRight", new)
    yield from new.values()
    reader.page.wait_for_timeout(SETTLE_MS)  # the steps that are known now are sent
    known = {name: Row(f"known step: {text}") for name, text in PARTS.items()}
    for key in ["ArrowLeft"] * DRAG_STEPS + ["ArrowRight"] * DRAG_STEPS:
        reader.step(key, known)
    yield from known.values()
    reader.page.get_by_role("button", name="Settings").click()
    yield timed_actions(reader, "threshold", [lambda: reader.press("Threshold", "ArrowRight")] * REPEATS)
    yield timed_actions(reader, "minimum area", [lambda area=area: reader.min_area(area) for area in AREAS_M2])
    reader.page.keyboard.press("Escape")
    styles = [lambda style=style: reader.display(style) for style in STYLES]
    for name in ("display, first time", "display, again"):
        yield timed_actions(reader, name, styles)


def timed_actions(reader: Reader, name: str, actions: Sequence[Callable[[], None]]) -> Row:
    row = Row(name)
    for action in actions:
        with reader.timed(row):
            action()
    return row


def main() -> None:
    folder = Path(os.environ.get("SCINET_DATA") or PROJECT.parent / "shared" / "data")
    tile = tile_of_1024_px(folder)
    link = {"source": "Tiles", "city": tile["city"], "tile": Path(tile["image"]).stem, "compare": "All"}
    link["models"] = [card.title for card in list_models()]
    print(f"{'':34} {'until the picture shows':28} {'messages':>11}  {'files':>11}", flush=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        for row in first_visits(browser, Path(scratch)):
            print(row, flush=True)
        with served(Path(scratch) / "log.txt", SCINET_DATA=str(folder)) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(1000 * PATIENCE_S)
            measured = []
            for row in measure(Reader(page), f"{address}/?{urlencode(link, doseq=True)}"):
                print(row, flush=True)
                measured.append(row)
        browser.close()
    native = float(tile["cm_per_px"])
    steps = [step for step in STEPS_CM_PER_PX if step > 1.02 * native][:REPEATS]
    forward = forward_seconds(folder / tile["image"], native, steps)
    print(f"{tile['image']}, {native:g} cm/px; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    whole = next(row.seconds for row in measured if row.name == f"new step: {PARTS['all']}")
    ratios = [together / alone for together, alone in zip(whole, forward, strict=True)]
    print(
        f"all masks at a new step, over the bare forward passes: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
