"""The page Sweep in a real browser: entered by its own address, run, cancelled, and left for Explore by a cell."""

import pytest

from tests.pages.serve import CHROMIUM, SETTLED

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
Page = sync_api.Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]


def test_run_and_open_a_cell_in_explore(page: Page, address: str) -> None:
    page.goto(f"{address}/sweep?source=Tiles&steps=10+cm/px+native&steps=12.5+cm/px&density=Fine")
    page.get_by_role("button", name="Run sweep").click()
    page.get_by_text("Table as CSV").first.wait_for()
    page.get_by_role("button", name="Cancel").wait_for(state="detached")
    page.wait_for_selector(SETTLED)
    assert page.get_by_role("dialog").count() == 0  # the very first visit of a server finds its page
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stPlotlyChart").count() == 7
    images = page.locator(".st-key-strip img")
    assert images.count() == 8  # image, reference and two models at two resolutions
    assert images.evaluate_all("all => all.every((image) => image.complete && image.naturalWidth > 0)")

    with page.expect_download() as download:
        page.get_by_role("button", name="Film strip as PNG").click()
    assert download.value.suggested_filename.endswith(".png")

    page.locator(".st-key-strip a:visible").last.click()
    page.locator("iframe[title*=folium]").wait_for()
    page.wait_for_selector(SETTLED)
    assert "gsd=12.5" in page.url
    page.get_by_text("Village · east").first.wait_for()  # the same image
    assert page.get_by_role("slider", name="Ground resolution").get_attribute("aria-valuetext") == "12.5 cm/px"
