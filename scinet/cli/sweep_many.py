"""The run of ``scinet sweep`` over many tiles, and its table."""

import csv
import glob
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from scinet.atomic_write import write_bytes
from scinet.batch.jobs import worker_model
from scinet.batch.manifest import Report
from scinet.batch.run import shared_stretch
from scinet.batch.scenes import every_nth, find_scenes
from scinet.batch.sweeps import SweepSettings, sweep_tiles
from scinet.cli.bar import Bar, print_notes
from scinet.cli.many import (
    engine_options,
    exit_status,
    model_anywhere,
    of_job,
    on_error_option,
    stretch_note,
    tell,
)
from scinet.cli.options import PATH
from scinet.engines.protocol import EngineName, Resources, open_engine
from scinet.errors import SciNetError, WriteError
from scinet.output_lock import output_lock

SUFFIXES, MANIFEST_SUFFIX = (".csv", ".parquet"), ".manifest.jsonl"
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class ManyTiles:
    """How many tiles are swept.

    Attributes:
        out: The table.
        engine: What runs the jobs.
        resources: The engine's.
        job: The number of this job and of how many, where array jobs share the tiles.
        resume: Whether what is done is left alone.
        stop_at_error: Whether the first failure ends the run.
    """

    out: Path
    engine: EngineName = "local"
    resources: Resources = field(default_factory=Resources)
    job: tuple[int, int] | None = None
    resume: bool = False
    stop_at_error: bool = False


def many_tiles_options(function: Function) -> Function:
    """``--out``, ``--engine``, ``--workers``, ... as `many`; None without ``--out``."""

    @wraps(function)
    def with_many(
        *args: Any,
        out: Path | None,
        engine: EngineName,
        workers: int,
        gpus_per_worker: int,
        job: tuple[int, int] | None,
        resume: bool,
        on_error: str,
        **options: Any,
    ) -> Any:
        if out is None and (engine, workers, gpus_per_worker, job, resume) != ("local", 1, 0, None, False):
            raise SciNetError("--engine, --workers, --gpus-per-worker, --job and --resume are for --out FILE.")
        many = out and ManyTiles(out, engine, Resources(workers, gpus_per_worker), job, resume, on_error == "stop")
        return function(*args, many=many, **options)

    with_options: Any = with_many
    for option in reversed(
        [
            click.option(
                "--out", type=PATH, metavar="FILE", help="Sweep many tiles into this table: .csv or .parquet."
            ),
            *engine_options("tiles of --out"),
            click.option("--resume", is_flag=True, help="Leave out what the manifests beside --out say is done."),
            on_error_option("tile of --out"),
        ]
    ):
        with_options = option(with_options)
    return cast(Function, with_options)


def sweep_many(
    arguments: Sequence[str],
    models: Sequence[str],
    limits_cm_per_px: tuple[float | None, float],
    settings: SweepSettings,
    many: ManyTiles,
) -> int:
    """Sweep the tiles that arguments name; returns the exit status. Raises SciNetError."""
    if many.out.suffix.lower() not in SUFFIXES:
        raise WriteError(f"{many.out} has to end with .csv or .parquet.")
    if not many.out.parent.is_dir():
        raise WriteError(f"{many.out} cannot be written: its folder does not exist.")
    sources = find_scenes(arguments)
    stretch = shared_stretch(sources, settings.native_cm_per_px, settings.image_choice)
    print_notes(stretch_note(stretch))
    out = of_job(many.out, many.job)
    manifest = out.with_suffix(MANIFEST_SUFFIX)
    known = [manifest, *sorted(out.parent.glob(f"{glob.escape(many.out.stem)}-*-of-*{MANIFEST_SUFFIX}"))]
    with output_lock(out), Bar("tiles") as bar, open_engine(many.engine, many.resources) as engine:
        rows = sweep_tiles(
            every_nth(sources, *many.job) if many.job else sources,
            _checked(models, settings.device),
            limits_cm_per_px,
            replace(settings, common_stretch=stretch),
            manifest,
            engine,
            Report(tell, bar.show),
            known=[path for path in known if many.resume and path.is_file()],
            stop_at_error=many.stop_at_error,
        )
        found = [dict(row.figures) for row in rows if row.figures]
        if found:
            write_table(out, found)
            click.echo(f"{out}: {len(found)} rows")
    return exit_status(rows, "jobs", manifest)


def _checked(models: Sequence[str], device: str | None) -> list[str]:
    """The models, each once, by names that workers understand. Raises SciNetError where one cannot be opened."""
    names = [model_anywhere(model) for model in dict.fromkeys(models)]
    titles = Counter(worker_model(name, device).card.title for name in names)
    twin, times = titles.most_common(1)[0]
    if times > 1:
        raise SciNetError(
            f"{times} models are called {twin}, so that rows would not tell them apart. Rename all but one."
        )
    return names


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV or as Parquet, by the suffix. Raises WriteError."""
    if path.suffix.lower() == ".parquet":
        write_bytes(path, _parquet(rows))
        return
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def _parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise SciNetError(
            'A table in Parquet needs another package: pip install "scinet-explorer[full]", or give --out FILE.csv.'
        ) from None
    columns = dict.fromkeys(name for row in rows for name in row)
    table = pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows])
    numbers = [each.with_type(pa.float64()) if pa.types.is_null(each.type) else each for each in table.schema]
    buffer = io.BytesIO()
    pq.write_table(table.cast(pa.schema(numbers)), buffer, compression="zstd")
    return buffer.getvalue()
