"""The page Benchmark in a real browser: from a point to its tiles and Explore; a model of one's own in the ranking."""

from contextlib import suppress

import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save

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


def test_a_model_of_ones_own_from_its_file_to_its_row(page: Page, address: str) -> None:
    torch.manual_seed(0)
    weights = save(smp.create_model("unet", "tu-mobilenetv3_small_050", encoder_weights=None).state_dict())
    page.goto(f"{address}/models")
    page.wait_for_selector(SETTLED)
    uploads = page.get_by_test_id("stFileUploader").locator("input[type=file]")
    uploads.set_input_files({"name": "mine.safetensors", "mimeType": "application/octet-stream", "buffer": weights})
    page.get_by_role("button", name="Use UNet with tu-mobilenetv3_small_050").click()
    page.get_by_label("Encoder", exact=True).wait_for()
    page.wait_for_selector(SETTLED)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("mine is in the lists").first.wait_for()

    page.get_by_role("link", name="Benchmark", exact=True).click()
    page.get_by_role("tab", name="My model").click()
    page.get_by_role("button", name="Score it on the test tiles").click()
    page.get_by_text("2 of 2 tiles scored").wait_for()
    page.get_by_role("tab", name="Answer").click()
    page.locator(".sn-table th", has_text="mine").first.wait_for()
    assert page.get_by_test_id("stException").count() == 0
