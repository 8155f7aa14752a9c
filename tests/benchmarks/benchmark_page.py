"""Response times and memory of the page Benchmark in a browser: ``python -m tests.benchmarks.benchmark_page``.

Printed: medians of the time from a visit to the answer on a warm server, and from a filter to the new answer or chart;
and the server's memory before the first visit, after it, and after every tab has been open.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.users import memory_mb
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, SETTLED, served

REPEATS = 5
TABS = ("By resolution", "Tables", "Figure 6", "Scenarios", "Threshold", "Cost", "Tiles", "My model", "Answer")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        with served(Path(scratch) / "log.txt") as address:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(1000 * PATIENCE_S)
            page.goto(f"{address}/models")  # the app with its models, without the benchmark's page
            page.wait_for_selector(SETTLED)
            page.wait_for_timeout(15_000)
            before = memory_mb(address.rpartition(":")[2])["now"]
            opening(page, address)
            opened = memory_mb(address.rpartition(":")[2])["now"]
            report("opened", [opening(page, address) for _ in range(REPEATS)])
            report("resolution", [resolution(page) for _ in range(REPEATS)])
            report("target", [target(page, number) for number in range(REPEATS)])
            for name in TABS:
                report(f"tab {name}", [seconds(lambda name=name: tab(page, name))])
            after = memory_mb(address.rpartition(":")[2])["now"]
        browser.close()
    print(f"server: {before:.0f} MB before, {opened - before:+.0f} MB opened, {after - before:+.0f} MB after all tabs")


def opening(page: Page, address: str) -> float:
    page.goto("about:blank")
    started_s = time.perf_counter()
    page.goto(f"{address}/benchmark")
    page.locator(".sn-answer").wait_for()
    taken_s = time.perf_counter() - started_s
    page.wait_for_selector(SETTLED)
    return taken_s


def resolution(page: Page) -> float:
    """Move the slider back and forth by a step; the first answer of each step has been computed before."""
    slider = page.get_by_role("slider", name="Ground resolution of your images")
    former = page.locator(".sn-answer").inner_text()
    key = "ArrowRight" if " 15 cm/px" in former else "ArrowLeft"
    return seconds(lambda: slider.press(key), lambda: changed(page, former))


def target(page: Page, number: int) -> float:
    field = page.get_by_role("spinbutton", name="Target")
    former = page.locator(".sn-answer").inner_text()
    field.fill(f"{0.5 + 0.02 * number:.2f}")
    return seconds(lambda: field.press("Enter"), lambda: changed(page, former))


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.locator("[role=tabpanel]:visible").get_by_text("Download and cite").or_(
        page.locator("[role=tabpanel]:visible").locator("button, img, .stAlert")
    ).first.wait_for()
    page.wait_for_selector(SETTLED)


def changed(page: Page, former: str) -> None:
    page.wait_for_function("(former) => document.querySelector('.sn-answer')?.innerText !== former", arg=former)


def seconds(act: Callable[[], object], wait: Callable[[], object] = lambda: None) -> float:
    started_s = time.perf_counter()
    act()
    wait()
    return time.perf_counter() - started_s


def report(name: str, taken_s: list[float]) -> None:
    print(f"{name:>18}: {statistics.median(taken_s):.2f} s, {min(taken_s):.2f} to {max(taken_s):.2f}", flush=True)


if __name__ == "__main__":
    main()
