"""Eight users at once: each keeps their own image and resolution, and nobody waits for ever."""

import time

import pytest

from scinet.evaluation.grading import steps_around
from scinet.models.checkpoint import load_model
from tests.pages.serve import CHROMIUM, PATIENCE_S, SETTLED, served
from tests.pages.users import NATIVE_CM_PER_PX, Visitor, write_tiles

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]
VISITORS = 8
MOVES = ((1, 1, 1, 1, -1, -1, -1, -1), (1, -1, 1, -1, 1, -1, 1, -1), (1,) * 8)


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    folder = tmp_path_factory.mktemp("users")
    write_tiles(folder, VISITORS, side_px=96)
    return folder


@pytest.fixture(scope="module")
def address(random_checkpoints, users, tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with served(log, SCINET_CHECKPOINTS=str(random_checkpoints), SCINET_DATA=str(users)) as url:
        yield url
    assert "Traceback" not in log.read_text()


def test_eight_sessions_stay_apart(browser, address, users, random_checkpoints):
    start = steps_around(NATIVE_CM_PER_PX).index(NATIVE_CM_PER_PX)
    visitors = []
    for number in range(VISITORS):
        page = browser.new_context().new_page()
        page.set_default_timeout(1000 * PATIENCE_S)
        visitors.append(Visitor(page, number, start + number % 3))
    for visitor in visitors:  # none waits for another to be ready
        visitor.open(address)
    for visitor in visitors:
        visitor.page.locator(".sn-table").first.wait_for()
    for moves in MOVES:
        for visitor, by in zip(visitors, moves, strict=True):
            visitor.move(by)
    model = load_model(random_checkpoints / "unet.safetensors")
    expected = [visitor.should_see(users, model) for visitor in visitors]
    assert len({iou for _, _, iou in expected}) == VISITORS  # a mix-up would show
    end = time.monotonic() + PATIENCE_S
    for visitor, wanted in zip(visitors, expected, strict=True):
        while (seen := visitor.sees()) != wanted and time.monotonic() < end:
            visitor.page.wait_for_timeout(250)
        assert seen == wanted
        visitor.page.wait_for_selector(SETTLED)
        assert visitor.page.get_by_test_id("stException").count() == 0
    for visitor in visitors:
        visitor.page.context.close()
