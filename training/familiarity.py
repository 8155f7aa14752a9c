"""Which images are unlike a model's training: ``python -m training.familiarity --setting NAME --data DIR``.

Takes the means of an encoder's channels over windows of the training's tiles (``scinet.models.familiarity``), and
measures how far from them other images are: tiles of the places that were left out (``training.leave_out``), generated
towns, towns in false colours, and photographs of other things. Estimates and promises are measured on places that were
left out, so what is farther than nearly all of these is called unlike. Test tiles are never touched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rasterio.transform import Affine
from tqdm import tqdm

from scinet.atomic_write import write_text
from scinet.evaluation.scores import Counts, iou
from scinet.models.checkpoint import load_model
from scinet.models.familiarity import Familiarity, fit_familiarity
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.segmentation.encoder_statistics import channel_means, windows_of
from scinet.segmentation.segment import segment
from scinet.synthetic.town import make_town
from training.leave_out import FOLDS, STEPS_CM_PER_PX, evenly, fold_weights
from training.packed_tiles import PackedTile, PackedTiles
from training.towns import building_numbers, drawn_climate

MOST_TILES = 12  # of a place
TOWNS, TOWN_CM_PER_PX = 9, 20.0
LEFT_OUT_SHARE = 0.95  # of the images of a place that was left out which are not called unlike
Means = NDArray[np.float64]


def training_means(model: Model, packs: Sequence[PackedTiles], leave_out: Sequence[str] = ()) -> list[Means]:
    """The channel means (windows, C) of each of some images of every place that is not left out."""
    places = sorted({tile.dataset for pack in packs for tile in pack.tiles} - set(leave_out))
    return [means for place in places for _, means in place_means(model, packs, place)]


def place_means(model: Model, packs: Sequence[PackedTiles], place: str) -> Iterator[tuple[float, Means]]:
    """Resolution and channel means (windows, C) of some tiles of a place, each at its own and at coarser ones."""
    tiles = evenly([(pack, tile) for pack in packs for tile in pack.tiles if tile.dataset == place], MOST_TILES)
    for pack, tile in tqdm(tiles, place, unit="tile"):
        raster = raster_of(pack, tile)
        steps = [float(tile.cm_per_px), *(float(step) for step in STEPS_CM_PER_PX if step > 1.04 * tile.cm_per_px)]
        for step in steps:
            means = channel_means(model, list(windows_of(resample(raster, step))))
            if means is not None:
                yield step, means


def raster_of(pack: PackedTiles, tile: PackedTile) -> Raster:
    """A tile as an image."""
    pixels, _ = pack.tile(tile)
    metres = tile.cm_per_px / 100
    return Raster(pixels.copy(), np.ones(pixels.shape[:2], np.bool_), Affine.scale(metres, -metres), None)


def fit(means: Sequence[Means], limit: float = 1.0) -> Familiarity:
    """The statistics of training images."""
    return fit_familiarity(np.concatenate(means), limit=round(limit, 3))


def limit_of(measured: pd.DataFrame) -> float:
    """The distance that `LEFT_OUT_SHARE` of the images of every place that was left out stay below."""
    left_out = measured[measured["group"] == "left out"]
    return float(left_out.groupby("name")["distance"].quantile(LEFT_OUT_SHARE).max())


def measure(model: Model, packs: Sequence[PackedTiles], fold: Sequence[str]) -> pd.DataFrame:
    """Distances of images from the training of a model that has not seen the places of a fold.

    Every other image of the training is in the fit; the others are measured.

    Returns:
        One row per image: group, name, cm_per_px (NaN for photographs), distance, and of towns the IoU of the mask.
    """
    training = training_means(model, packs, fold)
    familiarity = fit(training[::2])
    rows = [("training", "training", np.nan, means, np.nan) for means in training[1::2]]
    for place in fold:
        rows += [("left out", place, step, means, np.nan) for step, means in place_means(model, packs, place)]
    for group, name, raster, reference in strange_images():
        means = channel_means(model, list(windows_of(raster)))
        if means is not None:
            score = np.nan
            if reference is not None:
                mask = segment(raster, model, strategy="direct").probability > 0.5
                score = float(iou(Counts.of(reference, mask)))
            rows.append((group, name, raster.cm_per_px if reference is not None else np.nan, means, score))
    found = [(*row[:3], familiarity.distance(row[3]).value, row[4]) for row in rows]
    return pd.DataFrame(found, columns=["group", "name", "cm_per_px", "distance", "iou"])


def strange_images() -> Iterator[tuple[str, str, Raster, NDArray[np.bool_] | None]]:
    """Group, name, image and reference: generated towns, the same in false colours, photographs of other things."""
    for seed in range(TOWNS):
        climate, drawn = drawn_climate(np.random.default_rng(seed))
        town = make_town(seed, 100.0, drawn)
        image = town.render(TOWN_CM_PER_PX)
        reference = building_numbers(town.footprints, image) > 0
        yield "towns", climate, image, reference
        turned = np.ascontiguousarray(np.roll(image.pixels, 1, axis=2))
        yield "towns, channels turned", climate, replace(image, pixels=turned), reference
        yield "towns, negative", climate, replace(image, pixels=255 - image.pixels), reference
    for name, pixels in photographs():
        place = Affine.scale(TOWN_CM_PER_PX / 100, -TOWN_CM_PER_PX / 100)
        yield "photographs", name, Raster(pixels, np.ones(pixels.shape[:2], np.bool_), place, None), None


def photographs() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Photographs of other things, from scikit-image, which a developer's environment has."""
    from skimage import data

    for name in ("astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field", "immunohistochemistry"):
        yield name, np.ascontiguousarray(getattr(data, name)()[..., :3])
    for name in ("camera", "coins", "page", "text", "moon", "grass", "brick", "gravel"):
        yield name, np.repeat(getattr(data, name)()[..., np.newaxis], 3, axis=2)


def summary(measured: pd.DataFrame) -> pd.DataFrame:
    """One row per group: images, median and largest distance, the share beyond the limit, and of towns the mean IoU."""
    limit = limit_of(measured)
    is_left_out = measured["group"] == "left out"
    groups = measured.assign(group=measured["group"] + (", " + measured["name"]).where(is_left_out, ""))
    by_group = groups.groupby("group", sort=False)
    distances = by_group["distance"]
    return pd.DataFrame(
        {
            "images": distances.size(),
            "median": distances.median(),
            "most": distances.max(),
            "beyond": distances.apply(lambda each: (each > limit).mean()),
            "iou": by_group["iou"].mean(),
        }
    )


@click.command(help=__doc__.splitlines()[0])
@click.option(
    "--data", required=True, multiple=True, type=click.Path(path_type=Path), help="Folder with index.csv; repeatable."
)
@click.option("--setting", required=True, help="Setting of training.leave_out whose models are run.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of its runs.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="CSV file of the distances.")
def main(data: Sequence[Path], setting: str, runs: Path, out: Path) -> None:
    """Measure, unless the file is there, and print how far images of each kind are."""
    if not out.exists():
        packs = [PackedTiles(folder, "train", runs / "cache") for folder in data]
        tables = [measure(load_model(fold_weights(setting, fold, runs)), packs, fold) for fold in FOLDS]
        write_text(out, pd.concat(tables).round(4).to_csv(index=False))
    measured = pd.read_csv(out)
    print(f"limit {limit_of(measured):.3f}")
    print(summary(measured).round(3).to_string())


if __name__ == "__main__":
    main()
