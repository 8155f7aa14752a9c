"""Server load of several users at once: ``python -m tests.benchmarks.users``.

One browser session, then eight, each with its own image of SIDE_PX, step through the slider with the UNet on board.
Printed: the server's memory, and the time from the moves of a round to the last answer.
"""

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from scinet.evaluation.grading import steps_around
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, SETTLED, served
from tests.pages.users import NATIVE_CM_PER_PX, Visitor, write_tiles

SIDE_PX, ROUNDS = 1024, 6


def memory_mb(port: str) -> dict[str, float]:
    """Current and peak memory of the server on a port, in MB (Linux)."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"--server.port={port}" in (process / "cmdline").read_text():
                lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
                return {"now": int(lines["VmRSS"].split()[0]) / 1e3, "peak": int(lines["VmHWM"].split()[0]) / 1e3}
        except OSError:
            continue
    raise SystemExit("The server has stopped.")


def walk(browser: Browser, address: str, first: int, count: int) -> list[float]:
    """Seconds of each round, in which each of `count` users moves by one step."""
    start = steps_around(NATIVE_CM_PER_PX).index(NATIVE_CM_PER_PX)
    visitors = [Visitor(browser.new_context().new_page(), first + i, start) for i in range(count)]
    for visitor in visitors:
        visitor.page.set_default_timeout(1000 * PATIENCE_S)
        visitor.open(address)
    for visitor in visitors:
        visitor.page.locator(".sn-table").first.wait_for()
        visitor.page.wait_for_selector(SETTLED)
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for visitor in visitors:
            visitor.move(1)
        for visitor in visitors:
            visitor.page.get_by_text(f"Scored at {visitor.cm_per_px:.3g} cm/px").wait_for()
        taken.append(time.perf_counter() - begun)
    for visitor in visitors:
        visitor.page.context.close()
    return taken


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        write_tiles(folder, 9, SIDE_PX)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        with served(folder / "log.txt", SCINET_DATA=str(folder)) as address:
            port = address.rpartition(":")[2]
            for first, count in ((0, 1), (1, 8)):
                taken = walk(browser, address, first, count)
                memory = memory_mb(port)
                print(
                    f"{count} session(s): a round of steps {statistics.median(taken):.1f} s (median of {len(taken)}), "
                    f"server {memory['now']:,.0f} MB now, peak {memory['peak']:,.0f} MB"
                )
        browser.close()


if __name__ == "__main__":
    main()
