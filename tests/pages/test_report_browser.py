"""A shared report in a real browser without a network."""

from pathlib import Path
from typing import Any

import pytest

from scinet.evaluation.target import Target
from scinet.share.report import SharedImage, report_html
from tests.pages.serve import CHROMIUM
from tests.scinet.share.test_report import sweep_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]


def test_a_report_opens_offline_and_follows_slider_and_divider(browser: Any, tmp_path: Path) -> None:
    points, pictures = sweep_of(192, 2, [10.0, 20.0, 40.0])
    text = report_html(SharedImage("Village", "CC-BY-4.0"), 10.0, points, pictures, Target("iou", 0.7))
    (tmp_path / "village.html").write_text(text)
    context = browser.new_context(viewport={"width": 1000, "height": 800}, offline=True)
    page = context.new_page()
    requests: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto((tmp_path / "village.html").as_uri())

    assert page.locator(".verdict").first.inner_text().startswith("Model 0 keeps your target to 10 cm/px")
    assert page.locator("#resolution").inner_text() == "10 cm/px native"
    assert page.locator("#stage img").evaluate_all("all => all.every((one) => one.hidden || one.naturalWidth > 0)")
    iou = page.locator("#numbers tbody tr").first.locator("td").first
    at_native = float(iou.inner_text())
    page.get_by_role("slider", name="Resolution").press("End")
    assert page.locator("#resolution").inner_text() == "40 cm/px"
    assert float(iou.inner_text()) < at_native
    page.locator("#left").select_option("Image")
    assert page.locator("#over_left").is_hidden()
    page.get_by_role("slider", name="Divider").press("Home")
    assert page.locator("#line").evaluate("line => line.style.left") == "0%"
    assert page.locator("#curve svg polyline").count() == 2
    context.close()
    assert not problems
    assert all(url.startswith(("file:", "data:")) for url in requests)
