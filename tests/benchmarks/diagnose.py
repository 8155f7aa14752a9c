"""Time and memory of a diagnosis and its object scores: ``python -m tests.benchmarks.diagnose``.

Both run in one thread: the CPU time is what they take on an idle machine. Medians of several runs. The memory is that
of the process, including both masks and the probability.
"""

import gc
import statistics
import time

import numpy as np

from scinet.evaluation.boundary import boundary_counts
from scinet.evaluation.diagnose import diagnose
from scinet.evaluation.objects import find_objects
from tests.benchmarks.peak import Peak


def scene(side_px: int, buildings_per_side: int) -> tuple[np.ndarray, np.ndarray]:
    """A truth of houses of random size on a grid, and a prediction of it with shifts, crumbs and pinholes."""
    random = np.random.default_rng(0)
    pitch = side_px // buildings_per_side
    truth = np.zeros((side_px, side_px), bool)
    for top in range(2, side_px - pitch, pitch):
        for left in range(2, side_px - pitch, pitch):
            height, width = random.integers(pitch // 3, pitch - 3, 2)
            truth[top : top + height, left : left + width] = True
    return truth, np.roll(truth, (3, 4), (0, 1)) & (random.random(truth.shape, np.float32) > 0.01)


def main() -> None:
    for side_px, buildings_per_side, repeats in ((1024, 15, 15), (2048, 30, 15), (4096, 60, 5), (10_000, 101, 3)):
        truth, prediction = scene(side_px, buildings_per_side)
        probability = np.where(prediction, np.float32(0.8), np.float32(0.1))
        seconds = []
        for _ in range(repeats):
            gc.collect()
            began, began_cpu = time.perf_counter(), time.process_time()
            with Peak() as peak:
                diagnosis = diagnose(truth, prediction, pixel_area_m2=0.01)
                diagnosed_cpu = time.process_time()
                boundary = boundary_counts(truth, prediction, width_px=10)
                objects = find_objects(diagnosis, probability=probability, boundary=boundary)
                scores = objects.tally.scores
            ended, ended_cpu = time.perf_counter(), time.process_time()
            seconds.append((diagnosed_cpu - began_cpu, ended_cpu - diagnosed_cpu, ended - began))
        diagnosing, scoring, wall = (1000 * statistics.median(values) for values in zip(*seconds, strict=True))
        print(
            f"{side_px} px, {scores.buildings} buildings, {scores.components} components: "
            f"CPU {diagnosing:.0f} ms to diagnose and {scoring:.0f} ms to score the objects; "
            f"{wall:.0f} ms on the clock, peak {peak.megabytes:.0f} MB"
        )


if __name__ == "__main__":
    main()
