"""Images of any size to a mask and its footprints on disk, in bounded memory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scinet.errors import RasterError, ResolutionError
from scinet.models.checkpoint import Model
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
from scinet.web import is_url

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
    out, strategy = Path(out), Strategy.of(strategy)
    working = working_rows(scene, cm_per_px, model, strategy)
    settings = {
        "image": _identity(scene),
        "model": model.card.sha256 or model.card.name,
        "window": model.card.window_px_at(working.grid.cm_per_px),
        "size": list(working.grid.shape),
        "strategy": str(strategy),
        "scales": list(strategy.scales(model.card, working.grid.cm_per_px)),
        "threshold": threshold,
        "output": output,
        "choice of footprints": footprints is not None,  # their confidence needs the probability
    }
    if area is not None:
        settings["area"] = area.key
    check_mask_path(out, working.grid, output == "mask")
    if footprints is not None:
        footprints.check(working.grid)
    with output_lock(out):
        pieces = ResumableCog(out, working.grid, settings, resume)
        answers = probability_stream(ReadAhead(working), model, strategy, progress)
        done = pieces.rows_done
        for band in answers.bands(done) if done < working.grid.height else ():
            pieces.add(band.top, _layers(_within(area, band, working.grid), threshold, _stored(output, footprints)))
            del band  # free it while the next one is made
        found = _counts(pieces)
        if not found.valid_px:
            pieces.discard()
            raise RasterError(f"{scene.name} holds no image: all of its pixels are nodata or transparent.")
        if footprints is not None:
            bands = _mask_bands(pieces, _stored(output, footprints))
            found = replace(
                found, footprints=write_footprint_file(footprints, bands, working.grid, with_confidence=True)
            )
        note = f"{model.card.title} at {working.grid.cm_per_px:.4g} cm/px, strategy {strategy}"
        if output == "mask":
            pieces.join("mask", MASK, f"{note}, threshold {threshold:g}.")
        else:
            pieces.join("probability", PROBABILITY_UINT8 if output == "uint8" else PROBABILITY_FLOAT32, f"{note}.")
        pieces.discard()
        return found


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


def _stored(output: Output, footprints: FootprintFile | None) -> Output:
    """The output whose layers are kept until the end: footprints need a probability too."""
    return "uint8" if output == "mask" and footprints is not None else output


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
    if isinstance(scene.source, str) and not is_url(scene.source):
        facts = Path(scene.source).stat()
        return [str(Path(scene.source).resolve()), facts.st_size, facts.st_mtime_ns, *size]
    return [scene.source if isinstance(scene.source, str) else scene.name, *size]
