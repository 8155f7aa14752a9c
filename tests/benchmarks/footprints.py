"""Time and peak memory of a scene's footprints: ``python -m tests.benchmarks.footprints [--side-px 40000]``.

The mask is generated band by band, with a building of 24 to 40 px every 56 px: half a million at 40,000 px.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import from_origin

from scinet.raster.grid import Grid
from scinet.vector.footprint_file import FootprintFile, write_footprint_file
from scinet.vector.trace import MaskBand
from tests.benchmarks.peak import Peak

EVERY_PX, BAND_PX = 56, 128


def bands(side_px: int) -> Iterator[MaskBand]:
    """The mask, with buildings of varying size and position, and a probability."""
    count = -(-side_px // EVERY_PX)
    random = np.random.default_rng(0)
    height, width = random.integers(24, 41, (2, count, count))
    row, column = random.integers(0, 12, (2, count, count))
    x = np.arange(side_px)
    along = x % EVERY_PX
    for top in range(0, side_px, BAND_PX):
        y = np.arange(top, min(top + BAND_PX, side_px))
        block, down = y // EVERY_PX, (y % EVERY_PX)[:, None]
        cell = block[:, None], (x // EVERY_PX)[None]
        inside_y = (down >= row[cell]) & (down < row[cell] + height[cell])
        mask = inside_y & (along >= column[cell]) & (along < column[cell] + width[cell])
        yield MaskBand(top, mask, mask * np.float32(0.75))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side-px", type=int, default=40_000)
    parser.add_argument("--simplify-m", type=float, default=0.0)
    options = parser.parse_args()
    side = options.side_px
    grid = Grid(side, side, from_origin(600_000, 620_000, 0.1, 0.1), CRS.from_epsg(32630))
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".gpkg", ".fgb", ".geojson"):
            path = Path(folder) / f"out{suffix}"
            file = FootprintFile(path, 1.0, simplify_m=options.simplify_m)
            began = time.perf_counter()
            with Peak() as peak:
                found = write_footprint_file(file, bands(side), grid, with_confidence=True)
            print(
                f"{suffix}: {found:,} polygons of {side:,} x {side:,} px in {time.perf_counter() - began:.0f} s, peak "
                f"{peak.megabytes:,.0f} MB, file {path.stat().st_size / 1e6:,.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
