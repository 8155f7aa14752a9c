"""The hosted app ends in time though a model runs."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.pages.serve import CHROMIUM, PATIENCE_S, started
from tests.pages.users import write_tiles

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]
SIDE_PX = 4000  # minutes for a model
RUNNING = "[data-testid=stApp][data-test-script-state=running]"
CONTAINER_S = 10  # between SIGTERM and SIGKILL


def test_sigterm_ends_the_server_while_a_model_runs(browser: Any, random_checkpoints: Path, tmp_path: Path) -> None:
    write_tiles(tmp_path, 1, side_px=SIDE_PX)
    settings = {"SCINET_CHECKPOINTS": str(random_checkpoints), "SCINET_DATA": str(tmp_path)}
    with started(tmp_path / "log.txt", "pages/app/hosted.py", **settings) as (url, server):
        page = browser.new_page()
        page.goto(f"{url}/?{urlencode({'source': 'Tiles', 'tile': 'user0', 'models': 'Sci-Net'})}")
        page.locator(".sn-facts b").first.wait_for(timeout=1000 * PATIENCE_S)
        page.wait_for_timeout(3000)
        page.locator(RUNNING).wait_for(timeout=1000 * PATIENCE_S)
        server.terminate()
        assert server.wait(CONTAINER_S) is not None
        page.close()
