"""How long a diagnosis takes: ``python -m tests.benchmarks.diagnose``. One thread; the median of many runs."""

import statistics
import time

import numpy as np

from scinet.diagnose import diagnose

REPEATS = 15


def scene(side_px: int, buildings_a_side: int) -> tuple[np.ndarray, np.ndarray]:
    """A truth of houses of random size on a grid, and a prediction of it with shifts, crumbs and pinholes."""
    random = np.random.default_rng(0)
    pitch = side_px // buildings_a_side
    truth = np.zeros((side_px, side_px), bool)
    for top in range(2, side_px - pitch, pitch):
        for left in range(2, side_px - pitch, pitch):
            height, width = random.integers(pitch // 3, pitch - 3, 2)
            truth[top : top + height, left : left + width] = True
    return truth, np.roll(truth, (3, 4), (0, 1)) & (random.random(truth.shape) > 0.01)


def main() -> None:
    for side_px, buildings_a_side in ((1024, 15), (2048, 30), (4096, 60)):
        truth, prediction = scene(side_px, buildings_a_side)
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            report = diagnose(truth, prediction, pixel_area_m2=0.0027)
            seconds.append(time.perf_counter() - began)
        count = len(report.buildings.kind)
        print(
            f"{side_px} x {side_px} px, {count} buildings, {len(report.components.kind)} components: "
            f"{1000 * statistics.median(seconds):.1f} ms (fastest {1000 * min(seconds):.1f})"
        )


if __name__ == "__main__":
    main()
