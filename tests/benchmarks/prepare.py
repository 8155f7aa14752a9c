"""Prepares and reads a generated scene of 60,000 x 40,000 px in the published format.

    nice python -m tests.benchmarks.prepare /tmp/rehearsal

Prints seconds and the memory of all processes together. The scene takes about 1 GB of disk and its tiles as much;
delete the folder afterwards. Existing files are reused.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window

from scinet.raster.scene import open_scene
from scinet.vector.footprints import LONLAT, reproject
from tests.published import PLACE, UTM, town_scene, write_labels
from tests.range_server import serve_files

PROJECT = Path(__file__).parents[2]
WIDTH, HEIGHT = 60_000, 40_000
STAMP_PX = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", default="2")
    options = parser.parse_args()
    image = options.folder / "scenes" / "train_tier_1" / "dar" / "f883a0" / "f883a0.tif"
    if not image.exists():
        began = time.perf_counter()
        write_scene(image)
        print(
            f"scene of {image.stat().st_size / 1e9:.2f} GB written in {time.perf_counter() - began:.0f} s", flush=True
        )
    read_windows(options.folder / "scenes")
    out = options.folder / "data"
    command = [sys.executable, "-m", "training.prepare", "--scenes", str(options.folder / "scenes"), "--out", str(out)]
    began, before = time.perf_counter(), os.times()
    process = subprocess.Popen([*command, "--split", "block", "--jobs", options.jobs], cwd=PROJECT)
    most = peak_bytes(process)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    wall_s = time.perf_counter() - began
    print(f"prepared in {wall_s:.0f} s, {cpu_s:.0f} s of CPU time, peak {most / 1e6:.0f} MB")


def write_scene(image: Path) -> None:
    """A town repeated over an ellipse that covers about two thirds of the scene; the rest is sparse nodata."""
    rgba, polygons = town_scene(3, size_m=STAMP_PX * 0.05, cm_per_px=5.0)
    bands, town = np.ascontiguousarray(np.moveaxis(rgba, -1, 0)), np.array(polygons, dtype=object)
    image.parent.mkdir(parents=True)
    profile = {
        "driver": "GTiff",
        "width": WIDTH,
        "height": HEIGHT,
        "count": 4,
        "dtype": "uint8",
        "crs": UTM,
        "transform": PLACE @ PLACE.scale(0.5),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "jpeg",
        "jpeg_quality": 85,
        "sparse_ok": True,
        "BIGTIFF": "YES",
    }
    part, labels = image.with_suffix(".part.tif"), []
    with rasterio.open(part, "w", **profile) as dataset:
        dataset.colorinterp = ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha
        for row in range(0, HEIGHT - STAMP_PX, STAMP_PX):
            for column in range(0, WIDTH - STAMP_PX, STAMP_PX):
                across, down = (column + STAMP_PX / 2) / WIDTH - 0.5, (row + STAMP_PX / 2) / HEIGHT - 0.5
                if across**2 + down**2 > 0.21:
                    continue
                dataset.write(bands, window=Window(column, row, STAMP_PX, STAMP_PX))
                labels.append(shapely.transform(town, lambda xy, at=(column, row): xy + at))
        place = dataset.transform
    with rasterio.Env(COMPRESS_OVERVIEW="JPEG", SPARSE_OK_OVERVIEW="YES"), rasterio.open(part, "r+") as dataset:
        dataset.build_overviews([2, 4, 8, 16, 32, 64], Resampling.average)
    matrix = np.array([[place.a, place.b], [place.d, place.e]])
    in_crs = shapely.transform(np.concatenate(labels), lambda xy: xy @ matrix.T + (place.c, place.f))
    write_labels(image, list(reproject(in_crs, UTM, LONLAT)))
    part.rename(image)


def read_windows(scenes: Path) -> None:
    path = "train_tier_1/dar/f883a0/f883a0.tif"
    with serve_files(folder=scenes) as server:
        for source, where in ((str(scenes / path), "disk"), (f"{server.address}/{path}", "a local server")):
            began = time.perf_counter()
            scene = open_scene(source)
            opened = time.perf_counter()
            scene.overview(2048)
            seen = time.perf_counter()
            scene.window(30_000, 20_000, 1024, 1024)
            read = time.perf_counter()
            print(
                f"from {where}: opened in {opened - began:.2f} s, overview in {seen - opened:.2f} s, "
                f"window of 1024 px in {read - seen:.2f} s",
                flush=True,
            )
        parts = [part.removeprefix("bytes=").split("-") for _, part in server.asked if part]
        print(f"{len(parts)} requests, {sum(int(b) - int(a) + 1 for a, b in parts) / 1e6:.1f} MB")


def peak_bytes(process: subprocess.Popen[bytes]) -> int:
    """Peak memory of a process and its descendants until it ends; shared pages count once."""
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.2):
            most = max(most, sum(_held_bytes(pid) for pid in _tree(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    done.set()
    watcher.join()
    return most


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in children for below in _tree(int(child)))]


def _held_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
