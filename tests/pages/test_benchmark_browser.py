"""The page Benchmark in a real browser: a click on a point of figure 5, and from its tiles to Explore."""

from contextlib import suppress

import pytest

from tests.pages.serve import CHROMIUM, SETTLED, served

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
Page = sync_api.Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(scored_village, village, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, SCINET_CHECKPOINTS=str(scored_village), SCINET_DATA=str(village)) as url:
        yield url


def test_from_a_point_to_its_tiles_and_into_explore(page: Page, address: str) -> None:
    page.goto(f"{address}/benchmark?section=By+resolution")
    page.wait_for_selector(SETTLED)
    chart = page.get_by_test_id("stPlotlyChart").first
    markers = chart.locator(".scatterlayer .trace .points path")
    markers.last.wait_for()
    shown = page.get_by_text("at 60 cm/px, working grid")  # the coarsest step, of either system
    for _ in range(5):  # the page may still move under the mouse
        box = markers.last.bounding_box()
        page.mouse.move(box["x"] - 20, box["y"])
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(500)  # plotly takes what is hovered over for what is clicked
        page.mouse.down()
        page.mouse.up()
        with suppress(sync_api.TimeoutError):
            shown.wait_for(timeout=20_000)
            break
    shown.wait_for()
    assert page.get_by_role("tab", name="Tiles").get_attribute("aria-selected") == "true"
    assert "section=Tiles" in page.url
    page.wait_for_selector(SETTLED)
    images = page.locator(".st-key-behind img")
    images.nth(1).wait_for()
    assert images.count() == 2
    page.locator(".st-key-behind a").first.click()
    page.locator("iframe[title*=folium]").wait_for()
    page.wait_for_selector(SETTLED)
    assert page.get_by_test_id("stException").count() == 0
    page.get_by_text("Village · ").first.wait_for()
    assert page.get_by_role("slider", name="Ground resolution").get_attribute("aria-valuetext") == "60 cm/px"
