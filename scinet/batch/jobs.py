"""What a worker does: a scene from the image to its files, or a part of that."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from scinet.atomic_write import write_errors
from scinet.batch.scenes import SceneSource
from scinet.errors import WriteError
from scinet.models.card import Card
from scinet.models.familiarity import unlike_text
from scinet.models.memory import tune_memory
from scinet.models.model import Model
from scinet.models.named import open_model
from scinet.models.promise import Promise, promised_threshold
from scinet.output_lock import output_lock
from scinet.progress import ReportProgress
from scinet.raster.choice import ImageChoice
from scinet.raster.scene import Scene
from scinet.segmentation.cost import pixels_run
from scinet.segmentation.encoder_statistics import distance_of_scene
from scinet.segmentation.scene import Output, SceneMask, SceneRun
from scinet.segmentation.strategies import Strategy
from scinet.share.qgis_style import write_footprint_style
from scinet.upload import upload
from scinet.vector.area import read_area
from scinet.vector.footprint_file import FootprintFile


@dataclass(frozen=True)
class Settings:
    """What all scenes of a run have in common.

    Attributes:
        model: A name, or the path of a custom model.
        device: "cpu", "cuda" or "mps"; None for the best that a worker has.
        native_cm_per_px: The resolution of images whose files do not say.
        choice: Bands, nodata, stretch and CRS, where files leave them open.
        cm_per_px: The working resolution; None for each image's own.
        strategy: As in `segment_to_file`, and so are `threshold` and `output`.
        common_stretch: That of all scenes with more than 8 bits; None for each one's own.
        area: The file of the part of the images that counts; see `scinet.vector.area`.
        promise: What the threshold is to keep, at which it is chosen for each scene; None for `threshold` itself.
        shapes: How footprints are shaped; its path is not used. None where none are wanted.
        upload: The folder of an object store that gets the files too; None for none.
    """

    model: str
    device: str | None
    native_cm_per_px: float | None
    choice: ImageChoice
    cm_per_px: float | None
    strategy: Strategy
    threshold: float
    output: Output
    common_stretch: tuple[float, float] | None = None
    area: Path | None = None
    shapes: FootprintFile | None = None
    promise: Promise | None = None
    upload: str | None = None

    def run_of(self, scene: Scene, model: Model, out: Path, footprints: Path | None) -> SceneRun:
        """The run of one scene.

        Raises:
            WriteError: Its result would replace the image itself.
            PromiseError: No threshold keeps the promise.
        """
        if not scene.is_remote and out.exists() and out.samefile(str(scene.source)):
            raise WriteError(f"{out} is the image itself. Give the result another name.")
        shapes = replace(self.shapes, path=footprints) if self.shapes and footprints else None
        area = None if self.area is None else read_area(self.area, scene.grid, self.area.name)
        threshold = self._threshold(model.card, self.cm_per_px or scene.cm_per_px)
        return SceneRun(scene, model, out, self.cm_per_px, self.strategy, threshold, self.output, shapes, area)

    def _threshold(self, card: Card, cm_per_px: float) -> float:
        if self.promise is None:
            return self.threshold
        promised = card.calibration.promised if card.calibration else ()
        return promised_threshold(promised, self.promise, cm_per_px, card.title)


@dataclass(frozen=True)
class SceneJob:
    """A scene, and where its files go. Work goes on from partial results: a worker may take over from one that died.

    Attributes:
        source: The scene.
        settings: Of all scenes.
        out: The mask's file.
        footprints: The footprints' file.
        bands: How many processes share the scene's rows.
        band: The number of this one, from 0.
    """

    source: SceneSource
    settings: Settings
    out: Path
    footprints: Path | None
    bands: int = 1
    band: int = 0


@dataclass(frozen=True)
class Written:
    """What was written, in numbers and in lines for the reader."""

    seconds: float
    sha256: str
    lines: Sequence[str]


def write_scene(job: SceneJob) -> Written:
    """All of a scene, or what its bands have left: its pieces joined, and its footprints. Raises SciNetError."""
    begin = time.monotonic()
    run = _run_of(job)
    _make_folders(run)
    written = write_run(run, begin, resume=True, bands=job.bands)
    if job.settings.upload:
        upload_files(run, "/".join([job.settings.upload.rstrip("/"), *PurePosixPath(job.source.name).parent.parts]))
    return written


def upload_files(run: SceneRun, address: str) -> None:
    """Put a scene's files into a folder of an object store; see `upload`. Raises WriteError."""
    for path in (run.out, *([run.footprints.path] if run.footprints else [])):
        upload(path, address)


def begin_bands(job: SceneJob) -> None:
    """Make the place for the pieces of a scene that several processes share. Raises SciNetError."""
    run = _run_of(job)
    _make_folders(run)
    with output_lock(run.out):
        run.pieces(resume=True, bands=job.bands)


def write_band(job: SceneJob) -> float:
    """The pieces of a band; returns the seconds that they took. Raises SciNetError."""
    begin = time.monotonic()
    run = _run_of(job)
    start, stop = (run.grid.height * number // job.bands for number in (job.band, job.band + 1))
    with output_lock(run.out.with_name(f"{run.out.name}.band-{job.band}")):
        run.fill(run.pieces(resume=True, bands=job.bands, start=start), stop)
    return time.monotonic() - begin


def write_run(
    run: SceneRun, begin: float, *, resume: bool, bands: int = 1, progress: ReportProgress | None = None
) -> Written:
    """Write the files of a run that began at a time of the monotonic clock. Raises SciNetError."""
    with output_lock(run.out):
        pieces = run.pieces(resume=resume, bands=bands)
        run.fill(pieces, run.grid.height, progress)
        found = run.finish(pieces)
    style = write_footprint_style(run.footprints.path, run.out, run.output) if run.footprints is not None else None
    seconds = time.monotonic() - begin
    with write_errors(run.out), run.out.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(seconds, sha256, _lines(run, found, seconds, style))


def _lines(run: SceneRun, found: SceneMask, seconds: float, style: Path | None) -> list[str]:
    through = pixels_run(found.grid, run.model.card, run.strategy, one_size=run.model.one_size)
    lines = [
        f"{run.out}: {found.grid.width} x {found.grid.height} px at {found.grid.cm_per_px:.3g} cm/px, "
        f"{found.building_px / found.valid_px:.1%} building",
        f"{seconds:.1f} s, {through / (found.grid.width * found.grid.height):.2f} pixels through the network per "
        f"pixel of the mask ({run.strategy})",
    ]
    if run.footprints is not None:
        styled = f"; QGIS draws them as {style.name} says" if style else ""
        lines.append(f"{run.footprints.path}: {found.footprints} footprints{styled}")
    unlike = unlike_text({run.model.card.title: distance_of_scene(run.scene, run.cm_per_px, run.model)})
    return [*lines, unlike] if unlike else lines


def _run_of(job: SceneJob) -> SceneRun:
    tune_memory()
    settings = job.settings
    scene = job.source.open(settings.native_cm_per_px, settings.choice).stretched_by(settings.common_stretch)
    return settings.run_of(scene, worker_model(settings.model, settings.device), job.out, job.footprints)


@lru_cache(maxsize=1)
def worker_model(name: str, device: str | None) -> Model:
    """A model, which is opened once per worker; see `open_model`. Raises CheckpointError."""
    return open_model(name, device)


def _make_folders(run: SceneRun) -> None:
    for path in (run.out, *([run.footprints.path] if run.footprints else [])):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(f"{path.parent} cannot be created: {error.strerror}.") from None
