"""Images of any size to a mask and its footprints on disk, in bounded memory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scinet.errors import RasterError, ResolutionError
from scinet.models.model import Model
from scinet.output_lock import output_lock
from scinet.progress import ReportProgress
from scinet.raster.geotiff import (
    MASK,
    MASK_NODATA,
    PROBABILITY_FLOAT32,
    PROBABILITY_UINT8,
    probability_steps,
    stored_probability,
)
from scinet.raster.grid import Grid
from scinet.raster.png_mask import check_mask_path
from scinet.raster.resample import Resampled
from scinet.raster.resumable_cog import ResumableCog
from scinet.raster.scene import Scene
from scinet.raster.stream import Band, ReadAhead, RowStream
from scinet.segmentation.segment import probability_stream
from scinet.segmentation.strategies import Strategy, StrategyName
from scinet.vector.area import Area
from scinet.vector.footprint_file import TRACED_ROWS, FootprintFile, write_footprint_file
from scinet.vector.trace import MaskBand

MAX_WIDTH_PX = 200_000  # of the widest grid that a model sees: memory goes with it
Output = Literal["mask", "uint8", "float32"]


@dataclass(frozen=True)
class SceneMask:
    """What `segment_to_file` wrote.

    Attributes:
        grid: The working grid.
        valid_px: How many of its pixels are valid.
        building_px: How many of its pixels are building.
        footprints: How many polygons were written; None where none were asked for.
    """

    grid: Grid
    valid_px: int
    building_px: int
    footprints: int | None = None


def segment_to_file(
    scene: Scene,
    model: Model,
    out: str | Path,
    *,
    cm_per_px: float | None = None,
    strategy: Strategy | StrategyName = "best-scale",
    threshold: float = 0.5,
    output: Output = "mask",
    footprints: FootprintFile | None = None,
    area: Area | None = None,
    resume: bool = False,
    progress: ReportProgress | None = None,
) -> SceneMask:
    """Segment an image of any size in bounded memory and write the result as a Cloud Optimized GeoTIFF.

    Files appear when they are complete. Partial results are kept in ``<out>.part`` next to the result. Masks and
    probabilities are those of `segment` for an image that fits in memory.

    Args:
        scene: The image, as `open_scene` gives it.
        model: What `load_model` returns.
        out: The file to write, on the grid of the working resolution: a GeoTIFF, or for a mask a PNG (white =
            building, clear = nodata) with a world file.
        cm_per_px: The working resolution in cm/px on the ground; by default the image's own.
        strategy: What the model sees; as in `segment`.
        threshold: Pixels with a higher probability are building.
        output: "mask": uint8, 1 = building, 0 = not, 255 = nodata. "uint8": the probability in steps of 0.004,
            255 = nodata. "float32": the probability, NaN = nodata.
        footprints: Where to write the mask's polygons too, with their area and confidence (mean probability inside).
        area: The part of the image that counts: what is outside it becomes nodata.
        resume: Whether to continue from partial results of the same call.
        progress: Called with the fraction done, in [0, 1].

    Returns:
        The grid, and how much of it is building.

    Raises:
        ResolutionError: The working resolution is not a usable number, or too fine for the memory of one row.
        RasterError: The image cannot be read, or is nodata only.
        WriteError: A file cannot be written, or another run is writing `out`.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from scinet import load_model, segment_to_file
        >>> from scinet.datasets.samples import samples
        >>> scene = samples()[0].tile.open()
        >>> with TemporaryDirectory() as folder:
        ...     found = segment_to_file(scene, load_model("unet"), Path(folder) / "mask.tif", cm_per_px=60)
        >>> found.valid_px == found.grid.width * found.grid.height
        True
    """
    run = SceneRun(scene, model, Path(out), cm_per_px, Strategy.of(strategy), threshold, output, footprints, area)
    with output_lock(run.out):
        pieces = run.pieces(resume=resume)
        run.fill(pieces, run.grid.height, progress)
        return run.finish(pieces)


@dataclass(frozen=True)
class SceneRun:
    """A scene on its way to its files; the attributes are the arguments of `segment_to_file`."""

    scene: Scene
    model: Model
    out: Path
    cm_per_px: float | None
    strategy: Strategy
    threshold: float
    output: Output
    footprints: FootprintFile | None
    area: Area | None = None

    @property
    def grid(self) -> Grid:
        """The working grid."""
        return self._working.grid

    def pieces(self, *, resume: bool, bands: int = 1, start: int = 0) -> ResumableCog:
        """The pieces that are there, or none yet.

        Args:
            resume: Whether to use those that are there.
            bands: How many processes share the rows.
            start: The first row of this one.

        Raises:
            ResolutionError, WriteError: As `segment_to_file`.
        """
        card, grid = self.model.card, self.grid
        settings: dict[str, Any] = {
            "image": _identity(self.scene),
            "model": card.sha256 or card.name,
            "window": card.window_px_at(grid.cm_per_px),
            "size": list(grid.shape),
            "strategy": str(self.strategy),
            "scales": list(self.strategy.scales(card, grid.cm_per_px)),
            "threshold": self.threshold,
            "output": self.output,
            "choice of footprints": self.footprints is not None,  # their confidence needs the probability
        }
        if self.area is not None:
            settings["area"] = self.area.key
        if bands > 1:
            settings["number of bands"] = bands
        check_mask_path(self.out, grid, self.output == "mask")
        if self.footprints is not None:
            self.footprints.check(grid)
        return ResumableCog(self.out, grid, settings, resume, start)

    def fill(self, pieces: ResumableCog, stop: int, progress: ReportProgress | None = None) -> None:
        """Write the pieces that are missing above row `stop`."""
        done = pieces.rows_done
        if done >= stop:
            return
        answers = probability_stream(ReadAhead(self._working), self.model, self.strategy, progress)
        for band in answers.bands(done):
            band = _within(self.area, band.cut(band.top, stop), self.grid)
            pieces.add(band.top, _layers(band, self.threshold, self._stored))
            if band.bottom == stop:
                return
            del band  # free it while the next one is made

    def finish(self, pieces: ResumableCog) -> SceneMask:
        """Make all pieces the result, and remove them."""
        found = _counts(pieces)
        if not found.valid_px:
            pieces.discard()
            raise RasterError(f"{self.scene.name} holds no image: all of its pixels are nodata or transparent.")
        if self.footprints is not None:
            bands = _mask_bands(pieces, self._stored)
            written = write_footprint_file(self.footprints, bands, self.grid, with_confidence=True)
            found = replace(found, footprints=written)
        note = f"{self.model.card.title} at {self.grid.cm_per_px:.4g} cm/px, strategy {self.strategy}"
        if self.output == "mask":
            pieces.join("mask", MASK, f"{note}, threshold {self.threshold:g}.")
        else:
            form = PROBABILITY_UINT8 if self.output == "uint8" else PROBABILITY_FLOAT32
            pieces.join("probability", form, f"{note}.")
        pieces.discard()
        return found

    @cached_property
    def _working(self) -> RowStream:
        return working_rows(self.scene, self.cm_per_px, self.model, self.strategy)

    @property
    def _stored(self) -> Output:
        """The output whose layers are kept until the end: footprints need a probability too."""
        return "uint8" if self.output == "mask" and self.footprints is not None else self.output


def working_rows(scene: Scene, cm_per_px: float | None, model: Model, strategy: Strategy) -> RowStream:
    """A scene's rows at a working resolution. Raises ResolutionError where they are too long for a strategy."""
    grid = scene.grid.at(cm_per_px) if cm_per_px is not None else scene.grid
    width = grid.width * max(1.0, *strategy.scales(model.card, grid.cm_per_px))
    if width > MAX_WIDTH_PX:
        least = math.ceil(grid.cm_per_px * width / MAX_WIDTH_PX * 100) / 100
        raise ResolutionError(
            f"At {grid.cm_per_px:.4g} cm/px the model would see rows of {width:.0f} px, more than fit in memory. "
            f"Choose {least:g} cm/px or more, or cut the image."
        )
    return Resampled(scene.rows(grid.cm_per_px), grid)


def _within(area: Area | None, band: Band, grid: Grid) -> Band:
    """A band of the working grid whose pixels outside the area are not valid."""
    if area is None:
        return band
    return replace(band, valid=band.valid & area.inside(grid.part(band.top, len(band.valid))))


def _layers(band: Band, threshold: float, output: Output) -> dict[str, np.ndarray]:
    mask = np.full(band.valid.shape, MASK_NODATA, np.uint8)
    np.greater(band.values, threshold, out=mask, where=band.valid)
    layers = {"mask": mask}
    if output == "uint8":
        layers["probability"] = probability_steps(band.values, band.valid)
    elif output == "float32":
        layers["probability"] = np.where(band.valid, band.values, np.float32(np.nan))
    return layers


def _mask_bands(pieces: ResumableCog, output: Output) -> Iterator[MaskBand]:
    for (top, mask), (_, values) in zip(pieces.read("mask"), pieces.read("probability"), strict=True):
        for row in range(0, len(mask), TRACED_ROWS):
            rows = slice(row, row + TRACED_ROWS)
            probability = stored_probability(values[rows]) if output == "uint8" else values[rows]
            yield MaskBand(top + row, mask[rows] == 1, probability)


def _counts(pieces: ResumableCog) -> SceneMask:
    valid = building = 0
    for _, mask in pieces.read("mask"):
        valid += int(np.count_nonzero(mask != MASK_NODATA))
        building += int(np.count_nonzero(mask == 1))
    return SceneMask(pieces.grid, valid, building)


def _identity(scene: Scene) -> list[Any]:
    """What distinguishes a scene from any other, or from another version of it."""
    choice = scene.choice
    reading = [list(choice.bands), str(choice.nodata), choice.crs.to_string() if choice.crs else None]
    reading += [list(choice.stretch) if choice.stretch else None, choice.page]
    reading += [str(each) for each in (choice.place, choice.zoom, choice.bounds, choice.tms) if each]
    size: Sequence[Any] = (scene.width, scene.height, reading)
    if isinstance(scene.source, str) and not scene.is_remote:
        facts = Path(scene.source).stat()
        return [str(Path(scene.source).resolve()), facts.st_size, facts.st_mtime_ns, *size]
    return [scene.source if isinstance(scene.source, str) else scene.name, *size]
