"""Eight users at once: each keeps their own image and resolution, and nobody waits for ever."""

import time

import pytest

from scinet.evaluation.grading import steps_around
from scinet.models.checkpoint import load_model
from tests.pages.serve import CHROMIUM, PATIENCE_S, SETTLED, served
from tests.pages.users import NATIVE_CM_PER_PX, Reader, write_tiles

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]
READERS = 8
MOVES = ((1, 1, 1, 1, -1, -1, -1, -1), (1, -1, 1, -1, 1, -1, 1, -1), (1,) * 8)


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    folder = tmp_path_factory.mktemp("users")
    write_tiles(folder, READERS, side_px=96)
    return folder


@pytest.fixture(scope="module")
def address(random_checkpoints, users, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, SCINET_CHECKPOINTS=str(random_checkpoints), SCINET_DATA=str(users)) as url:
        yield url
    assert "Traceback" not in log.read_text()


def test_eight_sessions_stay_apart(browser, address, users, random_checkpoints):
    start = steps_around(NATIVE_CM_PER_PX).index(NATIVE_CM_PER_PX)
    readers = []
    for number in range(READERS):
        page = browser.new_context().new_page()
        page.set_default_timeout(1000 * PATIENCE_S)
        readers.append(Reader(page, number, start + number % 3))
    for reader in readers:  # none waits for another to be ready
        reader.open(address)
    for reader in readers:
        reader.page.locator(".sn-table").first.wait_for()
    for moves in MOVES:
        for reader, by in zip(readers, moves, strict=True):
            reader.move(by)
    model = load_model(random_checkpoints / "unet.safetensors")
    expected = [reader.should_see(users, model) for reader in readers]
    assert len({iou for _, _, iou in expected}) == READERS  # a mix-up would show
    end = time.monotonic() + PATIENCE_S
    for reader, wanted in zip(readers, expected, strict=True):
        while (seen := reader.sees()) != wanted and time.monotonic() < end:
            reader.page.wait_for_timeout(250)
        assert seen == wanted
        reader.page.wait_for_selector(SETTLED)
        assert reader.page.get_by_test_id("stException").count() == 0
    for reader in readers:
        reader.page.context.close()
