"""The page Explore in a real browser: upload, slider, map, swipe; and that nothing leaves the machine."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from samples import PROJECT, geotiff

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
Browser, FrameLocator, Page = sync_api.Browser, sync_api.FrameLocator, sync_api.Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
PATIENCE_S = 240  # of a busy machine

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(random_checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app's address, served on a free port with the random checkpoints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    environment = {**os.environ, "SCINET_CHECKPOINTS": str(random_checkpoints), "PYTHONPATH": str(PROJECT)}
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for_health(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def _wait_for_health(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page at 1440 x 900; the test fails where it asks for anything outside this machine."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(1000 * PATIENCE_S)
    requests: list[str] = []
    failures: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    # Streamlit may drop a picture of the former run before the browser has asked for it: /media/ may be missing.
    page.on(
        "response",
        lambda r: failures.append(f"{r.status} {r.url}") if r.status >= 400 and "/media/" not in r.url else None,
    )
    yield page
    page.close()
    outside = [
        url for url in requests if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
    ]
    assert requests and not outside
    assert not failures


def settle(page: Page) -> FrameLocator:
    """Wait for the script's end and for all images of the map; returns the map's frame."""
    frame = page.frame_locator("iframe[title*=folium]")
    frame.locator("img.slot-overlay").nth(1).wait_for(state="attached")
    page.wait_for_selector(SETTLED)
    page.wait_for_function(
        """() => {
            const map = document.querySelector("iframe[title*=folium]").contentDocument;
            const images = [...map.querySelectorAll("img.leaflet-image-layer")];
            return images.length === 4 && images.every((image) => image.complete && image.naturalWidth > 0);
        }"""
    )
    assert page.get_by_test_id("stException").count() == 0
    return frame


def image_urls(frame: FrameLocator) -> list[str]:
    return [image.get_attribute("src") or "" for image in frame.locator("img.leaflet-image-layer").all()]


def view(frame: FrameLocator) -> tuple[float, float]:
    """Width of the image on the screen and where it begins: the map's zoom and place."""
    box = frame.locator("img.slot-base").first.bounding_box()
    assert box is not None
    return box["width"], box["x"]


def test_upload_slide_and_swipe(page: Page, address: str) -> None:
    page.goto(f"{address}/?source=Upload&town_gsd=20+cm/px")
    page.get_by_text("Upload an image in the sidebar").wait_for()
    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(
        {"name": "village.tif", "mimeType": "image/tiff", "buffer": geotiff(repeat=4)}
    )
    page.get_by_text("village.tif").last.wait_for()
    page.get_by_text("256 × 256 px").wait_for()
    frame = settle(page)
    native = image_urls(frame)

    frame.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(600)  # Leaflet's animation
    zoomed = view(frame)
    handle = frame.get_by_role("slider", name="Divider")
    handle.focus()
    for _ in range(5):
        handle.press("ArrowLeft")
    assert handle.get_attribute("aria-valuenow") == "40"
    clip = frame.locator(".leaflet-left-pane").evaluate("pane => pane.style.clipPath")
    assert re.match(r"polygon\(", clip)

    page.get_by_role("slider", name="Ground resolution").press("ArrowRight")
    page.get_by_text("Mask").first.wait_for()
    page.get_by_text("12.5 cm/px").first.wait_for()
    page.wait_for_function(
        "urls => [...document.querySelector('iframe[title*=folium]').contentDocument"
        ".querySelectorAll('img.slot-base')].every(image => !urls.includes(image.getAttribute('src')))",
        arg=native,
    )
    frame = settle(page)
    assert view(frame) == pytest.approx(zoomed, abs=1)
    assert frame.get_by_role("slider", name="Divider").get_attribute("aria-valuenow") == "40"
    assert "gsd=12.5" in page.url

    page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(
        {"name": "broken.tif", "mimeType": "image/tiff", "buffer": b"II*\0"}
    )
    page.get_by_test_id("stAlert").first.wait_for()
    settle(page)
    page.get_by_text("256 × 256 px").wait_for()  # the former image is still there


def test_pick_a_window_of_a_scene(page: Page, address: str, data_dir: Path) -> None:
    page.goto(f"{address}/?source=Scenes&folder={data_dir}&side=512+px&models=UNet&gsd=40+cm/px")
    page.get_by_role("button", name="Choose on it").click()
    dialog = page.get_by_role("dialog")
    image = dialog.frame_locator("iframe").locator("img.leaflet-image-layer")
    image.wait_for()
    former = None
    while (box := image.bounding_box()) is None or box != former:  # the dialog opens, and the map fits
        former = box
        page.wait_for_timeout(1000)
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    dialog.get_by_text(re.compile(r"at column 20.., row 1[78]..")).wait_for()  # of 9216 x 4096 px
    dialog.get_by_role("button", name="Explore this window").click()
    page.get_by_text("Accra d41d81 · column 20").wait_for()
    page.wait_for_function("/column=20..&row=1[78]../.test(location.search)", timeout=60_000)

    page.get_by_role("button", name="Map", exact=True).click()
    chips = dialog.frame_locator("iframe").locator(".chip")
    chips.nth(30).wait_for()
    assert chips.count() == 31
    chips.filter(has_text="2").first.click()
    page.get_by_text(re.compile("is not in the folder")).wait_for()
    page.get_by_text("Accra d41d81 · column 20").wait_for()  # the former image is still there
