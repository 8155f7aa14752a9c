"""Score checkpoints on the test tiles: ``python -m training.benchmark --data DIR --model sci-net --model unet``.

Every test tile is segmented at its native GSD and at ``STEPS_CM_PER_PX``, by each strategy, and scored on two grids:
working (truth brought to the model's grid: what the model can be blamed for) and native (prediction brought back:
what a user loses by flying higher). HOT's Banepa test is one more tile where the data folder has it. Sums per tile go
to ``benchmark.parquet``, scores to ``benchmark.json``; rows of models and strategies that are not evaluated now stay as
they are. Without ``--model``, ``benchmark.json`` is made again from ``benchmark.parquet``; with ``--data``, the traits
of the tiles are measured again too.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from scinet.datasets.tiles import Tile
from scinet.evaluation import yardstick
from scinet.evaluation.benchmark import BENCHMARK_STRATEGIES
from scinet.evaluation.tile_scoring import measure_traits, score_tile
from scinet.evaluation.tile_traits import TRAITS
from scinet.models.card import Card, checkpoints_folder
from scinet.models.checkpoint import load_model
from scinet.models.device import parse_device
from scinet.models.model import Model
from training.benchmark_file import (
    merged,
    native_summary,
    read_tiles,
    write_benchmark,
    write_scores,
    write_tiles,
)
from training.command import run_command
from training.errors import DataError
from training.packed_tiles import labelled_tiles

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
        table = read_tiles(out)
        if options.data is not None:
            table = with_traits(table, options.data, tiles_of(options.data, options.split))
            write_tiles(out / "benchmark.parquet", table)
        write_benchmark(table, out)
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


def with_traits(table: pd.DataFrame, data: Path, tiles: Sequence[Tile]) -> pd.DataFrame:
    """The rows with the traits of their tiles, for rows that were made before traits were measured."""
    images = {tile.image.relative_to(data).as_posix(): tile for tile in tiles}
    measured = {
        image: measure_traits(tile) for image, tile in tqdm(images.items(), "traits") if image in set(table["image"])
    }
    return table.assign(
        **{name: table["image"].map({image: found[name] for image, found in measured.items()}) for name in TRAITS}
    )


def evaluate(
    model: Model, data: Path, tiles: Sequence[Tile], strategies: Sequence[str] = ("direct",)
) -> Iterator[dict[str, Any]]:
    """One row per tile, working GSD, strategy and grid: names, GSDs in cm/px and the sums that scores are made of."""
    score = partial(score_tile, model, data, strategies)
    with ThreadPoolExecutor(TILES_AT_A_TIME) as pool:
        for rows in tqdm(pool.map(score, tiles), model.card.name, len(tiles), unit="tile", file=sys.stderr):
            yield from rows


if __name__ == "__main__":
    run_command(main)
