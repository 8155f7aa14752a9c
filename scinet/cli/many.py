"""Options for many scenes or tiles at a time, and the run of ``scinet segment`` that they describe."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from scinet.batch.jobs import Settings
from scinet.batch.manifest import Report, Row
from scinet.batch.run import Folder, segment_scenes, shared_stretch
from scinet.batch.scenes import SceneSource, every_nth, find_scenes
from scinet.cli.bar import Bar, print_notes
from scinet.cli.options import PATH
from scinet.engines.protocol import ENGINES, EngineName, Resources, open_engine
from scinet.errors import SciNetError, WriteError
from scinet.models.custom import SUFFIXES
from scinet.upload import upload

SOME_FAILED = 3  # the exit status where some images, tiles or jobs failed
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Many:
    """How many scenes are run.

    Attributes:
        to: The folder of the results.
        engine: What runs the scenes.
        resources: The engine's.
        job: The number of this job and of how many, where array jobs share the scenes.
        stop_at_error: Whether the first failure ends the run.
        bands_per_scene: Into how many parts each scene is cut.
    """

    to: Path
    engine: EngineName = "local"
    resources: Resources = field(default_factory=Resources)
    job: tuple[int, int] | None = None
    stop_at_error: bool = False
    bands_per_scene: int = 1

    @property
    def manifest(self) -> str:
        """The manifest's name: array jobs have one each."""
        return of_job(Path("manifest.jsonl"), self.job).name


class JobType(click.ParamType[tuple[int, int]]):
    """7/64: the seventh of 64 jobs."""

    name = "n/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse it. Fails with a sentence where it is not a number and a count."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value))
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value} is not a job such as 7/64, the seventh of 64.", param, ctx)
        return int(found[1]), int(found[2])


def many_options(function: Function) -> Function:
    """``--to``, ``--engine``, ``--workers``, ... as `many`; None without ``--to``."""

    @wraps(function)
    def with_many(
        *args: Any,
        to: Path | None,
        engine: EngineName,
        workers: int,
        gpus_per_worker: int,
        job: tuple[int, int] | None,
        on_error: str,
        bands_per_scene: int,
        **options: Any,
    ) -> Any:
        many = to and Many(to, engine, Resources(workers, gpus_per_worker), job, on_error == "stop", bands_per_scene)
        if not many and ((engine, workers, gpus_per_worker, job, bands_per_scene) != ("local", 1, 0, None, 1)):
            raise SciNetError("--engine, --workers, --gpus-per-worker, --job and --bands-per-scene are for --to DIR.")
        return function(*args, many=many, **options)

    options = [
        click.option("--to", type=PATH, metavar="DIR", help="Segment many scenes into this folder."),
        *engine_options("scenes of --to"),
        click.option(
            "--bands-per-scene",
            type=click.IntRange(1, 1000),
            default=1,
            show_default=True,
            metavar="N",
            help="Cut each scene of --to into N bands, for several workers at a time.",
        ),
        on_error_option("scene of --to"),
    ]
    with_options: Any = with_many
    for option in reversed(options):
        with_options = option(with_options)
    return cast(Function, with_options)


def engine_options(things: str) -> list[Callable[[Any], Any]]:
    """``--engine``, ``--workers``, ``--gpus-per-worker`` and ``--job``.

    Args:
        things: What is run, in words: "tiles".
    """
    return [
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default="local",
            show_default=True,
            help=f"What runs the {things}: this machine, or a cluster by Dask or Ray.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            metavar="N",
            help=f"{things.split()[0].capitalize()} at a time.",
        ),
        click.option(
            "--gpus-per-worker", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="GPUs of each."
        ),
        click.option(
            "--job", type=JobType(), metavar="I/N", help="Take every Nth of them from the Ith on: array jobs."
        ),
    ]


def on_error_option(thing: str) -> Callable[[Any], Any]:
    """``--on-error``, for a thing of many, in words: "scene"."""
    return click.option(
        "--on-error",
        type=click.Choice(["skip", "stop"]),
        default="skip",
        show_default=True,
        help=f"Whether a {thing} that fails stops the others.",
    )


def of_job(path: Path, job: tuple[int, int] | None) -> Path:
    """A file of an array job.

    Example:
        >>> of_job(Path("rows.parquet"), (7, 64)).name, of_job(Path("rows.parquet"), None).name
        ('rows-7-of-64.parquet', 'rows.parquet')
    """
    return path if job is None else path.with_stem(f"{path.stem}-{job[0]}-of-{job[1]}")


def segment_many(
    arguments: Sequence[str], settings: Settings, many: Many, footprints: Path | None, resume: bool
) -> int:
    """Segment the scenes that arguments name; returns the exit status. Raises SciNetError."""
    for place in filter(None, (many.to, footprints)):
        if place.suffix and not place.is_dir():
            raise WriteError(f"{place} has to be a folder, as there may be many scenes: give a name without a suffix.")
    sources = find_scenes(arguments)
    stretch = shared_stretch(sources, settings.native_cm_per_px, settings.choice)
    print_notes(stretch_note(stretch))
    mine = every_nth(sources, *many.job) if many.job else sources
    rows = _run(
        mine, replace(settings, model=model_anywhere(settings.model), common_stretch=stretch), many, footprints, resume
    )
    if settings.upload:
        upload(many.to / many.manifest, settings.upload)
    return exit_status(rows, "images", many.to / many.manifest)


def exit_status(rows: Sequence[Row], things: str, manifest: Path) -> int:
    """0, or SOME_FAILED with a sentence on standard error where some of the things of a run failed."""
    failed = sum(row.state == "failed" for row in rows)
    if not failed:
        return 0
    print(
        f"scinet: {failed} of {len(rows)} {things} failed; {manifest} says why. The same command with --resume tries "
        "them again.",
        file=sys.stderr,
    )
    return SOME_FAILED


def _run(
    sources: Sequence[SceneSource], settings: Settings, many: Many, footprints: Path | None, resume: bool
) -> list[Row]:
    with Bar("scenes") as bar, open_engine(many.engine, many.resources) as engine:
        return segment_scenes(
            sources,
            settings,
            Folder(many.to.resolve(), footprints and footprints.resolve(), many.manifest),
            engine,
            Report(tell, bar.show),
            resume=resume,
            stop_at_error=many.stop_at_error,
            bands_per_scene=many.bands_per_scene,
        )


def stretch_note(stretch: tuple[float, float] | None) -> list[str]:
    """What to say of the stretch that all images share, if there is one."""
    if stretch is None:
        return []
    return [
        f"Values of more than 8 bits are stretched from {stretch[0]:.4g}..{stretch[1]:.4g} in all images, "
        "their 2nd and 98th percentiles. Choose others with --stretch LOW HIGH."
    ]


def tell(row: Row, lines: Sequence[str]) -> None:
    """Print what became of a scene or a tile."""
    for line in lines:
        print(line)
    if row.error:
        print(f"scinet: {row.scene}: {row.error}", file=sys.stderr)


def model_anywhere(model: str) -> str:
    """A model's name, or the whole path of a custom one: workers have another working folder than this process."""
    return str(Path(model).resolve()) if Path(model).suffix.lower() in SUFFIXES else model
