"""Server load of several users at once: ``python -m tests.benchmarks.users``.

One browser session, then eight, each with its own image of SIDE_PX, step through the slider with the UNet on board.
Printed: the server's memory, and the time from the moves of a round to the last answer.

With ``--attack-minutes 10``, seven users step through the slider for five minutes on their own, and for five more while
an eighth attacks (`tests.benchmarks.attacker`). Printed: the time of a user's step in both halves, and the server's
memory. Whatever one user sees of another ends the benchmark.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from scinet.evaluation.grading import steps_around
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, PROJECT, SETTLED, served
from tests.pages.users import NATIVE_CM_PER_PX, Visitor, write_tiles

SIDE_PX, ROUNDS = 1024, 6
BESIEGED = 7


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


def besieged(browser: Browser, address: str, seconds: float, tile: Iterator[int]) -> list[float]:
    """Seconds of each step of `BESIEGED` users, who take new images after some steps: nothing is cached."""
    start = steps_around(NATIVE_CM_PER_PX).index(NATIVE_CM_PER_PX)
    end, taken = time.monotonic() + seconds, []
    visitors = [Visitor(browser.new_context().new_page(), 0, start) for _ in range(BESIEGED)]
    while time.monotonic() < end:
        for visitor in visitors:
            visitor.number, visitor.step = next(tile), start
            visitor.page.set_default_timeout(1000 * PATIENCE_S)
            visitor.open(address)
        for visitor in visitors:
            visitor.page.locator(".sn-table").first.wait_for()
        for _ in range(ROUNDS):
            for visitor in visitors:
                visitor.page.wait_for_selector(SETTLED)
                begun = time.perf_counter()
                visitor.move(1)
                visitor.page.get_by_text(f"Scored at {visitor.cm_per_px:.3g} cm/px").wait_for()
                taken.append(time.perf_counter() - begun)
                title = visitor.sees()[0]
                assert title == f"Users \u00b7 user{visitor.number}", f"user {visitor.number} sees {title}"
    for visitor in visitors:
        visitor.page.context.close()
    return taken


def attacked(browser: Browser, address: str, minutes: float) -> None:
    """Print what a step takes without and with an attacker."""
    port, tile, half_s = address.rpartition(":")[2], count(), 30 * minutes
    for name, is_attacked in (("quiet", False), ("attacked", True)):
        command = [sys.executable, "-m", "tests.benchmarks.attacker", address, str(half_s), "0"]
        attacker = subprocess.Popen(command, cwd=PROJECT) if is_attacked else None
        taken = besieged(browser, address, half_s, tile)
        if attacker:
            attacker.wait()
        memory, slow = memory_mb(port), statistics.quantiles(taken, n=20)[-1]
        print(
            f"{name}: a step {statistics.median(taken):.1f} s (median of {len(taken)}), {slow:.1f} s (95 %), "
            f"server {memory['now']:,.0f} MB now, peak {memory['peak']:,.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attack-minutes", type=float, default=0.0)
    minutes = parser.parse_args().attack_minutes
    tiles = 9 if not minutes else 28 + int(14 * minutes)  # a lap of all users takes about a minute
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        write_tiles(folder, tiles, SIDE_PX)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        with served(folder / "log.txt", SCINET_DATA=str(folder)) as address:
            if minutes:
                attacked(browser, address, minutes)
            else:
                compare(browser, address)
        browser.close()


def compare(browser: Browser, address: str) -> None:
    """Print what a round takes for one user and for eight."""
    port = address.rpartition(":")[2]
    for first, users in ((0, 1), (1, 8)):
        taken = walk(browser, address, first, users)
        memory = memory_mb(port)
        print(
            f"{users} session(s): a round of steps {statistics.median(taken):.1f} s (median of {len(taken)}), "
            f"server {memory['now']:,.0f} MB now, peak {memory['peak']:,.0f} MB"
        )


if __name__ == "__main__":
    main()
