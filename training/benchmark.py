"""Score checkpoints on the test tiles: ``python -m training.benchmark --data DIR --model sci-net --model unet``.

Every test tile is segmented at its native GSD and at ``STEPS_CM_PER_PX``, by each strategy, and scored on two grids:
working (truth brought to the model's grid: what the model can be blamed for) and native (prediction brought back:
what a user loses by flying higher). HOT's Banepa test is one more tile where the data folder has it. Sums per tile go
to ``benchmark.parquet``, scores to ``benchmark.json``; rows of models and strategies that are not evaluated now stay as
they are. Without ``--model``, ``benchmark.json`` is made again from ``benchmark.parquet``.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from scinet.datasets.tiles import Tile
from scinet.evaluation import yardstick
from scinet.evaluation.benchmark import BENCHMARK_STRATEGIES
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.tile_sums import object_sums
from scinet.evaluation.truth import read_truth, truth_labels
from scinet.models.card import Card, checkpoints_folder
from scinet.models.checkpoint import Model, load_model
from scinet.models.device import parse_device
from scinet.raster.raster import Raster
from scinet.raster.resample import resample
from scinet.raster.scene import read_raster
from scinet.segmentation.segment import segment
from training.benchmark_file import (
    STEPS_CM_PER_PX,
    THRESHOLD,
    merged,
    native_summary,
    read_tiles,
    write_benchmark,
    write_scores,
)
from training.command import run_command
from training.errors import DataError
from training.packed_tiles import labelled_tiles

FINEST_AGAINST_NATIVE = 0.5  # finer steps than half the native GSD show a model nothing but interpolation
TILES_AT_A_TIME = 2  # so that windows of one run while another is scored; small tiles have a single window each


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmark", description="Score models on test tiles.")
    parser.add_argument("--data", type=Path, help="a folder with index.csv and a test split")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        help="a checkpoint; may be given again; none: benchmark.json is made again",
    )
    parser.add_argument(
        "--strategy",
        action="append",
        choices=list(BENCHMARK_STRATEGIES),
        help="what the models see of a tile; may be given again (default: direct and best-scale)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="leave out models whose weights have been scored on all tiles"
    )
    parser.add_argument("--out", type=Path, help="where benchmark.json goes (default: the checkpoints' folder)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--device", type=parse_device)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score models on test tiles, or write benchmark.json again from the tiles' sums."""
    options = parse_arguments(arguments)
    out = options.out or checkpoints_folder()
    if not options.model:
        write_benchmark(read_tiles(out), out)
        return
    if options.data is None:
        raise DataError("Scoring a model needs a folder of tiles: --data DIR.")
    tiles = tiles_of(options.data, options.split)
    strategies = tuple(dict.fromkeys(options.strategy or ("direct", "best-scale")))
    out.mkdir(parents=True, exist_ok=True)
    for name in options.model:
        model = load_model(name, options.device)
        if options.resume and is_scored(out, model.card, options.data, tiles, strategies):
            print(f"{name} has been scored.")
            continue
        rows = pd.DataFrame(evaluate(model, options.data, tiles, strategies))
        write_benchmark(merged(out / "benchmark.parquet", rows), out)
        write_scores(rows, model.card, out)
        for row in native_summary(rows):
            print(
                f"{name} {row['dataset']}, {row['strategy']}: micro-IoU {row['micro']['iou']:.4f} at native GSD, "
                f"{row['tiles']} tiles"
            )


def tiles_of(data: Path, split: str) -> list[Tile]:
    """The tiles of a split; of the test split also HOT's Banepa test, which comes first as it takes longest."""
    scene = yardstick.yardstick_tile(data) if split == "test" else None
    return [*([scene] if scene else []), *labelled_tiles(data, split)]


def is_scored(out: Path, card: Card, data: Path, tiles: Sequence[Tile], strategies: Sequence[str]) -> bool:
    """Whether the benchmark has a model's rows of all tiles and strategies, by the same weights and scales."""
    if not card.sha256 or not (out / "benchmark.parquet").is_file():
        return False
    table = read_tiles(out)
    table = table[(table["model"] == card.name) & (table["weights"] == card.sha256)]
    for name in strategies:
        rows = table[table["strategy"] == name]
        scales = {gsd: BENCHMARK_STRATEGIES[name].scales(card, gsd)[0] for gsd in rows["cm_per_px"].unique()}
        images = {tile.image.relative_to(data).as_posix() for tile in tiles}
        if not images <= set(rows["image"]) or (rows["cm_per_px"].map(scales) != rows["scale"]).any():
            return False
    return True


def evaluate(
    model: Model, data: Path, tiles: Sequence[Tile], strategies: Sequence[str] = ("direct",)
) -> Iterator[dict[str, Any]]:
    """One row per tile, working GSD, strategy and grid: names, GSDs in cm/px and the sums that scores are made of."""
    score = partial(score_tile, model, data, strategies)
    with ThreadPoolExecutor(TILES_AT_A_TIME) as pool:
        for rows in tqdm(pool.map(score, tiles), model.card.name, len(tiles), unit="tile", file=sys.stderr):
            yield from rows


def score_tile(model: Model, data: Path, strategies: Sequence[str], tile: Tile) -> list[dict[str, Any]]:
    """The rows of a tile."""
    assert tile.truth is not None
    raster = read_raster(tile.image, cm_per_px=tile.cm_per_px)
    truth = read_truth(tile.truth, raster, tile.truth.name)
    labels: dict[tuple[int, int], NDArray[np.int32]] = {}

    def labels_on(grid: Raster) -> NDArray[np.int32]:
        if grid.shape not in labels:
            labels[grid.shape] = truth_labels(truth, grid)
        return labels[grid.shape]

    rows = []
    for cm_per_px in working_steps(raster.cm_per_px):
        working = resample(raster, cm_per_px)
        by_scale: dict[float, list[dict[str, Any]]] = {}
        for name in strategies:
            strategy = BENCHMARK_STRATEGIES[name]
            (scale,) = strategy.scales(model.card, working.cm_per_px)
            if scale not in by_scale:
                probability = segment(working, model, strategy=strategy).probability
                evaluations = evaluate_on_grids(
                    probability,
                    working,
                    raster,
                    labels_on,
                    threshold=THRESHOLD,
                    min_area_m2=yardstick.MIN_AREA_M2 if tile.dataset == yardstick.DATASET else 0.0,
                )
                by_scale[scale] = []
                for grid, evaluation in evaluations.items():
                    assert evaluation.diagnosis is not None and evaluation.objects is not None
                    sums = asdict(evaluation.diagnosis.tally) | object_sums(evaluation.objects.tally)
                    by_scale[scale].append({"grid": grid, **sums})
            rows += [
                {
                    "model": model.card.name,
                    "weights": model.card.sha256,
                    "strategy": name,
                    "scale": scale,
                    "dataset": tile.dataset,
                    "city": tile.city,
                    "image": tile.image.relative_to(data).as_posix(),
                    "native_cm_per_px": tile.cm_per_px or raster.cm_per_px,
                    "cm_per_px": cm_per_px,
                    "is_native": cm_per_px == raster.cm_per_px,
                    "pixels": raster.width * raster.height,
                    **sums,
                }
                for sums in by_scale[scale]
            ]
    return rows


def working_steps(native_cm_per_px: float) -> list[float]:
    """The native GSD itself and the steps from half of it on; a step within 1 % of native is native."""
    others = [
        step
        for step in STEPS_CM_PER_PX
        if step >= FINEST_AGAINST_NATIVE * native_cm_per_px and abs(step / native_cm_per_px - 1) > 0.01
    ]
    return sorted([native_cm_per_px, *others])


if __name__ == "__main__":
    run_command(main)
