"""What axe-core, a checker of accessibility, finds on the pages in a real browser, light and dark."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.pages.serve import CHROMIUM, SETTLED, served

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
AXES = {"light": "rgb(82, 97, 111)", "dark": "rgb(169, 183, 196)"}  # --sn-quiet, as test_colours.py checks it
PAGES = {
    "Explore": ("?source=Tiles", "iframe[title='Map (folium)']"),
    "Sweep": ("sweep?source=Tiles", "[data-testid=stBaseButton-primary]"),
    "Benchmark": ("benchmark", ".sn-table"),
    "Models": ("models", "[data-testid=stExpander]"),
}


@pytest.fixture(scope="module")
def address(scored_village: Path, village: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """As in conftest, with a benchmark."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, SCINET_CHECKPOINTS=str(scored_village), SCINET_DATA=str(village)) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("title", PAGES)
def test_axe_finds_nothing_serious(page: Any, address: str, title: str, scheme: str) -> None:
    path, last = PAGES[title]
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}/{path}")
    page.locator(last).first.wait_for()
    page.wait_for_selector(SETTLED)
    page.wait_for_timeout(1500)  # fading and animations change colours
    assert page.get_by_role("heading", level=1).inner_text().startswith(f"Sci-Net explorer: {title}")
    for frame in page.frames:
        frame.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], node["target"], node["html"][:200]) for each in serious for node in each["nodes"]]
    for text in page.locator(".xtick text").all()[:1]:
        assert text.evaluate("text => getComputedStyle(text).fill") == AXES[scheme]
    titles = page.locator("iframe").evaluate_all("frames => frames.map(frame => frame.title)")
    assert titles == (["Map (folium)"] if title == "Explore" else [])
