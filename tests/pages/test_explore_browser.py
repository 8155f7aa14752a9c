"""The page Explore in a real browser: upload, slider, map, swipe; and that no request leaves the machine."""

import re
import time
from pathlib import Path

import numpy as np
import pytest

from tests.pages.samples import geotiff, house
from tests.pages.serve import CHROMIUM, PATIENCE_S, SETTLED
from tests.png import png

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
FrameLocator, Locator, Page = sync_api.FrameLocator, sync_api.Locator, sync_api.Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]

# The map's frame, but for that of a former image, which Streamlit keeps until the run has ended
FRAME = "[data-testid=stElementContainer]:not([data-retained]) iframe[title*=folium]"


def settle(page: Page) -> FrameLocator:
    """Wait for the script's end and for all images of the map; returns the map's frame."""
    frame = page.frame_locator(FRAME)
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


def places(frame: FrameLocator) -> list[tuple[float, float, float]]:
    """Where both sides show the image, in pixels from their own map's corner: left, top, width."""
    return frame.locator("img.slot-base").evaluate_all(
        """images => images.map(image => {
            const [own, map] = [image, image.closest(".leaflet-container")].map(e => e.getBoundingClientRect());
            return [own.left - map.left, own.top - map.top, own.width];
        })"""
    )


def moved(
    page: Page, frame: FrameLocator, former: list[tuple[float, float, float]]
) -> list[tuple[float, float, float]]:
    """The places once they differ from the former ones and have come to rest."""
    end, last = time.monotonic() + PATIENCE_S, former
    while time.monotonic() < end:
        page.wait_for_timeout(700)
        now = places(frame)
        if now == last and now != former:
            return now
        last = now
    raise AssertionError("the map did not move")


def linked(places: list[tuple[float, float, float]]) -> bool:
    left, right = places
    return bool(right == pytest.approx(left, abs=2))


def test_fly_to_a_building_and_side_by_side(page: Page, address: str) -> None:
    page.goto(f"{address}/?source=Upload&town_gsd=20+cm/px")
    page.get_by_text("choose the file again").wait_for()
    uploads = page.get_by_test_id("stFileUploader")
    uploads.first.locator("input[type=file]").set_input_files(
        {"name": "village.tif", "mimeType": "image/tiff", "buffer": geotiff(repeat=4)}
    )
    page.get_by_text("256 × 256 px").wait_for()
    truth = np.tile(house()[1], (4, 4))
    reference = uploads.filter(has_text="Reference buildings").locator("input[type=file]")
    reference.set_input_files({"name": "truth.png", "mimeType": "image/png", "buffer": png(truth)})
    page.get_by_text("Worst buildings").wait_for()
    frame = settle(page)
    frame.locator("body").evaluate("body => { body.dataset.once = 'yes'; }")  # lost if the map loads again

    whole = places(frame)
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    table.click(position={"x": 16, "y": 52})  # the box of the first row
    near = moved(page, frame, whole)
    assert linked(near) and near[0][2] > 1.5 * whole[0][2]
    marks = frame.locator("path.mark")
    marks.first.wait_for(state="attached")
    settle(page)
    divider, mark = frame.locator(".swipe-line").bounding_box(), marks.first.bounding_box()
    assert divider is not None and mark is not None
    assert mark["x"] + mark["width"] < divider["x"] + divider["width"] / 2  # on the side of its model
    shapes = frame.locator("path")
    assert shapes.count() > 10 and shapes.evaluate_all("all => all.every(shape => shape.tabIndex < 0)")

    page.get_by_text("Side by side", exact=True).click()
    frame.locator(".cell img.slot-overlay").wait_for(state="attached")
    settle(page)
    both = moved(page, frame, near)
    assert linked(both) and both[0][2] == pytest.approx(near[0][2], abs=1)
    assert marks.count() == 2 and frame.get_by_role("slider", name="Divider").count() == 0

    frame.locator(".cell").focus()
    page.keyboard.press("ArrowLeft")  # the right map leads
    panned = moved(page, frame, both)
    assert linked(panned) and panned[0][0] > both[0][0]
    page.mouse.move(*middle(frame.locator("#map_div")))
    page.mouse.wheel(0, 120)
    frame.get_by_text("Ctrl + wheel zooms the map").wait_for()
    page.keyboard.down("Control")
    page.mouse.wheel(0, 120)  # the left map leads
    page.keyboard.up("Control")
    zoomed = moved(page, frame, panned)
    assert linked(zoomed) and zoomed[0][2] < panned[0][2]

    native = image_urls(frame)
    page.get_by_role("slider", name="Ground resolution").press("ArrowRight")
    page.wait_for_function(
        "urls => [...document.querySelector('iframe[title*=folium]').contentDocument"
        ".querySelectorAll('img.slot-base')].every(image => !urls.includes(image.getAttribute('src')))",
        arg=native,
    )
    settle(page)
    page.wait_for_timeout(1500)  # a second flight would be under way
    for former, now in zip(zoomed, places(frame), strict=True):
        assert now == pytest.approx(former, abs=1)

    page.get_by_text("Swipe", exact=True).click()
    frame.get_by_role("slider", name="Divider").wait_for()
    settle(page)
    marks.first.wait_for(state="attached")
    assert frame.locator(".cell").count() == 0 and marks.count() == 1
    assert frame.locator("body").get_attribute("data-once") == "yes"


def test_a_grid_of_all_cells_in_step(page: Page, address: str) -> None:
    page.goto(f"{address}/?source=Tiles&tile=east&compare=All")
    frame = page.frame_locator(FRAME)
    cells = frame.locator(".leaflet-container:visible")
    cells.nth(3).wait_for()
    frame.get_by_text("IoU").nth(1).wait_for()
    captions = frame.locator(".caption")
    assert [caption.split()[0] for caption in captions.all_inner_texts()] == ["Image", "Reference", "Sci-Net", "UNet"]
    assert frame.locator("img.slot-overlay").count() == 2 and frame.locator("img.slot-base").count() == 4
    boxes = [box for each in cells.all() if (box := each.bounding_box())]
    last = captions.last.bounding_box()
    assert last is not None and last["y"] + last["height"] <= 900  # without scrolling
    assert len({(round(box["width"]), round(box["height"])) for box in boxes}) == 1

    whole = places(frame)
    assert all(place == pytest.approx(whole[0], abs=2) for place in whole)
    page.mouse.move(*middle(cells.nth(2)))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    near = moved(page, frame, whole)
    assert near[0][2] > whole[0][2] and all(place == pytest.approx(near[0], abs=2) for place in near)
    page.mouse.down()
    page.mouse.move(middle(cells.nth(2))[0] + 40, middle(cells.nth(2))[1] + 10, steps=4)
    page.mouse.up()
    panned = moved(page, frame, near)
    assert panned[0][0] > near[0][0] and all(place == pytest.approx(panned[0], abs=2) for place in panned)

    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    lefts = {round(box["x"]) for each in cells.all() if (box := each.bounding_box())}
    assert len(lefts) == 2


def test_settings_stay_open_while_the_map_asks_for_more_steps(page: Page, address: str) -> None:
    page.goto(f"{address}/?source=Tiles&tile=east&compare=All")
    page.frame_locator(FRAME).get_by_text("IoU").nth(1).wait_for()
    page.get_by_role("button", name="Settings").click()
    page.get_by_test_id("stPopoverBody").wait_for()
    page.evaluate(
        """() => {
            window.asked = 0;
            addEventListener("click", (event) => { if (event.target.closest(".st-key-more_steps")) asked++; }, true);
            const { dataset } = document.querySelector(".sn-map-known");
            dataset.known = JSON.stringify({ ...JSON.parse(dataset.known), againMs: 10 });
        }"""
    )
    page.wait_for_function("asked > 0")
    page.wait_for_timeout(1000)
    assert page.get_by_test_id("stPopoverBody").is_visible()


def middle(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_upload_slide_and_swipe(page: Page, address: str) -> None:
    page.goto(f"{address}/?source=Upload&town_gsd=20+cm/px")
    page.get_by_text("choose the file again").wait_for()
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
    page.get_by_role("button", name="Choose on the picture").click()
    dialog = page.get_by_role("dialog")
    image = dialog.frame_locator("iframe").locator("img.leaflet-image-layer")
    image.wait_for()
    former = None
    while (box := image.bounding_box()) is None or box != former:  # the dialog opens, and the map fits
        former = box
        page.wait_for_timeout(1000)
    chosen = dialog.get_by_text(re.compile(r"at column 20.., row 1[78].."))  # of 9216 x 4096 px
    for _ in range(10):  # a click that comes while the map is being moved is lost
        page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(8000)
        if chosen.count():
            break
    chosen.wait_for()
    dialog.get_by_role("button", name="Explore this window").click()
    page.get_by_text("Accra d41d81 · column 20").wait_for()
    page.wait_for_function("/column=20..&row=1[78]../.test(location.search)", timeout=60_000)

    page.get_by_role("button", name="Map", exact=True).click()
    chips = dialog.frame_locator("iframe").locator(".chip")
    chips.nth(30).wait_for()
    assert chips.count() == 31
    chips.filter(has_text="2").first.click()
    page.get_by_text(re.compile("is not on this machine")).wait_for()
    page.get_by_text("Accra d41d81 · column 20").wait_for()  # the former image is still there
