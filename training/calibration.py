"""How far a model's probabilities can be trusted where nobody trained: ``python -m training.calibration``.

Runs models of ``training.leave_out`` on tiles of the places that were left out of their training, and keeps of each
tile and resolution what its probabilities and its reference have in common. From these follow a scaling per
resolution, an estimate of IoU and object F1 without a reference, and thresholds that promise a recall or a precision;
each is tried on places that are not in its fit. With ``--model`` all of it goes onto the card of a model of the same
recipe, with its own curve on validation tiles and the statistics of its encoder. Test tiles are never touched.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from rasterio.transform import Affine
from tqdm import tqdm

from scinet.atomic_write import write_text
from scinet.evaluation.evaluate import evaluate
from scinet.evaluation.object_scores import MATCH_IOU
from scinet.models.card import read_card
from scinet.models.checkpoint import load_model
from scinet.models.confidence import Calibration
from scinet.models.model import Model
from scinet.models.scaling import logit_histogram
from scinet.raster.raster import Raster
from scinet.segmentation.segment import segment
from training import familiarity
from training.calibration_fit import check, curves, fit, reliability
from training.cards import weights_of, write_card
from training.leave_out import FOLDS, STEPS_CM_PER_PX, evenly, fold_weights
from training.packed_tiles import PackedTile, PackedTiles
from training.promises import check_promised, fit_promised, tried

MOST_TILES = 40  # of a place
MIN_AREA_M2 = 1.0  # smaller components are dropped, as in the app


def measure(model: Model, packs: Sequence[PackedTiles], place: str) -> list[dict[str, Any]]:
    """One row per tile of a place and resolution: histograms of all pixels and of buildings, and counts."""
    tiles = evenly([(pack, tile) for pack in packs for tile in pack.tiles if tile.dataset == place], MOST_TILES)
    rows = []
    for pack, tile in tqdm(tiles, place, unit="tile"):
        steps = [float(tile.cm_per_px), *(float(step) for step in STEPS_CM_PER_PX if step > 1.04 * tile.cm_per_px)]
        rows += [measure_tile(model, pack, tile, step) | {"place": place} for step in steps]
    return rows


def measure_tile(model: Model, pack: PackedTiles, tile: PackedTile, cm_per_px: float) -> dict[str, Any]:
    """A tile's row, without its place."""
    pixels, building = pack.tile(tile)
    metres = tile.cm_per_px / 100
    raster = Raster(pixels.copy(), np.ones(building.shape, np.bool_), Affine.scale(metres, -metres), None)
    working, probability = segment(raster, model, cm_per_px, strategy="direct")
    evaluation = evaluate(probability, working, building, min_area_m2=MIN_AREA_M2)
    assert evaluation.diagnosis is not None and evaluation.objects is not None
    reference = evaluation.diagnosis.truth.pixels() > 0
    counts, found = evaluation.diagnosis.counts, evaluation.objects.tally.counts(MATCH_IOU)
    return {
        "cm_per_px": cm_per_px,
        "all": logit_histogram(probability).tolist(),
        "buildings": logit_histogram(probability, reference).tolist(),
        "pixel_counts": [counts.tp, counts.fp, counts.fn],
        "object_counts": [found.tp, found.fp, found.fn],
    }


def left_out_rows(data: Path, setting: str, runs: Path, out: Path) -> pd.DataFrame:
    """The rows of the models of a setting in the places that they did not see, measured unless the file is there."""
    if not out.exists():
        packs = [PackedTiles(data, split, runs / "cache") for split in ("train", "val")]
        measured: list[dict[str, Any]] = []
        for fold in FOLDS:
            model = load_model(fold_weights(setting, fold, runs))
            for place in fold:
                measured += measure(model, packs, place)
        _write_rows(out, measured)
    return pd.read_json(out, lines=True)


def validation_rows(model: Model, data: Path, cache: Path, out: Path) -> pd.DataFrame:
    """The rows of a model on validation tiles, measured unless the file is there."""
    if not out.exists():
        pack = PackedTiles(data, "val", cache)
        places = sorted({tile.dataset for tile in pack.tiles})
        _write_rows(out, [row for place in places for row in measure(model, [pack], place)])
    return pd.read_json(out, lines=True)


def calibrate(left_out: pd.DataFrame, at_home: pd.DataFrame, measured_with: str) -> Calibration:
    """What goes onto a card: all that follows from the rows of places that were left out, and of validation tiles."""
    return replace(
        fit(left_out),
        promised=fit_promised(left_out),
        tried=tried(check_promised(left_out)),
        reliability={"unknown": curves(left_out), "known": curves(at_home)},
        measured_with=measured_with,
    )


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


@click.command(help=__doc__.splitlines()[0])
@click.option(
    "--data",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder with index.csv; the model was trained on all of them, places are left out of the first.",
)
@click.option("--setting", required=True, help="Setting of training.leave_out whose models are run.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of its runs.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="JSON Lines file of the tiles' rows.")
@click.option("--model", help="Name of a model, or path of its .safetensors file, whose card gets the result.")
@click.option(
    "--distances", type=click.Path(path_type=Path, exists=True), help="What training.familiarity wrote; with --model."
)
def main(data: Sequence[Path], setting: str, runs: Path, out: Path, model: str | None, distances: Path | None) -> None:
    """Measure what no file has yet, print how the fit does elsewhere, and write it to a card."""
    rows = left_out_rows(data[0], setting, runs, out)
    print(reliability(rows).round(3).to_string(index=False))
    print(check(rows).round(3).to_string(index=False))
    print(check_promised(rows).round(3).to_string(index=False))
    if model is None:
        return
    if distances is None:
        raise click.UsageError("--model needs --distances, the file that training.familiarity writes.")
    weights = weights_of(model)
    loaded = load_model(weights)
    at_home = validation_rows(loaded, data[0], runs / "cache", out.with_stem(f"{out.stem}-{loaded.card.name}"))
    measured_with = read_card(fold_weights(setting, FOLDS[0], runs).with_suffix(".json")).architecture
    calibration = calibrate(rows, at_home, measured_with)
    for curve in calibration.reliability["known"]:
        print(f"{loaded.card.name} at {curve.cm_per_px:g} cm/px: error {curve.error:.3f} on validation tiles")
    packs = [PackedTiles(folder, "train", runs / "cache") for folder in data]
    limit = familiarity.limit_of(pd.read_csv(distances))
    known = familiarity.fit(familiarity.training_means(loaded, packs), limit)
    write_card(weights, calibration=calibration, familiarity=known)
    print(f"{weights.with_suffix('.json')} has its calibration.")


if __name__ == "__main__":
    main()
