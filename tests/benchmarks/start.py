"""What it costs to start: ``python -m tests.benchmarks.start [--repeats 3] [--app]``.

Commands run in processes of their own, on a sample tile of 1024 px with the UNet on board: processor seconds and peak
memory. Then the same in steps, in one process: what each takes, and how much memory the process has after it. With
--app, the app's server shows that tile with two models in a browser; its memory is measured when nobody does anything.
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

from tests.pages.serve import CHROMIUM, CHROMIUM_ARGS, PATIENCE_S, PROJECT, SETTLED, started

MODEL = "unet"
TILE, CM_PER_PX = PROJECT / "scinet" / "datasets" / "sample_tiles" / "accra_building_site.jpg", 5.18
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


STEPS = {
    "libraries": "import numpy, rasterio, pyproj, scipy.sparse, scipy.sparse.csgraph, shapely",
    "PyTorch": "import torch",
    "the command": "import scinet.cli.segment",
    "the model": "from scinet.models.named import open_model; model = open_model(MODEL)",
    "the image": "from scinet.datasets.samples import samples; scene = samples()[0].tile.open(); "
    "image = scene.window(0, 0, scene.width, scene.height)",
    "the tile": "from scinet.segmentation.segment import segment; segment(image, model)",
    "the tile once more": "segment(image, model)",
}


def steps() -> None:
    """Print what each of the steps takes; in a fresh process."""
    names = {"MODEL": MODEL}
    print("| | CPU seconds | resident MB |\n| --- | --- | --- |")
    for name, statements in STEPS.items():
        began = time.process_time()
        exec(statements, names)
        taken, resident = time.process_time() - began, Path("/proc/self/status").read_text().partition("VmRSS:")[2]
        print(f"| {name} | {taken:.2f} | {int(resident.split()[0]) / 1e3:.0f} |", flush=True)


def app_memory_mb(log: Path) -> dict[str, float]:
    """The server's memory by kind, after it has shown a tile with two models."""
    from playwright.sync_api import sync_playwright

    query = urlencode({"source": "Examples", "tile": TILE.stem, "models": ",".join(SHOWN), "gsd": "7.5"})
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
    with tempfile.TemporaryDirectory() as scratch:
        if options.app:
            found = app_memory_mb(Path(scratch) / "log.txt")
            print(
                f"the app with {' and '.join(SHOWN)}, idle: {found['resident']:.0f} MB, {found['private']:.0f} private"
            )
            return
        segmenting = [*scinet, "segment", str(TILE), f"{scratch}/mask.tif", "--model", MODEL]
        segmenting += ["--native-cm-per-px", str(CM_PER_PX)]
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
    print(flush=True)
    subprocess.run([sys.executable, "-c", "from tests.benchmarks.start import steps; steps()"], cwd=PROJECT, check=True)


if __name__ == "__main__":
    main()
