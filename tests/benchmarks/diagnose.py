"""How long a diagnosis takes: ``python -m tests.benchmarks.diagnose``. One thread; the median of some runs.

The memory is the process's, with both masks.
"""

import gc
import statistics
import time

import numpy as np

from scinet.evaluation.diagnose import diagnose
from tests.benchmarks.peak import Peak


def scene(side_px: int, buildings_a_side: int) -> tuple[np.ndarray, np.ndarray]:
    """A truth of houses of random size on a grid, and a prediction of it with shifts, crumbs and pinholes."""
    random = np.random.default_rng(0)
    pitch = side_px // buildings_a_side
    truth = np.zeros((side_px, side_px), bool)
    for top in range(2, side_px - pitch, pitch):
        for left in range(2, side_px - pitch, pitch):
            height, width = random.integers(pitch // 3, pitch - 3, 2)
            truth[top : top + height, left : left + width] = True
    return truth, np.roll(truth, (3, 4), (0, 1)) & (random.random(truth.shape, np.float32) > 0.01)


def main() -> None:
    for side_px, buildings_a_side, repeats in ((1024, 15, 15), (2048, 30, 15), (4096, 60, 5), (10_000, 100, 3)):
        truth, prediction = scene(side_px, buildings_a_side)
        seconds = []
        for _ in range(repeats):
            gc.collect()
            began = time.perf_counter()
            with Peak() as peak:
                diagnosis = diagnose(truth, prediction, pixel_area_m2=0.01)
            seconds.append(time.perf_counter() - began)
        print(
            f"{side_px} px, {len(diagnosis.buildings.kind)} buildings, {len(diagnosis.components.kind)} components: "
            f"{1000 * statistics.median(seconds):.1f} ms, {peak.megabytes:.0f} MB at most"
        )


if __name__ == "__main__":
    main()
