"""Segments many scenes on an engine, and keeps account of them in a manifest."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from scinet.atomic_write import write_errors
from scinet.batch.identity import identity_of
from scinet.batch.jobs import SceneJob, Settings, Written, begin_bands, write_band, write_scene
from scinet.batch.manifest import Manifest, Report, Row, read_rows
from scinet.batch.scenes import SceneSource
from scinet.datasets.tiles import common_stretch
from scinet.engines.protocol import Engine, Outcome
from scinet.errors import SciNetError, WriteError
from scinet.output_lock import output_lock
from scinet.raster.choice import ImageChoice
from scinet.raster.resumable_cog import discard_pieces, pieces_folder

R = TypeVar("R")

_STRETCH_SCENES = 32  # that are looked at for a common stretch


@dataclass(frozen=True)
class Folder:
    """Where the results of a run go.

    Attributes:
        masks: The folder of the masks and of the manifest.
        footprints: That of the footprints; None where none are wanted.
        manifest: The manifest's name: array jobs have one each.
    """

    masks: Path
    footprints: Path | None = None
    manifest: str = "manifest.jsonl"

    def job(self, source: SceneSource, settings: Settings, bands: int) -> SceneJob:
        """The job of one scene."""
        footprints = self.footprints / f"{source.name}.gpkg" if self.footprints else None
        return SceneJob(source, settings, self.masks / f"{source.name}.tif", footprints, bands)


def segment_scenes(
    sources: Sequence[SceneSource],
    settings: Settings,
    folder: Folder,
    engine: Engine,
    report: Report,
    *,
    resume: bool = False,
    stop_at_error: bool = False,
    bands_per_scene: int = 1,
) -> list[Row]:
    """Segment scenes; one that fails does not stop the others.

    Args:
        sources: The scenes, with names that differ.
        settings: What they have in common.
        folder: Where the results go; it is made where it is missing.
        engine: Does the work.
        report: How the run is told of.
        resume: Whether to leave out what the manifest says is done, and to go on from partial results.
        stop_at_error: Whether the first failure ends the run.
        bands_per_scene: Into how many parts each scene is cut, which the engine's workers share.

    Returns:
        The manifest's rows, in the order of the scenes.

    Raises:
        WriteError: The manifest cannot be written, or belongs to a run with other settings.
        EngineError: The engine has stopped.
    """
    with write_errors(folder.masks):
        folder.masks.mkdir(parents=True, exist_ok=True)
    identity = _identity(settings)
    done = _done(folder, identity) if resume else {}
    manifest = Manifest(
        folder.masks / folder.manifest,
        [done.get(source.name) or Row(source.name, source.source, "pending", identity) for source in sources],
    )
    jobs = [folder.job(source, settings, bands_per_scene) for source in sources if source.name not in done]
    if not resume:
        _discard(jobs)
    endings = (
        (_row(job, identity, outcome), outcome.result.lines if outcome.result else ())
        for job, outcome in _run(engine, jobs, bands_per_scene)
    )
    return manifest.follow(endings, report, stop_at_error=stop_at_error)


def shared_stretch(
    sources: Sequence[SceneSource], native_cm_per_px: float | None, choice: ImageChoice
) -> tuple[float, float] | None:
    """The stretch that all scenes of more than 8 bits share; None where there is none or the user has chosen one."""
    if choice.stretch is not None:
        return None
    scenes = []
    for source in sources[:: max(1, len(sources) // _STRETCH_SCENES)]:
        with suppress(SciNetError):  # writing it will say what is wrong
            scenes.append(source.open(native_cm_per_px, choice))
    with suppress(SciNetError):
        return common_stretch(scenes)
    return None


def _run(engine: Engine, jobs: Sequence[SceneJob], bands: int) -> Iterator[tuple[SceneJob, Outcome[Written]]]:
    """Each job with its end; of scenes in bands, the place for the pieces, the pieces, and then the whole."""
    if bands == 1:
        for outcome in engine.run(write_scene, jobs):
            yield jobs[outcome.index], outcome
        return
    begun, failed = _sorted_out(engine.run(begin_bands, jobs), jobs)
    yield from failed.items()
    parts = [replace(job, band=band) for job in begun for band in range(bands)]
    filled, failed = _sorted_out(engine.run(write_band, parts), parts)
    yield from {replace(job, band=0): outcome for job, outcome in failed.items()}.items()
    seconds: dict[Path, float] = defaultdict(float)
    for part, spent in filled.items():
        seconds[part.out] += spent or 0
    broken = {part.out for part in failed}
    whole = [job for job in begun if job.out not in broken]
    for outcome in engine.run(write_scene, whole):
        job = whole[outcome.index]
        if outcome.result:
            total = replace(outcome.result, seconds=outcome.result.seconds + seconds[job.out])
            outcome = replace(outcome, result=total)
        yield job, outcome


def _sorted_out(
    outcomes: Iterator[Outcome[R]], jobs: Sequence[SceneJob]
) -> tuple[dict[SceneJob, R | None], dict[SceneJob, Outcome[Written]]]:
    """The jobs that went well with their results, and those that did not with their errors."""
    well: dict[SceneJob, R | None] = {}
    failed: dict[SceneJob, Outcome[Written]] = {}
    for outcome in outcomes:
        if outcome.error:
            failed[jobs[outcome.index]] = Outcome(outcome.index, None, outcome.error)
        else:
            well[jobs[outcome.index]] = outcome.result
    return well, failed


def _discard(jobs: Sequence[SceneJob]) -> None:
    """Remove the partial results of earlier runs, but not of one that is writing them: the job will say so."""
    for job in jobs:
        if pieces_folder(job.out).exists():
            with suppress(WriteError), output_lock(job.out):
                discard_pieces(job.out)


def _row(job: SceneJob, identity: str, outcome: Outcome[Written]) -> Row:
    source = job.source
    if outcome.result is None:
        return Row(source.name, source.source, "failed", identity, error=outcome.error)
    written = outcome.result
    return Row(source.name, source.source, "done", identity, round(written.seconds, 2), written.sha256)


def _done(folder: Folder, identity: str) -> dict[str, Row]:
    """The rows of scenes that need not be done again: their masks are there as they were written."""
    rows = read_rows(sorted(folder.masks.glob("manifest*.jsonl")))
    done = {name: row for name, row in rows.items() if row.state == "done"}
    if any(row.settings != identity for row in done.values()):
        raise WriteError(
            f"The results in {folder.masks} were made with another model or other options. Give those, or another "
            "folder, or leave out --resume to start over."
        )
    return {name: row for name, row in done.items() if _is_whole(folder, row)}


def _is_whole(folder: Folder, row: Row) -> bool:
    try:
        with (folder.masks / f"{row.scene}.tif").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == row.sha256
    except OSError:
        return False


def _identity(settings: Settings) -> str:
    shapes = settings.shapes and replace(settings.shapes, path=Path())
    return identity_of(replace(settings, device=None, shapes=shapes), settings.model)
