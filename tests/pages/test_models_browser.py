"""The page Models in a real browser: a custom model, from its file to its scores in Explore."""

import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save

from tests.pages.serve import CHROMIUM, SETTLED

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
Page = sync_api.Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]
ENCODER = "tu-mobilenetv3_small_050"


def test_a_custom_model_has_scores_in_explore(page: Page, address: str) -> None:
    torch.manual_seed(0)
    weights = save(smp.create_model("unet", ENCODER, encoder_weights=None).state_dict())
    page.goto(f"{address}/models")
    page.wait_for_selector(SETTLED)
    page.get_by_label("Architecture", exact=True).click()
    page.keyboard.type("another")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.get_by_label("Encoder", exact=True).wait_for()
    page.get_by_label("Encoder", exact=True).fill(ENCODER)
    page.get_by_label("Encoder", exact=True).press("Enter")
    page.wait_for_selector(SETTLED)

    def give(name: str, content: bytes) -> None:
        uploads = page.get_by_test_id("stFileUploader").locator("input[type=file]")
        uploads.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
        page.get_by_test_id("stFileChipName").get_by_text(name).wait_for()
        page.wait_for_timeout(2000)  # the upload ends before the script is notified
        page.wait_for_selector(SETTLED)
        page.get_by_role("button", name="Add", exact=True).click()

    give("half.safetensors", weights[: len(weights) // 2])
    page.get_by_text("half.safetensors is not a safetensors file").wait_for()
    assert page.get_by_test_id("stException").count() == 0

    give("village.safetensors", weights)
    page.get_by_text("village is in the lists").first.wait_for()
    page.get_by_role("link", name="Open Explore with village").click()
    heads = page.locator(".sn-table .sn-head").first
    heads.get_by_text("village").wait_for()
    page.wait_for_selector(SETTLED)
    assert page.get_by_test_id("stException").count() == 0
