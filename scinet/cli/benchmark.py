"""``scinet benchmark``: a model's scores on test tiles, as a file that the page Benchmark opens."""

import time
from collections.abc import Sequence
from pathlib import Path

import click
import pandas as pd

from scinet.atomic_write import write_bytes
from scinet.cli.bar import Bar
from scinet.cli.models import load_models
from scinet.cli.options import PATH, examples, model_option
from scinet.datasets.tiles import Tile
from scinet.errors import BenchmarkError
from scinet.evaluation.benchmark import BENCHMARK_STRATEGIES
from scinet.evaluation.benchmark_rows import read_rows, rows_to_parquet, scored_images
from scinet.evaluation.diagnose import Tally
from scinet.evaluation.scores import iou
from scinet.evaluation.tile_scoring import score_tile, tiles_to_score
from scinet.models.model import Model
from scinet.output_lock import output_lock

SAVED_EVERY_S = 60
HELP = """Score a model on the test tiles of a folder, at the benchmark's resolutions.

The folder holds an index.csv (docs/training.md); its tiles of the split with a mask are scored, each at its native
resolution and at 5.18 to 60 cm/px. FILE gets one row per tile, resolution, strategy and grid, as the benchmark
has them: the page Benchmark opens it and shows the model next to the others. What is done so far is in FILE.part, and
--resume goes on from there.
"""


@click.command(
    help=HELP,
    epilog=examples(
        "scinet benchmark --model mine.safetensors --data tiles --out mine.parquet",
        "scinet benchmark --model mine.onnx --data tiles --out mine.parquet --strategy direct --resume",
    ),
)
@model_option()
@click.option("--data", "folder", type=PATH, required=True, metavar="DIR", help="A folder with an index.csv.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="The Parquet file to write.")
@click.option("--split", default="test", show_default=True, metavar="NAME", help="Which tiles of the index.")
@click.option(
    "--strategy",
    "strategies",
    type=click.Choice(list(BENCHMARK_STRATEGIES)),
    multiple=True,
    default=("direct", "best-scale"),
    show_default=True,
    help="What the model sees of a tile. May be given several times.",
)
@click.option("--resume", is_flag=True, help="Go on from FILE.part, if it is there.")
def benchmark(
    model: str, device: str | None, folder: Path, out: Path, split: str, strategies: tuple[str, ...], resume: bool
) -> None:
    """Score a model on test tiles."""
    tiles = tiles_to_score(folder, split)
    with output_lock(out):
        (loaded,) = load_models([model], device)
        part = out.with_name(f"{out.name}.part")
        known = read_rows(part.read_bytes(), part.name) if resume and part.is_file() else None
        rows = _score(loaded, folder, tiles, strategies, known, part)
        write_bytes(out, rows_to_parquet(rows))
        part.unlink(missing_ok=True)
    at_native = rows[rows["is_native"] & (rows["grid"] == "working") & (rows["strategy"] == strategies[0])]
    for dataset, of_dataset in at_native.groupby("dataset"):
        sums = Tally(*(int(of_dataset[name].sum()) for name in ("true", "predicted", "shared")))
        score = f"micro-IoU {iou(sums.counts):.4f} at native resolution"
        click.echo(f"{dataset or folder.name}: {score}, {len(of_dataset)} tiles, {strategies[0]}")


def _score(
    model: Model, folder: Path, tiles: Sequence[Tile], strategies: Sequence[str], known: pd.DataFrame | None, part: Path
) -> pd.DataFrame:
    """The rows of all tiles; those that are known are not made again. Saves them as it goes, and when it is stopped."""
    done = set() if known is None else scored_images(known, model.card.sha256, strategies)
    tables = [] if known is None else [known[known["image"].isin(done) & (known["weights"] == model.card.sha256)]]
    saved_s = time.monotonic()
    with Bar(model.card.title) as bar:
        try:
            for number, tile in enumerate(tiles):
                bar.show(number / len(tiles))
                if tile.image.relative_to(folder).as_posix() not in done:
                    tables.append(pd.DataFrame(score_tile(model, folder, strategies, tile)))
                if time.monotonic() - saved_s > SAVED_EVERY_S:
                    write_bytes(part, rows_to_parquet(pd.concat(tables)))
                    saved_s = time.monotonic()
        except BaseException:
            if tables:
                write_bytes(part, rows_to_parquet(pd.concat(tables)))
            raise
        bar.show(1.0)
    if not tables:
        raise BenchmarkError(f"{folder.name or folder} has no tiles to score.")
    return pd.concat(tables, ignore_index=True)
