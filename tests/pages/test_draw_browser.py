"""Drawing the area of interest in a real browser: by keys and by pointer, cancelled, and removed again."""

import pytest

from tests.pages.serve import CHROMIUM, PATIENCE_S, SETTLED
from tests.pages.test_explore_browser import FRAME

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]


def test_an_area_is_drawn_by_keys_or_by_pointer_and_travels_to_sweep(page: sync_api.Page, address: str) -> None:
    page.goto(f"{address}/?source=Tiles&models=UNet")
    frame = page.frame_locator(FRAME)
    frame.locator("img.slot-overlay").first.wait_for(state="attached")
    page.wait_for_selector(SETTLED)
    facts, outline, drawing = page.locator(".sn-facts"), frame.locator("path.area"), frame.locator("body.drawing")
    frame.locator("body").evaluate("body => { body.dataset.once = 'yes'; }")  # lost if the map loads again

    frame.get_by_role("button", name="draw a rectangle").press("Enter")
    for key in ("ArrowLeft", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    drawing.wait_for(state="detached")
    assert outline.count() == 0  # cancelled

    frame.get_by_role("button", name="draw a rectangle").press("Enter")
    for key in (*["Shift+ArrowLeft"] * 2, *["Shift+ArrowUp"] * 2, "Enter", *["Shift+ArrowDown"] * 3):
        page.keyboard.press(key)
    for key in (*["Shift+ArrowRight"] * 3, "Enter"):
        page.keyboard.press(key)
    outline.wait_for(state="attached")
    facts.get_by_text("area of interest").wait_for()
    first = facts.get_by_text("area of interest").inner_text()

    frame.get_by_role("button", name="draw a polygon").click()
    box = page.locator(FRAME).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(x - 60, y - 50)
    page.mouse.click(x + 60, y - 50)
    page.mouse.dblclick(x, y + 70)
    drawing.wait_for(state="detached")
    sync_api.expect(facts).not_to_contain_text(first, timeout=1000 * PATIENCE_S)
    facts.get_by_text("area of interest").wait_for()
    outline.wait_for(state="attached")
    assert frame.locator("body").evaluate("body => body.dataset.once") == "yes"

    page.wait_for_selector(SETTLED)
    page.get_by_role("link", name="Sweep").click()
    page.get_by_text("Sweep over").first.wait_for()
    facts.get_by_text("area of interest").wait_for()
