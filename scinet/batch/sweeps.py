"""A sweep over many tiles: models at many resolutions on each, as jobs for an engine."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from scinet.batch.identity import identity_of
from scinet.batch.jobs import worker_model
from scinet.batch.manifest import Manifest, Report, Row, read_rows
from scinet.batch.scenes import SceneSource
from scinet.engines.protocol import Engine
from scinet.errors import SciNetError, WriteError
from scinet.evaluation.grading import steps_within
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.report import without_nan
from scinet.evaluation.subject import Subject, read_subject, with_area
from scinet.evaluation.sweep import sweep_points
from scinet.evaluation.sweep_rows import FIGURES, sweep_rows
from scinet.models.memory import tune_memory
from scinet.raster.choice import ImageChoice
from scinet.segmentation.strategies import Strategy
from scinet.vector.choice import VectorChoice


@dataclass(frozen=True)
class SweepSettings:
    """What all jobs of a sweep have in common.

    Attributes:
        device: "cpu", "cuda" or "mps"; None for the best that a worker has.
        native_cm_per_px: The resolution of tiles whose files do not say.
        image_choice: Bands, nodata, stretch and CRS, where files leave them open.
        strategy: As in `sweep`, and so is `threshold`.
        truth: The file of the reference buildings of all tiles; None for those that the tiles' folder names.
        area: The file of the part that counts; see `scinet.vector.area`.
        mask_choice: Which values of a mask image are building or ignored.
        features: The layer of a vector file, and which of its features are buildings.
        not_all_labelled: Whether the reference leaves buildings out.
        common_stretch: That of all tiles with more than 8 bits; None for each one's own.
    """

    device: str | None
    native_cm_per_px: float | None
    image_choice: ImageChoice
    strategy: Strategy
    threshold: float
    truth: Path | None = None
    area: Path | None = None
    mask_choice: MaskChoice = field(default_factory=MaskChoice)
    features: VectorChoice = field(default_factory=VectorChoice)
    not_all_labelled: bool = False
    common_stretch: tuple[float, float] | None = None


@dataclass(frozen=True)
class SweepJob:
    """A model, a name or a path, on a tile at a working resolution."""

    source: SceneSource
    model: str
    cm_per_px: float
    settings: SweepSettings

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        return f"{self.source.name}, {self.model}, {self.cm_per_px:g} cm/px"


@dataclass(frozen=True)
class Swept:
    """A row of the table, and the seconds that it took."""

    seconds: float
    figures: dict[str, Any]


def sweep_tiles(
    sources: Sequence[SceneSource],
    models: Sequence[str],
    limits_cm_per_px: tuple[float | None, float],
    settings: SweepSettings,
    manifest: Path,
    engine: Engine,
    report: Report,
    *,
    known: Sequence[Path] = (),
    stop_at_error: bool = False,
) -> list[Row]:
    """Score models on tiles at many resolutions; a job that fails does not stop the others.

    Args:
        sources: The tiles, with names that differ.
        models: Names, and whole paths of custom models.
        limits_cm_per_px: The finest resolution, None for each tile's own, and the coarsest.
        settings: What the jobs have in common.
        manifest: The file that says what became of each job, and has its figures.
        engine: Does the work.
        report: How the run is told of.
        known: Manifests of earlier runs and of other jobs, what is done in which is not done again.
        stop_at_error: Whether the first failure ends the run.

    Returns:
        The manifest's rows: by model, tile and resolution. A tile that cannot be opened has one row.

    Raises:
        WriteError: The manifest cannot be written, or what is done was done with other options.
        EngineError: The engine has stopped.
    """
    jobs, unread = _jobs(sources, models, limits_cm_per_px, settings)
    identities = {model: identity_of(replace(settings, device=None), model) for model in models}
    done = {name: row for name, row in read_rows(known).items() if row.state == "done"}
    rows = [Row(job.name, job.source.source, "pending", identities[job.model]) for job in jobs]
    if any(row.scene in done and done[row.scene].settings != row.settings for row in rows):
        raise WriteError(
            f"What {manifest.name} says is done was done with other options or other weights. Give those, or another "
            "--out, or leave out --resume to start over."
        )
    account = Manifest(manifest, [*unread, *(done.get(row.scene, row) for row in rows)])
    rest = [job for job in jobs if job.name not in done]

    def endings() -> Iterator[tuple[Row, Sequence[str]]]:
        yield from ((row, ()) for row in unread)
        for outcome in engine.run(sweep_tile, rest):
            job = rest[outcome.index]
            row = Row(job.name, job.source.source, "failed", identities[job.model], error=outcome.error or None)
            if (swept := outcome.result) is not None:
                row = replace(row, state="done", seconds=round(swept.seconds, 2), figures=swept.figures)
            yield row, ()

    return account.follow(endings(), report, stop_at_error=stop_at_error)


def sweep_tile(job: SweepJob) -> Swept:
    """A model on a tile at one resolution. Raises SciNetError."""
    begin = time.monotonic()
    tune_memory()
    subject, model = _subject(job.source, job.settings), worker_model(job.model, job.settings.device)
    points = sweep_points(
        subject.raster,
        subject.truth,
        [model],
        [job.cm_per_px],
        strategy=job.settings.strategy,
        threshold=job.settings.threshold,
        area=subject.area,
    )
    by_grid = {row["grid"]: row for row in sweep_rows(points)}
    working, tile = by_grid["working"], job.source.tile
    figures = {
        "tile": job.source.name,
        "city": tile.city if tile else "",
        "split": tile.split if tile else "",
        "model": model.card.title,
        "cm_per_px": job.cm_per_px,
        "native_cm_per_px": subject.raster.cm_per_px,
        "building_area_m2": working["building_area_m2"],
        "components": working["components"],
        **{name: working[name] for name in FIGURES},
        **{name: value for name, value in working.items() if name.startswith("estimated_")},
        **{f"native_grid_{name}": by_grid["native"][name] for name in FIGURES},
    }
    return Swept(time.monotonic() - begin, without_nan(figures))


def _jobs(
    sources: Sequence[SceneSource],
    models: Sequence[str],
    limits_cm_per_px: tuple[float | None, float],
    settings: SweepSettings,
) -> tuple[list[SweepJob], list[Row]]:
    """The jobs in an order in which workers seldom change the model, and the rows of tiles that cannot be opened."""
    steps: dict[SceneSource, list[float]] = {}
    unread = []
    finest, coarsest = limits_cm_per_px
    for source in sources:
        try:
            native = source.open(settings.native_cm_per_px, settings.image_choice).cm_per_px
            steps[source] = steps_within(native, finest, coarsest)
        except SciNetError as error:
            unread.append(Row(source.name, source.source, "failed", "", error=str(error)))
    jobs = [SweepJob(source, model, step, settings) for model in models for source in steps for step in steps[source]]
    return jobs, unread


@lru_cache(maxsize=1)
def _subject(source: SceneSource, settings: SweepSettings) -> Subject:
    """A tile and its reference, which jobs at several resolutions share. Raises SciNetError."""
    scene = source.open(settings.native_cm_per_px, settings.image_choice).stretched_by(settings.common_stretch)
    truth = settings.truth or (source.tile.truth if source.tile else None)
    subject = read_subject(scene, truth, settings.mask_choice, settings.features)
    return with_area(subject, settings.area, settings.not_all_labelled)
