"""Takes the screenshots in the documentation from the running app: ``python -m tests.screenshots``.

They show the first example and the models on board, so no folder of tiles is needed.
"""

import re
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, PROJECT, SETTLED, served

FOLDER = PROJECT / "docs" / "screenshots"
SIZE_PX = {"width": 1440, "height": 900}
MAX_BYTES = 200_000


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        with served(Path(scratch) / "log.txt", SCINET_DATA=scratch) as address:
            page = browser.new_page(viewport=SIZE_PX, color_scheme="light")
            page.set_default_timeout(3000 * PATIENCE_S)
            explore(page, address)
            sweep(page, address)
            for name, query in (("benchmark", ""), ("models", "?compare_with=UNet")):
                page.goto(f"{address}/{name}{query}")
                page.locator(".sn-answer, [data-testid=stExpander]").first.wait_for()
                save(page, name)
        browser.close()


def explore(page: Page, address: str) -> None:
    page.goto(f"{address}/?gsd=31.5+cm/px")
    page.locator(".sn-table").first.wait_for()
    page.wait_for_selector(SETTLED)
    page.mouse.move(0, 0)  # no tooltip in the picture
    frame = page.frame_locator("iframe[title*=folium]")
    frame.locator("img.slot-overlay").nth(6).wait_for()
    save(page, "explore")


def sweep(page: Page, address: str) -> None:
    page.goto(f"{address}/sweep?density=Coarse")
    page.get_by_role("button", name=re.compile("^(Run sweep|Continue)")).click()
    cancel, quiet_s = page.get_by_role("button", name="Cancel"), 0
    while quiet_s < 3:  # the button disappears briefly between batches of runs
        page.wait_for_timeout(1000)
        quiet_s = 0 if cancel.count() else quiet_s + 1
    save(page, "sweep")


def save(page: Page, name: str) -> None:
    """Save the settled page as `<name>.webp`, at the best quality below MAX_BYTES."""
    page.wait_for_selector(SETTLED)
    page.wait_for_timeout(2000)  # animations of charts and map
    picture = Image.open(BytesIO(page.screenshot()))
    for quality in (90, 80, 70, 60, 50):
        buffer = BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=6)
        if len(buffer.getvalue()) <= MAX_BYTES:
            break
    (FOLDER / f"{name}.webp").write_bytes(buffer.getvalue())
    print(f"{name}.webp: {len(buffer.getvalue()):,} bytes")


if __name__ == "__main__":
    main()
