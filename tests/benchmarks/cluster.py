"""Many scenes on many workers, simulated from measured times: ``python -m tests.benchmarks.cluster``.

The jobs are those of `scinet.batch.run`, in its order: whole scenes, or rounds of bands and of joining them. A worker
is a core, and takes the next job when it is free. Prints the hours of the run and the share of them that workers work.
"""

import heapq
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter

from scinet.datasets.open_cities import published_scenes
from scinet.raster.geotiff import MASK
from scinet.raster.grid import Grid
from scinet.raster.resumable_cog import ResumableCog

SEGMENT_S_PER_MPX = 48.4 / 37.7  # processor seconds of UNet on the Accra scene: docs/benchmarks.md
WINDOW_ROWS_PX = 576
START_S = 8.0  # of a worker: imports and the model
SLOWER, SLOW_SHARE, SLOW_FACTOR = 0.15, 0.02, 3.0  # deviation of a job's time; stragglers
DEATH_PER_HOUR, LOST_S = 0.05, 30.0  # of a worker; of its work, which a death costs
WORKERS = (1, 4, 16, 64, 256)
BANDS = (1, 16, 64)


def measured_join_s_per_mpx(side_px: int = 6000) -> float:
    """Processor seconds for joining the pieces of a mask of buildings."""
    random = np.random.default_rng(0)
    small = gaussian_filter(random.standard_normal((side_px // 8, side_px // 8)), 4) > 0.03
    mask = np.kron(small, np.ones((8, 8), bool)).astype(np.uint8)
    grid = Grid(*mask.shape, Affine(0.05, 0, 810_000, 0, -0.05, 620_000), CRS.from_epsg(32630))
    with TemporaryDirectory() as folder:
        pieces = ResumableCog(Path(folder) / "mask.tif", grid, {}, resume=False)
        for top in range(0, len(mask), 512):
            pieces.add(top, {"mask": mask[top : top + 512]})
        begin = time.process_time()
        for _, values in pieces.read("mask"):
            np.count_nonzero(values == 1)
        pieces.join("mask", MASK)
        return (time.process_time() - begin) / (mask.size / 1e6)


def rounds(sizes_px: Sequence[tuple[int, int]], bands: int, join_s_per_mpx: float) -> Iterator[list[float]]:
    """The seconds of the jobs of each round, without stragglers."""
    segment = [width * height / 1e6 * SEGMENT_S_PER_MPX for width, height in sizes_px]
    join = [width * height / 1e6 * join_s_per_mpx for width, height in sizes_px]
    if bands == 1:
        yield [one + other for one, other in zip(segment, join, strict=True)]
        return
    twice = [width * WINDOW_ROWS_PX / 1e6 * SEGMENT_S_PER_MPX for width, _ in sizes_px]  # at the cut below each band
    yield [seconds / bands + extra for seconds, extra in zip(segment, twice, strict=True) for _ in range(bands)]
    yield join


def ends(seconds: Sequence[float], workers: int, begin: float, random: np.random.Generator) -> list[float]:
    """When each worker ends: jobs in their order, to the first worker that is free; one that dies starts again."""
    free = [begin] * workers
    for job in seconds:
        slower = SLOW_FACTOR if random.random() < SLOW_SHARE else float(np.exp(random.normal(0, SLOWER)))
        now, left = heapq.heappop(free), job * slower
        while (death := random.exponential(3600 / DEATH_PER_HOUR)) < left:
            now, left = now + death + START_S, left - death + LOST_S  # the pieces that are written stay
        heapq.heappush(free, now + left)
    return free


def simulated(
    sizes_px: Sequence[tuple[int, int]], workers: int, bands: int, join_s_per_mpx: float, seed: int = 0
) -> tuple[float, float]:
    """Hours of a run, and the share of the workers' time in which they work."""
    random = np.random.default_rng(seed)
    end, work = START_S, 0.0
    for jobs in rounds(sizes_px, bands, join_s_per_mpx):
        work += sum(jobs)
        end = max(ends(jobs, workers, end, random))
    return end / 3600, work / (end * workers)


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    join = measured_join_s_per_mpx()
    print(f"joining: {join:.3f} s per megapixel; segmenting: {SEGMENT_S_PER_MPX:.2f}")
    every = [(scene.width, scene.height) for scene in published_scenes()]
    sets = {"31 scenes": every, "the largest": [max(every, key=lambda size: size[0] * size[1])]}
    for name, sizes in sets.items():
        print(f"\n{name}, {sum(width * height for width, height in sizes) / 1e9:.1f} gigapixels: hours (work)")
        print("| workers | " + " | ".join(f"{bands} bands" for bands in BANDS) + " |")
        print("| --- |" + " --- |" * len(BANDS))
        for workers in WORKERS:
            cells = [simulated(sizes, workers, bands, join) for bands in BANDS]
            print(f"| {workers} | " + " | ".join(f"{time_h:.2f} ({share:.0%})" for time_h, share in cells) + " |")


if __name__ == "__main__":
    main()
