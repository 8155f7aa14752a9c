"""How far a model's probabilities can be trusted where nobody trained: ``python -m training.calibration``.

Runs models of ``training.leave_out`` on tiles of the places that were left out of their training, and keeps of each
tile and resolution what its probabilities and its reference have in common. From these follow a temperature per
resolution and an estimate of IoU and object F1 without a reference, whose interval is measured on places that are not
in its fit. Test tiles are never touched.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rasterio.transform import Affine
from tqdm import tqdm

from scinet.atomic_write import write_text
from scinet.evaluation.evaluate import evaluate
from scinet.evaluation.object_scores import MATCH_IOU
from scinet.evaluation.scores import Counts, f1, iou
from scinet.models.checkpoint import load_model
from scinet.models.confidence import (
    SCORES,
    Calibration,
    Line,
    calibration_error,
    expected_iou,
    fit_line,
    fit_temperature,
    logit,
    logit_histogram,
)
from scinet.models.model import Model
from scinet.raster.raster import Raster
from scinet.segmentation.segment import segment
from training.leave_out import FOLDS, STEPS_CM_PER_PX, evenly, fold_name
from training.packed_tiles import PackedTile, PackedTiles

COVERAGE = 0.9
MOST_TILES = 40  # of a place
TILES_TOGETHER, REPEATS = 4, 3  # make an image; a tile alone has too few buildings for a steady score
LEAST_SHARE = 0.01  # of an image that is building
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


def images(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Rows as of larger images: `TILES_TOGETHER` random tiles of one place and resolution, each a few times.

    Images without a share of `LEAST_SHARE` of building are left out: they have no score to estimate.

    Returns:
        One row per image: place, cm_per_px, all (the histogram) and SCORES.
    """
    random = np.random.default_rng(seed)
    found = []
    for step, at_step in by_step(rows):
        for place, there in at_step.groupby("place"):
            columns = [_matrix(there, name) for name in ("all", "buildings", "pixel_counts", "object_counts")]
            order = np.concatenate([random.permutation(len(there)) for _ in range(REPEATS)])
            for chosen in np.split(order, range(TILES_TOGETHER, len(order), TILES_TOGETHER)):
                whole, buildings, pixels, objects = (column[chosen].sum(axis=0) for column in columns)
                if buildings.sum() >= LEAST_SHARE * whole.sum():
                    scores = {"iou": iou(Counts(*pixels)), "object_f1": f1(Counts(*objects))}
                    found.append({"place": place, "cm_per_px": step, "all": whole.tolist(), **scores})
    return pd.DataFrame(found)


def fit(rows: pd.DataFrame, coverage: float = COVERAGE) -> Calibration:
    """Temperatures, lines and their intervals from rows of tiles of several places.

    The line is fitted to all; how far it is off is measured in each place on a line that was fitted without that
    place, and the widest of these intervals is taken: the next place may be as strange as the strangest of these.
    """
    temperatures = tuple((step, fit_temperature(*_pooled(found))) for step, found in by_step(rows))
    calibration = Calibration(temperatures, {}, coverage)
    together = images(rows)
    expected = _expected(together, calibration)
    lines = {}
    for name in SCORES:
        true = together[name].to_numpy()
        line = fit_line(expected, true)
        tail = (1 - coverage) / 2
        ends = []
        for place in together["place"].unique():
            there = (together["place"] == place).to_numpy()
            off = logit(true[there]) - fit_line(expected[~there], true[~there]).at(expected[there])
            ends.append(np.quantile(off, [tail, 1 - tail]))
        low, high = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
        lines[name] = Line(line.slope, line.intercept, float(low), float(high))
    return Calibration(temperatures, lines, coverage)


def check(rows: pd.DataFrame, coverage: float = COVERAGE) -> pd.DataFrame:
    """How estimates do in each place when nothing of it is in the fit.

    Returns:
        One row per place and score: images, the mean distance of the estimate from the truth, the share of images whose
        score lies in the interval, and the interval's mean width.
    """
    found = []
    for place in rows["place"].unique():
        calibration = fit(rows[rows["place"] != place], coverage)
        there = images(rows[rows["place"] == place])
        estimates = [calibration.estimate(np.array(row.all), row.cm_per_px) for row in there.itertuples()]
        for name in SCORES:
            value, low, high = np.array([estimate[name][:3] for estimate in estimates]).T
            true = there[name].to_numpy()
            found.append(
                {
                    "place": place,
                    "score": name,
                    "images": len(there),
                    "mean_error": np.abs(value - true).mean(),
                    "covered": np.mean((low <= true) & (true <= high)),
                    "width": (high - low).mean(),
                }
            )
    return pd.DataFrame(found)


def reliability(rows: pd.DataFrame) -> pd.DataFrame:
    """The calibration error by resolution, as the model is and with a temperature from the other places."""
    found = []
    for step, at_step in by_step(rows):
        errors = []
        for place in at_step["place"].unique():
            there = _pooled(at_step[at_step["place"] == place])
            elsewhere = fit_temperature(*_pooled(at_step[at_step["place"] != place]))
            errors.append((calibration_error(*there), calibration_error(*there, elsewhere)))
        before, after = np.mean(errors, axis=0)
        found.append(
            {
                "cm_per_px": step,
                "temperature": fit_temperature(*_pooled(at_step)),
                "error": before,
                "error_with_temperature": after,
            }
        )
    return pd.DataFrame(found)


def by_step(rows: pd.DataFrame) -> list[tuple[float, pd.DataFrame]]:
    """Rows by the nearest of the steps, finer ones (native) under the finest one's half."""
    steps = np.array([STEPS_CM_PER_PX[0] / 2, *STEPS_CM_PER_PX], float)
    nearest = np.abs(np.log(rows["cm_per_px"].to_numpy()[:, np.newaxis] / steps)).argmin(axis=1)
    return [(float(steps[i]), rows[nearest == i]) for i in np.unique(nearest)]


def _expected(rows: pd.DataFrame, calibration: Calibration) -> NDArray[np.float64]:
    return np.array(
        [expected_iou(np.array(row.all), calibration.temperature_at(row.cm_per_px)) for row in rows.itertuples()]
    )


def _pooled(rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Histograms of all pixels and of buildings, with the same weight for each place."""
    both = np.zeros((2, len(rows["all"].iloc[0])))
    for _, found in rows.groupby("place"):
        sums = np.stack([_matrix(found, "all").sum(axis=0), _matrix(found, "buildings").sum(axis=0)])
        both += sums * (1e9 / sums[0].sum())
    whole, buildings = both.round().astype(np.int64)
    return whole, buildings


def _matrix(rows: pd.DataFrame, name: str) -> NDArray[np.int64]:
    return np.array(rows[name].to_list(), np.int64)


@click.command(help=__doc__.splitlines()[0])
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with index.csv.")
@click.option("--setting", required=True, help="Setting of training.leave_out whose models are run.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Folder of its runs.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="JSON Lines file of the tiles' rows.")
def main(data: Path, setting: str, runs: Path, out: Path) -> None:
    """Measure, unless the file is there, and print the fit for cards and how it does."""
    if not out.exists():
        packs = [PackedTiles(data, split, runs / "cache") for split in ("train", "val")]
        measured: list[dict[str, Any]] = []
        for fold in FOLDS:
            name = fold_name(setting, fold)
            model = load_model(str(runs / name / f"{name}.safetensors"))
            for place in fold:
                measured += measure(model, packs, place)
        write_text(out, "".join(json.dumps(row) + "\n" for row in measured))
    rows = pd.read_json(out, lines=True)
    print(reliability(rows).round(3).to_string(index=False))
    print(check(rows).round(3).to_string(index=False))
    print(json.dumps(asdict(fit(rows))))


if __name__ == "__main__":
    main()
