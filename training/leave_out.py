"""How a recipe does where nobody trained: ``python -m training.leave_out --setting NAME --data DIR [RECIPE]``.

Trains UNet once per fold, each time without the places of that fold, and scores it there, on tiles of the training and
validation splits; test tiles are never touched. Options that are not listed here go to ``training.train``. Every
setting sees the same chips. Scores are added to a CSV file, one row per place; folds that are done are not repeated.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rasterio.transform import Affine
from torch import Tensor, nn

from scinet.atomic_write import write_text
from scinet.evaluation.scores import Counts, iou
from scinet.models.build import Around
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample_probability
from scinet.segmentation.segment import segment
from training import train
from training.chips import standardised
from training.command import run_command
from training.packed_tiles import PackedTile, PackedTiles
from training.train_options import parse_arguments, recipe_of

FOLDS = (("kampala", "christchurch"), ("zanzibar", "philippines"))
TRAINED = "accra"  # is in every fold's training; its validation tiles show the score at home
STEPS_CM_PER_PX = (10, 20, 40)
SCORES = ("native", *(str(step) for step in STEPS_CM_PER_PX))
MOST_TILES = 64  # of a place that are scored


class Standardised(Around):
    """A network that was trained on standardised images, for images as they come."""

    def forward(self, image: Tensor, *cm_per_px: Tensor) -> Tensor:
        """Logits (N, C, H, W) of images (N, 3, H, W)."""
        logits: Tensor = self.network(standardised(image), *cm_per_px)
        return logits


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and score a setting on all folds, and add it to the table."""
    parser = argparse.ArgumentParser(
        prog="python -m training.leave_out",
        description="How a recipe does where nobody trained. Other options go to training.train.",
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--setting", help="name of the recipe in the table")
    what.add_argument("--show", action="store_true", help="print the table as Markdown and do nothing else")
    parser.add_argument(
        "--after", metavar="SETTING", help="begin each fold with the weights that this setting ended with"
    )
    parser.add_argument("--table", type=Path, default=Path("docs/leave_out.csv"), help="the CSV (default: %(default)s)")
    options, recipe_options = parser.parse_known_args(arguments)
    if options.show:
        print(markdown(pd.read_csv(options.table)))
        return
    rows = []
    for fold in FOLDS:
        rows += run_fold(options.setting, fold, recipe_options, options.after)
    table = pd.DataFrame(rows).groupby(["setting", "place", "left_out"], sort=False).mean(numeric_only=True).round(4)
    table = table.reset_index().assign(**about(recipe_options, options.after))
    write_table(options.table, table)
    print(summary(table).to_string())


def run_fold(
    setting: str, fold: Sequence[str], recipe_options: Sequence[str], after: str | None = None
) -> list[dict[str, Any]]:
    """One row per place: those left out, and the one where validation is."""
    name = fold_name(setting, fold)
    left_out = [word for place in fold for word in ("--leave-out", place)]
    arguments = ["--model", "unet", "--name", name, *left_out, *recipe_options]
    options = parse_arguments(arguments)
    if after:
        arguments += ["--start-from", str(fold_weights(after, fold, options.runs))]
    done = options.runs / name / "scores.json"
    if done.exists():
        rows: list[dict[str, Any]] = json.loads(done.read_text())
        return rows
    train.main(arguments)
    model = load_model(fold_weights(setting, fold, options.runs), options.device)
    if options.standardise:
        assert isinstance(model.network, nn.Module)
        model = Model(Standardised(model.network), model.card, model.device)
    folder, cache = options.data[0], options.runs / "cache"
    packs = {split: PackedTiles(folder, split, cache) for split in ("train", "val")}
    rows = []
    for place in (*fold, TRAINED):
        splits = ["val"] if place == TRAINED else ["train", "val"]
        tiles = [(packs[split], tile) for split in splits for tile in packs[split].tiles if tile.dataset == place]
        scores = place_scores(model, evenly(tiles, MOST_TILES))
        rows.append({"setting": setting, "place": place, "left_out": place != TRAINED, **scores})
        print(name, place, scores, flush=True)
    write_text(done, json.dumps(rows))
    return rows


def fold_name(setting: str, fold: Sequence[str]) -> str:
    """What the run of a setting without the fold's places is called."""
    return f"{setting}-{'-'.join(fold)}"


def fold_weights(setting: str, fold: Sequence[str], runs: Path) -> Path:
    """The weights that the run of a setting without the fold's places ended with."""
    name = fold_name(setting, fold)
    return runs / name / f"{name}.safetensors"


def place_scores(model: Model, tiles: Sequence[tuple[PackedTiles, PackedTile]]) -> dict[str, float]:
    """Micro-IoU at the tiles' own resolution and at each step that is not finer, on the model's grid."""
    counts = {name: Counts(0, 0, 0) for name in SCORES}
    for pack, tile in tiles:
        pixels, building = pack.tile(tile)
        metres = tile.cm_per_px / 100
        raster = Raster(pixels.copy(), np.ones(building.shape, np.bool_), Affine.scale(metres, -metres), None)
        for name in SCORES:
            cm_per_px = tile.cm_per_px if name == "native" else float(name)
            if cm_per_px < tile.cm_per_px:
                continue
            working, probability = segment(raster, model, cm_per_px)
            truth = resample_probability(building.astype(np.float32), working.shape) >= 0.5
            counts[name] += Counts.of(truth, probability >= 0.5)
    nothing = Counts(0, 0, 0)
    return {name: float("nan") if counts[name] == nothing else float(iou(counts[name])) for name in SCORES}


def evenly(items: Sequence[tuple[PackedTiles, PackedTile]], most: int) -> list[tuple[PackedTiles, PackedTile]]:
    """At most `most` of the items, evenly spaced."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))]


def about(recipe_options: Sequence[str], after: str | None = None) -> dict[str, str | int]:
    """What the table says of a setting's budget and recipe."""
    options = parse_arguments(["--model", "unet", *recipe_options])
    recipe = recipe_of(options)
    shown = {"dataset_weights", "epochs", "chips_per_epoch", "chip_px", "seed", "batch", "learning_rate"}
    special = {name: value for name, value in recipe.deviations().items() if name not in shown}
    special |= {"after": after} if after else {}
    return {
        "chips": recipe.epochs * recipe.chips_per_epoch,
        "chip_px": recipe.chip_px,
        "seed": recipe.seed,
        "recipe": json.dumps(special, default=list),
    }


def write_table(path: Path, rows: pd.DataFrame) -> None:
    """Add a setting's rows to the CSV; its former ones are replaced."""
    if path.exists():
        old = pd.read_csv(path)
        rows = pd.concat([old[~old["setting"].isin(rows["setting"])], rows], ignore_index=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, rows.to_csv(index=False))


def markdown(table: pd.DataFrame) -> str:
    """The summary as a table of docs/training.md."""
    rows = summary(table).reset_index()
    header = [
        "setting",
        "native",
        "10",
        "20",
        "40",
        *(f"Accra {name}" for name in SCORES),
        "chips per fold",
        "chip, px",
        "seed",
    ]
    lines = [header, ["---"] * len(header)]
    for row in rows.itertuples(index=False):
        setting, *values = row
        scores, budget = values[: 2 * len(SCORES)], values[2 * len(SCORES) : 2 * len(SCORES) + 3]
        lines.append([str(setting), *(f"{score:.3f}" for score in scores), *(f"{number:,}" for number in budget)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per setting: mean micro-IoU over the left-out places, and the score where it was trained."""
    away, home = (table[table["left_out"] == is_out].groupby("setting", sort=False) for is_out in (True, False))
    means = away[list(SCORES)].mean().join(home[list(SCORES)].mean().add_suffix(" (Accra validation)"))
    return means.join(away[["chips", "chip_px", "seed", "recipe"]].first())


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_command(main, resumes=True)
