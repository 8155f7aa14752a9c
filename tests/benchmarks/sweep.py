"""The cost of a sweep beyond its forward passes: ``python -m tests.benchmarks.sweep``.

Eight resolutions and the first three models on board, on the first test tile of 1024 px in the folder that SCINET_DATA
names. The forward passes alone run on the same windows, all available from the start. Times are the best of REPEATS,
measured alternately.
"""

import math
import os
import time
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import torch

from scinet.evaluation.sweep import sweep
from scinet.evaluation.truth import read_truth
from scinet.models.card import list_models
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.raster.scene import read_raster
from scinet.raster.stream import RasterStream
from scinet.segmentation.blend import BlendedWindows
from scinet.segmentation.forward import Forward
from tests.benchmarks.explore import PROJECT, tile_of_1024_px

STEPS_CM_PER_PX = (7.5, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0)  # and the native resolution
REPEATS = 3


def main() -> None:
    folder = Path(os.environ.get("SCINET_DATA") or PROJECT.parent / "shared" / "data")
    tile = tile_of_1024_px(folder)
    raster = read_raster(folder / tile["image"], cm_per_px=float(tile["cm_per_px"]))
    truth = read_truth(folder / tile["mask"], raster, "the mask")
    models = [load_model(card.name) for card in list_models()[:3]]
    steps = [raster.cm_per_px, *STEPS_CM_PER_PX]
    sizes = [(model, side, count) for model in models for side, count in windows(raster, model, steps)]
    whole = bare = math.inf
    for _ in range(REPEATS):
        began = time.perf_counter()
        forward_passes(sizes)
        bare = min(bare, time.perf_counter() - began)
        began = time.perf_counter()
        sweep(raster, truth, models, steps)
        whole = min(whole, time.perf_counter() - began)
    titles = ", ".join(model.card.title for model in models)
    print(f"{titles}; {len(steps)} steps; {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    print(f"sweep {whole:.2f} s, its forward passes alone {bare:.2f} s: {whole / bare:.2f} times")


def windows(raster: Raster, model: Model, steps: list[float]) -> list[tuple[tuple[int, int], int]]:
    """Size (height, width) and number of the windows at each step."""
    found = []
    for step in steps:
        down, across = BlendedWindows(RasterStream(resample(raster, step)), model).windows
        found.append(((down.size, across.size), len(down.starts) * len(across.starts)))
    return found


def forward_passes(sizes: list[tuple[Model, tuple[int, int], int]]) -> None:
    random = np.random.default_rng(0)
    answers = []
    for model, size, count in sizes:
        window = random.integers(0, 256, (*size, 3), np.uint8)
        forward = Forward(model, count)
        answers += [forward.begin([window]) for _ in range(count)]
    wait(answers)


if __name__ == "__main__":
    main()
