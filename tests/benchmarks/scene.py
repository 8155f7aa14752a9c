"""Time and peak memory of a whole scene: ``python -m tests.benchmarks.scene [--side-px 40000] [--model sci-net]``.

The scene is generated: RGBA, JPEG blocks of 512 px, houses on noise in a disc that covers the given share of the scene,
and sparse nodata around it. Without --model, a network that sees a single pixel is used: it costs almost nothing, so
that time and memory are those of reading, resampling, blending and writing.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin
from rasterio.windows import Window

from scinet.models.card import Card
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster.scene import open_scene
from scinet.segmentation.scene import SceneMask, segment_to_file
from scinet.segmentation.strategies import STRATEGIES, StrategyName
from scinet.vector.footprint_file import FootprintFile
from tests.benchmarks.peak import Peak

BLOCK_PX = 512


class Dark(torch.nn.Module):
    """Calls dark pixels building."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return -image.mean(dim=1, keepdim=True) * 8


def write_scene(path: Path, side_px: int, height_px: int, share: float) -> None:
    """RGBA at 5 cm/px in UTM 30N, with a house every 12 m inside the disc."""
    random = np.random.default_rng(0)
    tile = random.integers(150, 200, (4, 8 * BLOCK_PX, 8 * BLOCK_PX), np.uint8)
    for top in range(40, 8 * BLOCK_PX - 240, 240):
        for left in range(40, 8 * BLOCK_PX - 240, 240):
            height, width = random.integers(80, 180, 2)
            tile[:3, top : top + height, left : left + width] = 50
    tile[3] = 255
    profile = {
        "driver": "GTiff",
        "width": side_px,
        "height": height_px,
        "count": 4,
        "dtype": "uint8",
        "crs": "EPSG:32630",
        "transform": from_origin(600_000, 620_000, 0.05, 0.05),
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "compress": "jpeg",
        "sparse_ok": True,
        "bigtiff": "if_safer",
        "photometric": "rgb",
    }
    radius = side_px * (share / np.pi) ** 0.5
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        for top in range(0, height_px, BLOCK_PX):
            for left in range(0, side_px, BLOCK_PX):
                if np.hypot(top + BLOCK_PX / 2 - height_px / 2, left + BLOCK_PX / 2 - side_px / 2) > radius:
                    continue
                height, width = min(BLOCK_PX, height_px - top), min(BLOCK_PX, side_px - left)
                y, x = top % (8 * BLOCK_PX), left % (8 * BLOCK_PX)
                dataset.write(tile[:, y : y + height, x : x + width], window=Window(left, top, width, height))


def dark() -> Model:
    """A network that sees a single pixel and costs almost nothing."""
    card = Card(name="dark", architecture="unet", gsd_range_cm_per_px=(2.5, 40.0), window_px=384)
    return Model(Dark(), card, torch.device("cpu"))


def measure(
    model: Model,
    side_px: int,
    height_px: int,
    share: float,
    cm_per_px: float | None = None,
    strategy: StrategyName = "direct",
) -> tuple[SceneMask, float, float]:
    """Segment a generated scene, with footprints: the result, seconds, and the process's peak in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        write_scene(path, side_px, height_px, share)
        began = time.perf_counter()
        with Peak() as peak:
            found = segment_to_file(
                open_scene(path),
                model,
                Path(folder) / "mask.tif",
                cm_per_px=cm_per_px,
                strategy=strategy,
                footprints=FootprintFile(Path(folder) / "out.gpkg", min_area_m2=2.0),
            )
        return found, time.perf_counter() - began, peak.megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side-px", type=int, default=40_000)
    parser.add_argument("--height-px", type=int, help="default: the side; memory depends on the width only")
    parser.add_argument(
        "--share", type=float, default=0.7, help="share of the scene that has data (use 0.02 with --model)"
    )
    parser.add_argument("--model", help="a model, instead of the network that sees a single pixel")
    parser.add_argument("--cm-per-px", type=float)
    parser.add_argument("--strategy", default="direct", choices=STRATEGIES)
    options = parser.parse_args()
    found, seconds, peak_mb = measure(
        load_model(options.model) if options.model else dark(),
        options.side_px,
        options.height_px or options.side_px,
        options.share,
        options.cm_per_px,
        options.strategy,
    )
    print(
        f"{found.valid_px / 1e6:.0f} of {found.grid.width * found.grid.height / 1e6:.0f} million px are valid, "
        f"{found.building_px / found.valid_px:.1%} building: {seconds:.0f} s, peak {peak_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
