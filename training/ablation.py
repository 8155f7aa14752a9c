"""What each part of InstanceNet is worth: ``python -m training.ablation --part NAME --data DIR [RECIPE]``.

Trains a part once per fold of ``training.leave_out``, each time without the places of that fold, and scores it there
pixel by pixel and building by building, at the tiles' own resolution and at coarser ones; test tiles are never
touched. Options that are not listed here go to ``training.train``; every part sees the same chips. Scores are added to
a CSV file, one row per place, resolution and resolution that the model is told. Folds that are done are not repeated.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rasterio.transform import Affine

from scinet.atomic_write import write_text
from scinet.evaluation.diagnose import Tally
from scinet.evaluation.evaluate import Evaluation, evaluate
from scinet.evaluation.object_scores import ObjectTally
from scinet.evaluation.scores import iou
from scinet.models.checkpoint import load_model
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.segmentation.segment import segment
from training import train
from training.command import run_command
from training.errors import DataError
from training.leave_out import FOLDS, TRAINED, evenly, fold_name
from training.packed_tiles import PackedTile, PackedTiles
from training.train_options import parse_arguments, recipe_of

PARTS: dict[str, tuple[str, ...]] = {
    "building": ("--model", "sci-net"),
    "three outputs": ("--model", "instance-net", "--no-scale-input"),
    "three outputs, scale": ("--model", "instance-net"),
    "three outputs, scale, consistency": ("--model", "instance-net", "--consistency", "0.5"),
}
STEPS_CM_PER_PX = (20.0, 40.0, 60.0)
MISTOLD = (0.5, 2.0)  # of the resolution, which files state wrongly at times
MOST_TILES = 32  # of a place that are scored
MIN_AREA_M2 = 1.0  # smaller components are dropped, as in the app


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and score parts on folds, and add them to the table."""
    parser = argparse.ArgumentParser(
        prog="python -m training.ablation",
        description="What each part of InstanceNet is worth. Other options go to training.train.",
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--part", action="append", choices=tuple(PARTS), help="may be given again")
    what.add_argument("--show", action="store_true", help="print the table as Markdown and do nothing else")
    parser.add_argument(
        "--folds", type=int, choices=range(1, len(FOLDS) + 1), default=len(FOLDS), help="how many (default: all)"
    )
    parser.add_argument("--table", type=Path, default=Path("docs/ablation.csv"), help="the CSV (default: %(default)s)")
    options, recipe_options = parser.parse_known_args(arguments)
    if options.show:
        if not options.table.is_file():
            raise DataError(f"{options.table} is missing: score a part first, with --part.")
        print(markdown(pd.read_csv(options.table)))
        return
    for part in options.part:
        for fold in FOLDS[: options.folds]:
            write_rows(options.table, run_fold(part, fold, recipe_options))


def run_fold(part: str, fold: Sequence[str], recipe_options: Sequence[str]) -> list[dict[str, Any]]:
    """Train a part without the places of a fold, and score it there and where validation is."""
    name = fold_name(part.replace(", ", "-").replace(" ", "-"), fold)
    left_out = [word for place in fold for word in ("--leave-out", place)]
    arguments = [*PARTS[part], "--name", name, *left_out, *recipe_options]
    options = parse_arguments(arguments)
    done = options.runs / name / "ablation.json"
    if done.exists():
        rows: list[dict[str, Any]] = json.loads(done.read_text())
        return rows
    train.main(arguments)
    model = load_model(str(options.runs / name / f"{name}.safetensors"), options.device)
    packs = {split: PackedTiles(options.data[0], split, options.runs / "cache") for split in ("train", "val")}
    recipe = recipe_of(options)
    about = {"chips": recipe.epochs * recipe.chips_per_epoch, "chip_px": recipe.chip_px, "seed": recipe.seed}
    rows = []
    for place in (*fold, TRAINED):
        splits = ["val"] if place == TRAINED else ["train", "val"]
        tiles = [(packs[split], tile) for split in splits for tile in packs[split].tiles if tile.dataset == place]
        for scores in place_scores(model, evenly(tiles, MOST_TILES)):
            rows.append({"part": part, "place": place, "left_out": place != TRAINED, **scores, **about})
        print(pd.DataFrame(rows).tail(len(STEPS_CM_PER_PX) + 1).to_string(), flush=True)
    write_text(done, json.dumps(rows))
    return rows


def place_scores(model: Model, tiles: Sequence[tuple[PackedTiles, PackedTile]]) -> list[dict[str, Any]]:
    """One row per resolution and resolution that the model is told; "native" is that of each tile."""
    return [
        {"cm_per_px": "native" if cm_per_px is None else f"{cm_per_px:g}", "told": told, **scores}
        for cm_per_px in (None, *STEPS_CM_PER_PX)
        for told in (1.0, *(MISTOLD if model.takes_cm_per_px and cm_per_px else ()))
        if (scores := scores_at(model, tiles, cm_per_px, told)) is not None
    ]


def scores_at(
    model: Model, tiles: Sequence[tuple[PackedTiles, PackedTile]], cm_per_px: float | None, told: float
) -> dict[str, float] | None:
    """Scores over all tiles that are not coarser than a resolution, None for their own; None if there are none."""
    pixels, objects, found = Tally(), ObjectTally(), 0
    for pack, tile in tiles:
        if cm_per_px is not None and cm_per_px < tile.cm_per_px:
            continue
        evaluation = evaluated(model, pack, tile, cm_per_px, told)
        assert evaluation.diagnosis is not None and evaluation.objects is not None
        pixels += evaluation.diagnosis.tally
        objects += evaluation.objects.tally
        found += int((evaluation.diagnosis.buildings.kind == "found").sum())
    if not objects.buildings:
        return None
    return {
        "micro_iou": round(float(iou(pixels.counts)), 4),
        "object_f1": round(objects.scores.f1, 4),
        "merging": round(pixels.shares.merging, 4),
        "fragmentation": round(pixels.shares.fragmentation, 4),
        "found": round(found / objects.buildings, 4),
        "buildings": objects.buildings,
    }


def evaluated(model: Model, pack: PackedTiles, tile: PackedTile, cm_per_px: float | None, told: float) -> Evaluation:
    """A tile at a resolution, which the model is told `told` times as large as it is."""
    colours, building = pack.tile(tile)
    metres = tile.cm_per_px / 100
    raster = Raster(colours.copy(), np.ones(building.shape, np.bool_), Affine.scale(metres, -metres), None)
    working = raster if cm_per_px is None else resample(raster, cm_per_px)
    as_told = replace(working, transform=working.transform @ Affine.scale(told))
    probability = segment(as_told, model, strategy="direct").probability
    return evaluate(probability, working, building, min_area_m2=MIN_AREA_M2)


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows to the CSV; former ones of the same part and places are replaced."""
    table = pd.DataFrame(rows)
    if path.exists():
        old = pd.read_csv(path)
        is_new = old.set_index(["part", "place"]).index.isin(table.set_index(["part", "place"]).index)
        table = pd.concat([old[~is_new], table], ignore_index=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, table.to_csv(index=False))


def markdown(table: pd.DataFrame) -> str:
    """Means over the places that were left out, as the table of docs/training.md."""
    header = [
        "part",
        "cm/px",
        "micro-IoU",
        "object F1",
        "merging",
        "fragmentation",
        "found",
        "places",
        "chips per fold",
    ]
    lines = [header, ["---"] * len(header)]
    scores = ["micro_iou", "object_f1", "merging", "fragmentation", "found"]
    away = table[table["left_out"]]
    for (part, cm_per_px, told), rows in away.groupby(["part", "cm_per_px", "told"], sort=False):
        step = f"{cm_per_px}, told {float(cm_per_px) * told:g}" if told != 1 else str(cm_per_px)
        budget = [", ".join(rows["place"]), f"{rows['chips'].iloc[0]:,}"]
        lines.append([str(part), step, *(f"{rows[name].mean():.3f}" for name in scores), *budget])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_command(main, resumes=True)
