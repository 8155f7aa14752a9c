"""What it costs to start: ``python -m tests.benchmarks.start [--repeats 3] [--app]``.

Commands run in processes of their own, on a sample tile of 1024 px with the UNet on board: processor seconds and peak
memory of the process and its children. The seconds of the tile's forward passes alone, in a process that has run them
once, say how much of it is the network. With --app, the app's server shows that tile with two models in a browser; its
memory is measured when nobody does anything.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from scinet.datasets.samples import samples
from scinet.models.checkpoint import load_model
from scinet.segmentation.segment import segment
from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, PROJECT, SETTLED, started

MODEL = "unet"
SHOWN = ("UNet", "Sci-Net")
IDLE_S = 20


def cost(command: list[str], repeats: int) -> tuple[float, float, float]:
    """Median processor seconds, median seconds and the peak in MB of a program that ends."""
    cpu_s, wall_s, peak_mb = [], [], 0.0
    for _ in range(repeats):
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed.")
        wall_s.append(time.perf_counter() - began)
        cpu_s.append(used.ru_utime + used.ru_stime)
        peak_mb = max(peak_mb, used.ru_maxrss / 1e3)
    return statistics.median(cpu_s), statistics.median(wall_s), peak_mb


def forward_cpu_s(repeats: int) -> float:
    """Median processor seconds of the tile in a process that is warm."""
    raster, model, taken = samples()[0].tile.open(), load_model(MODEL), []
    image = raster.window(0, 0, raster.width, raster.height)
    for _ in range(repeats + 1):
        began = time.process_time()
        segment(image, model)
        taken.append(time.process_time() - began)
    return statistics.median(taken[1:])


def app_memory_mb(log: Path) -> dict[str, float]:
    """The server's memory by kind, after it has shown a tile with two models."""
    tile = samples()[0].tile
    query = urlencode({"source": "Examples", "tile": tile.name, "models": ",".join(SHOWN), "gsd": "7.5"})
    with started(log, "app.py") as (url, server), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(1000 * PATIENCE_S)
        page.goto(f"{url}/?{query}")
        page.wait_for_selector(".sn-table")
        page.wait_for_selector(SETTLED)
        page.wait_for_timeout(1000 * IDLE_S)
        lines = Path(f"/proc/{server.pid}/smaps_rollup").read_text().splitlines()[1:]
        browser.close()
    held = {line.split(":")[0]: int(line.split()[1]) / 1e3 for line in lines}
    return {"resident": held["Rss"], "private": held["Private_Clean"] + held["Private_Dirty"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--app", action="store_true")
    options = parser.parse_args()
    scinet = [sys.executable, "-m", "scinet"]
    tile = samples()[0].tile
    with tempfile.TemporaryDirectory() as scratch:
        if options.app:
            found = app_memory_mb(Path(scratch) / "log.txt")
            print(
                f"the app with {' and '.join(SHOWN)}, idle: {found['resident']:.0f} MB, {found['private']:.0f} private"
            )
            return
        segmenting = [*scinet, "segment", str(tile.image), f"{scratch}/mask.tif", "--model", MODEL]
        segmenting += ["--native-cm-per-px", str(tile.cm_per_px)]
        rows = {
            "python": [sys.executable, "-c", ""],
            "scinet --version": [*scinet, "--version"],
            "scinet segment --help": [*scinet, "segment", "--help"],
            "scinet segment": segmenting,
            "scinet segment --footprints": [*segmenting, "--footprints", f"{scratch}/out.gpkg"],
        }
        print("| | CPU seconds | seconds | peak MB |\n| --- | --- | --- | --- |")
        for name, command in rows.items():
            cpu_s, wall_s, peak_mb = cost(command, options.repeats)
            print(f"| {name} | {cpu_s:.2f} | {wall_s:.2f} | {peak_mb:,.0f} |", flush=True)
        print(f"| the forward passes alone, warm | {forward_cpu_s(options.repeats):.2f} | | |")


if __name__ == "__main__":
    main()
