"""Whether a model gains from a scene's own statistics: ``python -m training.adapt --model M --place PLACE``.

Batch norms normalise by means and variances of the training data. Where a scene looks different, a share of its own
statistics can be mixed in (alpha-BN, arXiv 2302.05155). That is measured here on tiles of the places named, taken as
one scene: places that were left out of the training (``training.leave_out``), or those of the training itself. Test
tiles are never touched.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rasterio.transform import Affine
from torch import Tensor, nn

from scinet.evaluation.scores import Counts, iou
from scinet.models.card import Card
from scinet.models.checkpoint import load_trained
from scinet.models.device import default_device
from scinet.models.fuse import for_inference
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample, resample_probability
from scinet.segmentation.segment import segment
from training.packed_tiles import PackedTiles
from training.scales import tiles_for

SHARES = (0.0, 0.1, 0.3)
STEPS_CM_PER_PX = (10.0, 20.0, 40.0)
MOST_WINDOWS, WINDOW_PX = 8, 256  # that the statistics come from
_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


def mix_in_statistics(network: nn.Module, image: Tensor, share: float) -> None:
    """Replace the statistics of all batch norms, in place, by (1 - share) of them and a share of those of an image.

    Each norm sees what the norms before it make of the image once they are mixed.

    Args:
        network: In evaluation mode, its norms not yet folded.
        image: Normalised windows of a scene, float32 (N, 3, H, W).
        share: In [0, 1].
    """

    def mix(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        assert isinstance(norm.running_mean, Tensor) and isinstance(norm.running_var, Tensor)
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(variance, share)

    hooks = [norm.register_forward_pre_hook(mix) for norm in network.modules() if isinstance(norm, _NORMS)]
    try:
        with torch.inference_mode():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()


def adapted(load: Callable[[], tuple[nn.Module, Card]], rasters: Sequence[Raster], share: float) -> Model:
    """A model with a share of the statistics of a scene's images."""
    network, card = load()
    if share:
        windows = torch.from_numpy(windows_of(rasters)).permute(0, 3, 1, 2)
        mix_in_statistics(network, (windows.float() / 255 - card.mean) / card.std, share)
    device = default_device()
    return Model(for_inference(network, device), card, device)


def windows_of(rasters: Sequence[Raster]) -> NDArray[np.uint8]:
    """Windows of one size from the middle of evenly spaced images, uint8 (N, H, W, 3)."""
    side = min(WINDOW_PX, *(min(raster.shape) for raster in rasters))
    chosen = np.linspace(0, len(rasters) - 1, min(MOST_WINDOWS, len(rasters))).round().astype(int)
    windows = []
    for index in chosen:
        height, width = rasters[index].shape
        top, left = (height - side) // 2, (width - side) // 2
        windows.append(rasters[index].pixels[top : top + side, left : left + side])
    return np.stack(windows)


def measure(model: str, packs: Sequence[PackedTiles], places: Sequence[str]) -> pd.DataFrame:
    """One row per place, resolution and share of the scene's statistics: tiles and micro_iou."""
    rows = []
    for place in places:
        for step in STEPS_CM_PER_PX:
            tiles, truths = [], []
            for pack, tile in tiles_for(packs, place, step):
                pixels, building = pack.tile(tile)
                metres = tile.cm_per_px / 100
                raster = Raster(pixels.copy(), np.ones(building.shape, np.bool_), Affine.scale(metres, -metres), None)
                tiles.append(resample(raster, max(step, tile.cm_per_px)))
                truths.append(resample_probability(building.astype(np.float32), tiles[-1].shape) >= 0.5)
            for share in SHARES if tiles else ():
                seen_by, counts = adapted(lambda: load_trained(model), tiles, share), Counts(0, 0, 0)
                for raster, truth in zip(tiles, truths, strict=True):
                    counts += Counts.of(truth, segment(raster, seen_by, strategy="direct").probability >= 0.5)
                row = {"place": place, "cm_per_px": step, "share": share, "tiles": len(tiles)}
                rows.append({**row, "micro_iou": iou(counts)})
    return pd.DataFrame(rows)


@click.command(help=__doc__.splitlines()[0])
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with index.csv.")
@click.option("--model", required=True, help="Name of a model, or path of its .safetensors file.")
@click.option("--place", "places", required=True, multiple=True, help="Where to score it; may be given several times.")
@click.option("--split", "splits", multiple=True, type=click.Choice(["train", "val"]), default=("train", "val"))
@click.option("--cache", type=click.Path(path_type=Path), default=Path("runs/cache"), help="Folder of decoded tiles.")
@click.option("--out", type=click.Path(path_type=Path), help="CSV file to write the scores to.")
def main(data: Path, model: str, places: Sequence[str], splits: Sequence[str], cache: Path, out: Path | None) -> None:
    """Score a model with shares of the scene's statistics."""
    table = measure(model, [PackedTiles(data, split, cache) for split in splits], places)
    print(table.pivot_table(index=["place", "cm_per_px"], columns="share", values="micro_iou").round(3).to_string())
    if out is not None:
        table.assign(model=Path(model).stem).round(4).to_csv(out, index=False)


if __name__ == "__main__":
    main()
