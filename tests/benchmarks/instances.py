"""What it costs to part buildings that touch, next to the network: ``python -m tests.benchmarks.instances``.

The masks of Accra's training tiles, joined to an image of a dense town, stand for what a model says, with noise. They
are brought to coarser resolutions, at which more and more buildings touch. Times are processor seconds of one thread.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine

from scinet.models.build import build
from scinet.models.card import Card
from scinet.models.fuse import for_inference
from scinet.models.model import Model
from scinet.raster.components import label
from scinet.raster.grid import Grid
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_probability
from scinet.raster.stream import Band, RasterStream
from scinet.segmentation.blend import BlendedWindows
from scinet.segmentation.instances import PartedBuildings
from training.building_labels import building_labels, labels_at, outputs_of_labels

TILES_PER_SIDE = 8
NATIVE_CM_PER_PX = 5.18
COARSER = (1, 2, 4, 8)
SIDE_PX = 2048  # of the image that is parted, at most
NETWORK_PX = 1024
NOISE = 0.1


class Outputs:
    """Outputs in memory as bands."""

    def __init__(self, outputs: NDArray[np.float32], cm_per_px: float) -> None:
        self._outputs = outputs
        self.grid = Grid(*outputs.shape[:2], Affine.scale(cm_per_px / 100, -cm_per_px / 100), None)

    def bands(self, start: int = 0) -> Iterator[Band]:
        """Bands of 480 rows."""
        for top in range(start, self.grid.height, 480):
            values = self._outputs[top : top + 480]
            yield Band(top, values, np.ones(values.shape[:2], np.bool_))


def main() -> None:
    """Print one line per resolution."""
    torch.set_num_threads(1)
    network_s = network_seconds()
    print(f"network: {network_s:.2f} s per megapixel")
    town = joined_masks(Path(os.environ["SCINET_DATA"]))
    random = np.random.default_rng(0)
    for step in COARSER:
        part = town[: SIDE_PX * step, : SIDE_PX * step]
        mask = resample_probability(part.astype(np.float32), (len(part) // step, part.shape[1] // step)) > 0.5
        labels = labels_at(building_labels(part.astype(np.uint8)), mask)
        wanted = outputs_of_labels(labels, step * NATIVE_CM_PER_PX)
        outputs = np.stack([wanted["building"], wanted["boundary"], wanted["distance"]], axis=-1)
        outputs = (outputs + random.normal(0, NOISE, outputs.shape)).clip(0, 1).astype(np.float32)
        began = time.process_time()
        for _ in PartedBuildings(Outputs(outputs, step * NATIVE_CM_PER_PX)).bands():
            pass
        taken = (time.process_time() - began) / mask.size * 1e6
        print(
            f"{step * NATIVE_CM_PER_PX:.3g} cm/px: {labels.max()} buildings in {label(mask).max()} components, "
            f"{taken:.3f} s per megapixel, {taken / network_s:.1%} of the network's",
            flush=True,
        )


def joined_masks(data: Path) -> NDArray[np.bool_]:
    """Masks of training tiles side by side, bool (8192, 8192)."""
    index = pd.read_csv(data / "index.csv")
    names = index[(index["dataset"] == "accra") & (index["split"] == "train")]["mask"].to_list()
    tiles = [np.asarray(Image.open(data / name)) > 0 for name in names[: TILES_PER_SIDE**2]]
    rows = [np.hstack(tiles[first : first + TILES_PER_SIDE]) for first in range(0, len(tiles), TILES_PER_SIDE)]
    return np.vstack(rows)


def network_seconds() -> float:
    """Of an InstanceNet on this processor, for a megapixel."""
    pixels = np.random.default_rng(0).integers(0, 256, (NETWORK_PX, NETWORK_PX, 3), np.uint8)
    image = Raster(pixels, np.ones(pixels.shape[:2], np.bool_), Affine.scale(0.1, -0.1), None)
    device = torch.device("cpu")
    network = for_inference(build("instance-net").eval(), device)
    model = Model(network, Card("timed", "instance-net", (10.0, 10.0), 576, 32.0), device)
    began = time.process_time()
    for _ in BlendedWindows(RasterStream(image), model).bands():
        pass
    return (time.process_time() - began) / pixels[..., 0].size * 1e6


if __name__ == "__main__":
    main()
