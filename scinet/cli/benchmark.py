"""``scinet benchmark``: a model's scores on test tiles, as a file that the page Benchmark opens."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import pandas as pd

from scinet.atomic_write import write_bytes
from scinet.batch.jobs import worker_model
from scinet.batch.tile_scores import TileJob, score_tiles
from scinet.cli.bar import Bar
from scinet.cli.many import SOME_FAILED, engine_options, model_anywhere, of_job
from scinet.cli.options import PATH, examples, model_option
from scinet.engines.protocol import Engine, EngineName, Resources, open_engine
from scinet.errors import BenchmarkError
from scinet.evaluation.benchmark import BENCHMARK_STRATEGIES
from scinet.evaluation.benchmark_rows import read_rows, rows_to_parquet, scored_images
from scinet.evaluation.diagnose import Tally
from scinet.evaluation.scores import iou
from scinet.evaluation.tile_scoring import tiles_to_score
from scinet.output_lock import output_lock

SAVED_EVERY_S = 60
HELP = """Score a model on the test tiles of a folder, at the benchmark's resolutions.

The folder holds an index.csv (docs/training.md); its tiles of the split with a mask are scored, each at its native
resolution and at 5.18 to 60 cm/px. FILE gets one row per tile, resolution, strategy and grid, as the benchmark
has them: the page Benchmark opens it and shows the model next to the others. What is done so far is in FILE.part, and
--resume goes on from there. With --job 2/8, the rows of every eighth tile are written to FILE-2-of-8; a run with
--resume and without --job takes the rows of all jobs and scores what is missing. The exit status is 3 where some tiles
failed.
"""


def _engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(engine_options("tiles")):
        function = option(function)
    return function


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
@click.option("--resume", is_flag=True, help="Go on from FILE.part and from the files of jobs, if they are there.")
@_engine_options
def benchmark(
    model: str,
    device: str | None,
    folder: Path,
    out: Path,
    split: str,
    strategies: tuple[str, ...],
    resume: bool,
    engine: EngineName,
    workers: int,
    gpus_per_worker: int,
    job: tuple[int, int] | None,
) -> int:
    """Score a model on test tiles; returns the exit status."""
    tiles = tiles_to_score(folder.absolute(), split)  # workers have another working folder than this process
    of_jobs = sorted(out.parent.glob(f"{out.stem}-*-of-*{out.suffix}")) if job is None else []
    if job is not None:
        tiles = tiles[job[0] - 1 :: job[1]]
        out = of_job(out, job)
    name, part = model_anywhere(model), out.with_name(f"{out.name}.part")
    with output_lock(out), open_engine(engine, Resources(workers, gpus_per_worker)) as opened:
        card = worker_model(name, device).card
        known = [read_rows(path.read_bytes(), path.name) for path in (part, *of_jobs) if resume and path.is_file()]
        known = [rows[rows["weights"] == card.sha256] for rows in known]
        done = set[str]().union(*(scored_images(rows, card.sha256, strategies) for rows in known))
        jobs = [TileJob(name, device, folder.absolute(), strategies, tile) for tile in tiles]
        jobs = [each for each in jobs if each.tile.image.relative_to(each.folder).as_posix() not in done]
        tables = [rows[rows["image"].isin(done)] for rows in known]
        failed = _score(opened, card.title, jobs, tables, part)
        if failed:
            if tables:
                write_bytes(part, rows_to_parquet(pd.concat(tables)))
            print(
                f"scinet: {failed} of {len(tiles)} tiles could not be scored. The same command with --resume tries "
                "them again, and goes on from what is done.",
                file=sys.stderr,
            )
            return SOME_FAILED
        if not tables:
            raise BenchmarkError(f"{folder.name or folder} has no tiles to score.")
        rows = pd.concat(tables).drop_duplicates(["image", "cm_per_px", "strategy", "grid"])
        rows = rows.sort_values("image", kind="stable", ignore_index=True)  # whichever worker was faster
        write_bytes(out, rows_to_parquet(rows))
        part.unlink(missing_ok=True)
    at_native = rows[rows["is_native"] & (rows["grid"] == "working") & (rows["strategy"] == strategies[0])]
    for dataset, of_dataset in at_native.groupby("dataset"):
        sums = Tally(*(int(of_dataset[name].sum()) for name in ("true", "predicted", "shared")))
        score = f"micro-IoU {iou(sums.counts):.4f} at native resolution"
        click.echo(f"{dataset or folder.name}: {score}, {len(of_dataset)} tiles, {strategies[0]}")
    return 0


def _score(engine: Engine, title: str, jobs: Sequence[TileJob], tables: list[pd.DataFrame], part: Path) -> int:
    """Add the rows of tiles to tables, which are saved now and then, and when the run is stopped; counts failures."""
    saved_s, failed = time.monotonic(), 0

    def tell(job: TileJob, error: str) -> None:
        nonlocal failed
        failed += 1
        print(f"scinet: {job.tile.name}: {error}", file=sys.stderr)

    with Bar(title) as bar:
        try:
            for number, rows in enumerate(score_tiles(engine, jobs, tell), 1):
                bar.show(number / len(jobs))
                if rows:
                    tables.append(pd.DataFrame(rows))
                if tables and time.monotonic() - saved_s > SAVED_EVERY_S:
                    write_bytes(part, rows_to_parquet(pd.concat(tables)))
                    saved_s = time.monotonic()
        except BaseException:
            if tables:
                write_bytes(part, rows_to_parquet(pd.concat(tables)))
            raise
        bar.show(1.0)
    return failed
