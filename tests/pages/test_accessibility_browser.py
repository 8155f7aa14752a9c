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

FOCUSED = """() => {
    let at = document.activeElement;
    while (at?.contentDocument) at = at.contentDocument.activeElement;
    return (at?.getAttribute("aria-label") || at?.innerText || "").trim();
}"""


@pytest.fixture(scope="module")
def address(scored_village: Path, village: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """As in conftest, with a benchmark."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, SCINET_CHECKPOINTS=str(scored_village), SCINET_DATA=str(village)) as url:
        yield url


def serious_findings(page: Any) -> list[tuple[str, list[str], str]]:
    """What axe-core finds on the page and in its frames: rule, place and HTML."""
    for frame in page.frames:
        frame.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    return [(each["id"], node["target"], node["html"][:200]) for each in serious for node in each["nodes"]]


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
    assert not serious_findings(page)
    for text in page.locator(".xtick text").all()[:1]:
        assert text.evaluate("text => getComputedStyle(text).fill") == AXES[scheme]
    titles = page.locator("iframe").evaluate_all("frames => frames.map(frame => frame.title)")
    assert titles == (["Map (folium)"] if title == "Explore" else [])


def test_the_tab_key_reaches_every_control_of_explore_once(page: Any, address: str) -> None:
    page.goto(f"{address}/?source=Tiles&compare=All")
    page.locator(".sn-table").first.wait_for()
    page.get_by_role("button", name="Download").first.wait_for()
    page.frame_locator("iframe[title*=folium]").get_by_role("button", name="Present").wait_for()
    page.wait_for_timeout(1500)  # the first run has ended, and what follows it
    page.wait_for_selector(SETTLED)
    page.locator("h1").click()
    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(FOCUSED))
        if stops[-1].startswith("Fullscreen: Mask"):
            break
    wanted = ["Ground resolution", "Exact value", "Models", "Display", "Settings", "Numbers", "Download", "Map: arrow"]
    at = [next((i for i, stop in enumerate(stops) if stop.startswith(start)), None) for start in wanted]
    assert None not in at, "|".join(stops)
    assert at == sorted(at)
    assert sum(stop.startswith("Map: arrow") for stop in stops) == 1  # not one per model
    assert stops[-1].startswith("Fullscreen: Mask")  # beyond the map


def test_the_arrow_keys_reach_every_section_of_benchmark(page: Any, address: str) -> None:
    page.goto(f"{address}/benchmark")
    tabs = page.get_by_role("tab")
    page.locator(".sn-table").first.wait_for()
    tabs.first.focus()
    for number in range(tabs.count()):
        if number:
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Enter")
        tab = tabs.nth(number)
        page.wait_for_function("tab => tab.ariaSelected === 'true'", arg=tab.element_handle())
        page.wait_for_timeout(500)
        page.wait_for_selector(SETTLED)
        assert tab.evaluate("tab => tab === document.activeElement"), tab.inner_text()
        assert not serious_findings(page), tab.inner_text()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[role=tabpanel]') !== null")


def test_messages_stand_where_a_narrow_screen_shows_them(page: Any, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/?source=Upload")
    message = page.get_by_text("choose the file again")
    message.wait_for()
    page.wait_for_selector(SETTLED)
    page.get_by_test_id("stExpandSidebarButton").click()
    page.locator("[data-testid=stSidebar][data-collapsed=false]").wait_for()
    page.wait_for_timeout(1500)  # the sidebar slides in
    assert message.evaluate(
        """message => {
            const box = message.getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return message.contains(top);
        }"""
    )
