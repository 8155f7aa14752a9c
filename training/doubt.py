"""What tells best where a mask is wrong: ``python -m training.doubt --setting NAME --data DIR``.

Compares measures of doubt on tiles of the places that were left out of a model's training (``training.leave_out``):
how near a probability is to the threshold, how much it changes when the image is turned, and how much when the model
sees it larger or smaller. Test tiles are never touched.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from tqdm import tqdm

from scinet.atomic_write import write_text
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.models.scaling import chance_of_error
from scinet.raster.raster import Raster
from scinet.raster.resample import resample, resample_probability
from scinet.raster.stream import RasterStream, read_into
from scinet.segmentation.segment import AtOtherScales, segment
from training.familiarity import raster_of
from training.leave_out import FOLDS, evenly, fold_weights
from training.packed_tiles import PackedTiles

STEPS_CM_PER_PX = (10.0, 20.0)
MOST_TILES, MOST_PX = 6, 384  # of a place, and of a side
SCALES = (0.67, 1.5)
MOST_DOUBTFUL = 0.1  # the share of the pixels that a reader would look at
Floats = NDArray[np.float32]


def measures(model: Model, raster: Raster) -> tuple[Floats, dict[str, Floats]]:
    """The probability of an image, and each measure of doubt in its mask, float32 (H, W)."""
    probability = segment(raster, model, strategy="direct").probability
    turned = [probability]
    for turns in (1, 2, 3):
        valid = np.ascontiguousarray(np.rot90(raster.valid, turns))
        image = replace(raster, pixels=np.ascontiguousarray(np.rot90(raster.pixels, turns)), valid=valid)
        turned.append(np.rot90(segment(image, model, strategy="direct").probability, -turns))
    scaled = [probability]
    for scale in SCALES:
        seen = np.empty(raster.shape, np.float32)
        read_into(AtOtherScales(RasterStream(raster), model, [raster.cm_per_px / scale], None), seen)
        scaled.append(seen)
    doubt = chance_of_error(probability)
    spread_of_turns, spread_of_scales = np.std(turned, axis=0), np.std(scaled, axis=0)
    mean = np.mean([*turned, *scaled[1:]], axis=0)
    return probability, {
        "near the threshold": doubt,
        "turns": spread_of_turns,
        "scales": spread_of_scales,
        "near the threshold + turns": doubt + spread_of_turns,
        "near the threshold + scales": doubt + spread_of_scales,
        "mean of all against the mask": np.where(probability > 0.5, 1 - mean, mean),
    }


def auroc(doubt: Floats, wrong: NDArray[np.bool_]) -> float:
    """How often a wrong pixel is more doubtful than a right one.

    >>> auroc(np.float32([0.1, 0.2, 0.3, 0.4]), np.array([False, False, True, True]))
    1.0
    """
    ranks = rankdata(doubt, axis=None)
    positive = int(wrong.sum())
    negative = wrong.size - positive
    return float((ranks[wrong.ravel()].sum() - positive * (positive + 1) / 2) / (positive * negative))


def found_in_most_doubtful(doubt: Floats, wrong: NDArray[np.bool_]) -> float:
    """The share of the wrong pixels among the most doubtful tenth of all."""
    count = round(MOST_DOUBTFUL * doubt.size)
    chosen = np.argpartition(doubt.ravel(), -count)[-count:]
    return float(wrong.ravel()[chosen].sum() / wrong.sum())


def measure(model: Model, packs: Sequence[PackedTiles], place: str) -> list[dict[str, object]]:
    """One row per measure and resolution, of all tiles of a place together."""
    tiles = evenly([(pack, tile) for pack in packs for tile in pack.tiles if tile.dataset == place], MOST_TILES)
    rows: list[dict[str, object]] = []
    for step in STEPS_CM_PER_PX:
        wrong, doubts = [], []
        for pack, tile in tqdm(tiles, f"{place} {step:g}", unit="tile"):
            working = resample(raster_of(pack, tile), max(step, tile.cm_per_px))
            truth = resample_probability(pack.tile(tile)[1].astype(np.float32), working.shape) >= 0.5
            part = np.s_[:MOST_PX, :MOST_PX]
            image = replace(working, pixels=working.pixels[part].copy(), valid=working.valid[part].copy())
            probability, found = measures(model, image)
            wrong.append(((probability > 0.5) != truth[part]).ravel())
            doubts.append({name: values.ravel() for name, values in found.items()})
        together = np.concatenate(wrong)
        for name in doubts[0]:
            values = np.concatenate([each[name] for each in doubts])
            scores = {"auroc": auroc(values, together), "found": found_in_most_doubtful(values, together)}
            rows.append({"place": place, "cm_per_px": step, "measure": name, "wrong": together.mean(), **scores})
    return rows


@click.command(help=__doc__.splitlines()[0])
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with index.csv.")
@click.option("--setting", required=True, help="Setting of training.leave_out whose models are run.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of its runs.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="CSV file of the scores.")
def main(data: Path, setting: str, runs: Path, out: Path) -> None:
    """Measure, and print the mean over places."""
    packs = [PackedTiles(data, "train", runs / "cache")]
    rows: list[dict[str, object]] = []
    for fold in FOLDS:
        model = load_model(fold_weights(setting, fold, runs))
        for place in fold:
            rows += measure(model, packs, place)
            write_text(out, pd.DataFrame(rows).round(4).to_csv(index=False))
    table = pd.DataFrame(rows)
    print(table.pivot_table(index="measure", columns="cm_per_px", values=["auroc", "found"], sort=False).round(3))


if __name__ == "__main__":
    main()
