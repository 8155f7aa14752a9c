"""``scinet sweep``: models at many resolutions, and down to which one they keep a target."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from scinet.atomic_write import write_text
from scinet.batch.sweeps import SweepSettings
from scinet.camera.camera import Camera
from scinet.cli.bar import Bar, print_notes
from scinet.cli.models import load_models
from scinet.cli.options import (
    IMAGE_HELP,
    PATH,
    RESOLUTION,
    area_option,
    camera_option,
    examples,
    image_options,
    mask_options,
    model_option,
    not_all_labelled_option,
    truth_options,
    working_option,
)
from scinet.cli.sweep_many import ManyTiles, many_tiles_options, sweep_many
from scinet.errors import SciNetError, TargetError, WriteError
from scinet.evaluation.degradation_sweep import degradation_rows
from scinet.evaluation.evaluate import Evaluation
from scinet.evaluation.grading import check_order, steps_within
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.partial import labels_note
from scinet.evaluation.parts import FIGURE_NAMES
from scinet.evaluation.report import to_json
from scinet.evaluation.subject import Subject, Window, read_subject, with_area
from scinet.evaluation.sweep import sweep_points
from scinet.evaluation.sweep_rows import SweepPoint, flying_height, sweep_content, sweep_rows, unlike_note, verdicts
from scinet.evaluation.target import Target, Verdict, parse_target
from scinet.models.estimates import borrowed_text
from scinet.models.model import Model
from scinet.raster.choice import ImageChoice
from scinet.raster.degrade import DEGRADATION_NAMES, UNITS, DegradationName
from scinet.raster.scene import open_scene
from scinet.segmentation.strategies import Strategy
from scinet.share.report import Pictures, SharedImage, report_html
from scinet.vector.choice import VectorChoice

SWEEP = f"""Segment an image at many resolutions and score the masks.

IN is {IMAGE_HELP}. Rows have scores, error shares and object scores on both grids, and the agreement with the model's
own mask at the native resolution. With --target, standard error says in a sentence down to which resolution each model
keeps it, with a 95 % interval in parentheses, and --json has the figures. Without --truth, models that were calibrated
have estimates of IoU and object F1 with intervals, in columns that begin with "estimated_", and verdicts by these.

With --out FILE, TILES are any number of images, folders of images, patterns, text files (.txt) of these, and STAC item
collections. FILE gets one row per model, tile and resolution, scored against the reference that the folder's index.csv
names, or against --truth for all of them; without, rows have predicted areas and estimates. FILE's manifest says what
became of each. The exit status is 3 where some failed.
"""


def _target(context: click.Context, option: click.Parameter, text: str | None) -> Target | None:
    return None if text is None else parse_target(text)


@click.command(
    help=SWEEP,
    epilog=examples(
        "scinet sweep tile.tif --truth mask.png --model sci-net --model unet",
        "scinet sweep tile.tif --truth mask.png --model unet --from 5 --to 40 --json > sweep.json",
        "scinet sweep tile.tif --truth mask.png --model unet --target found_over_20_m2=0.9 --camera M3E",
        "scinet sweep tile.tif --truth mask.png --model unet --target iou=0.7 --report tile.html",
        "scinet sweep tiles/ --out sweep.parquet --model unet --model sci-net --engine dask --workers 8",
    ),
)
@click.argument("images", nargs=-1, required=True, metavar="IN | TILES... --out FILE")
@truth_options(required=False)
@model_option(several=True)
@click.option(
    "--from", "finest", type=RESOLUTION, metavar="N", help="The finest resolution in cm/px. Default: the image's own."
)
@click.option(
    "--to",
    "coarsest",
    type=RESOLUTION,
    metavar="N",
    default=63.0,
    show_default=True,
    help="The coarsest resolution in cm/px.",
)
@area_option
@not_all_labelled_option
@image_options
@mask_options
@click.option(
    "--target",
    callback=_target,
    metavar="FIGURE=LEAST",
    help=f"What the masks have to reach, such as iou=0.7. Figures: {', '.join(FIGURE_NAMES)}.",
)
@camera_option
@click.option(
    "--degrade",
    type=click.Choice(DEGRADATION_NAMES),
    help="Instead of resolutions, sweep what else a sensor does, at one resolution: blur (px, width of the point "
    "spread function), noise (grey levels), jpeg (quality), or kernel, by which other programs make images coarser. "
    "Rows have the relative drop of each figure.",
)
@working_option
@click.option(
    "--report",
    "report_file",
    type=PATH,
    metavar="OUT.html",
    help="Write image, masks, numbers and verdicts as one HTML file of at most 5 MB, which opens without a network.",
)
@click.option("--json", "as_json", is_flag=True, help="Print rows as JSON instead of CSV.")
@many_tiles_options
def sweep(
    images: tuple[str, ...],
    many: ManyTiles | None,
    truth: Path | None,
    mask_choice: MaskChoice,
    features: VectorChoice,
    window: Window | None,
    models: tuple[str, ...],
    device: str | None,
    finest: float | None,
    coarsest: float,
    area: Path | None,
    not_all_labelled: bool,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    strategy: Strategy,
    threshold: float,
    target: Target | None,
    camera: Camera | None,
    degrade: DegradationName | None,
    cm_per_px: float | None,
    report_file: Path | None,
    as_json: bool,
) -> int:
    """Segment images at many resolutions and score the masks; returns the exit status."""
    _check_options(target, degrade, cm_per_px, report_file)
    if finest is not None:
        check_order(finest, coarsest)
    if many is not None:
        if window or target or camera or degrade or report_file or as_json:
            raise SciNetError("--window, --target, --camera, --degrade, --report and --json are for a single image.")
        settings = SweepSettings(
            device,
            native_cm_per_px,
            image_choice,
            strategy,
            threshold,
            truth and truth.resolve(),
            area and area.resolve(),
            mask_choice,
            features,
            not_all_labelled,
        )
        try:
            return sweep_many(images, models, (finest, coarsest), settings, many)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("The same command with --resume continues from here.") from None
    if len(images) != 1:
        raise SciNetError("Give one image, or any number of tiles and the table --out FILE.")
    scene = open_scene(images[0], cm_per_px=native_cm_per_px, choice=image_choice)
    subject = with_area(read_subject(scene, truth, mask_choice, features, window), area, not_all_labelled)
    print_notes(subject.notes)
    if degrade is not None:
        loaded = load_models(models, device)
        _print_degraded(subject, loaded, degrade, cm_per_px, strategy, threshold, as_json)
        return 0
    steps = steps_within(subject.raster.cm_per_px, finest, coarsest)
    loaded = load_models(models, device)
    if truth is None and target is not None:
        _check_calibrated(loaded)
    points, pictures, warnings = _run(subject, loaded, steps, strategy, threshold, report_file is not None)
    problem = _print_sweep(subject, points, warnings, target, camera, as_json)
    if report_file is not None:
        shared = SharedImage(subject.name, notes=[*subject.notes, *warnings])
        write_text(report_file, report_html(shared, subject.raster.cm_per_px, points, pictures, target, camera))
    if problem is not None:
        raise problem  # the rows took their time: they are printed first
    return 0


def _check_options(
    target: Target | None, degrade: DegradationName | None, cm_per_px: float | None, report_file: Path | None
) -> None:
    """Raise SciNetError where options do not go together, or the report's folder is not there."""
    if degrade is not None and (target is not None or report_file is not None):
        raise SciNetError("--target and --report belong to a sweep of resolutions: leave them out with --degrade.")
    if degrade is None and cm_per_px is not None:
        raise SciNetError("--cm-per-px is the resolution of --degrade; a sweep of resolutions takes --from and --to.")
    if report_file is not None and not report_file.parent.is_dir():
        raise WriteError(f"{report_file} cannot be written: its folder does not exist.")


def _check_calibrated(models: Sequence[Model]) -> None:
    """Raise SciNetError where none of the models can be judged by estimates."""
    if not any(model.card.calibration for model in models):
        raise SciNetError(
            "A target needs reference buildings to judge by: give them with --truth. Without them, only models that "
            "were calibrated can be judged, by estimates, and these were not."
        )


def _print_degraded(
    subject: Subject,
    models: Sequence[Model],
    degrade: DegradationName,
    cm_per_px: float | None,
    strategy: Strategy,
    threshold: float,
    as_json: bool,
) -> None:
    """Sweep a degradation at one resolution, and print its rows."""
    with Bar(", ".join(model.card.title for model in models)) as bar:
        rows = degradation_rows(
            subject.raster,
            subject.truth,
            models,
            degrade,
            cm_per_px or subject.raster.cm_per_px,
            strategy=strategy,
            threshold=threshold,
            area=subject.area,
            progress=bar.show,
        )
    content = {"image": subject.name, "notes": subject.notes, "unit": UNITS[degrade], "rows": rows}
    _print_rows(rows, to_json(content) if as_json else None)


def _run(
    subject: Subject,
    models: Sequence[Model],
    steps: Sequence[float],
    strategy: Strategy,
    threshold: float,
    with_pictures: bool,
) -> tuple[list[SweepPoint], Pictures, list[str]]:
    """The points of a sweep of resolutions, its pictures if they are wanted, and warnings."""
    pictures, warnings = Pictures(), list[str]()
    architectures = {model.card.title: model.card.architecture for model in models}
    is_partial = subject.truth is not None and subject.truth.is_partial

    def see(point: SweepPoint, evaluation: Evaluation) -> None:
        if point.cm_per_px == subject.raster.cm_per_px and point.model == models[0].card.title:
            warnings.extend(labels_note(evaluation, is_partial))
        if with_pictures:
            pictures.add(point.model, architectures[point.model], point.cm_per_px, evaluation)

    with Bar(", ".join(model.card.title for model in models)) as bar:
        points = sweep_points(
            subject.raster,
            subject.truth,
            models,
            steps,
            strategy=strategy,
            threshold=threshold,
            area=subject.area,
            progress=bar.show,
            see=see,
        )
    warnings += unlike_note(points)
    if any(point.estimates for point in points):
        warnings += filter(None, [borrowed_text(model.card for model in models)])
    return points, pictures, warnings


def _print_sweep(
    subject: Subject,
    points: Sequence[SweepPoint],
    warnings: Sequence[str],
    target: Target | None,
    camera: Camera | None,
    as_json: bool,
) -> TargetError | None:
    """Print rows and say verdicts; returns why there are none where a target cannot be judged."""
    native = subject.raster.cm_per_px
    found, problem = _judge(points, target, native)
    print_notes([*warnings, *(_sentence(each, camera) for each in found)])
    content = sweep_content(subject.name, [*subject.notes, *warnings], native, points, target, camera)
    _print_rows(sweep_rows(points), to_json(content) if as_json else None)
    return problem


def _judge(
    points: Sequence[SweepPoint], target: Target | None, native: float
) -> tuple[list[Verdict], TargetError | None]:
    """The verdicts, or why there are none."""
    try:
        return [] if target is None else verdicts(points, target, native), None
    except TargetError as error:
        return [], error


def _print_rows(rows: Sequence[dict[str, Any]], as_json: str | None) -> None:
    """Print rows as CSV, or the JSON that has them."""
    if as_json is not None:
        click.echo(as_json, nl=False)
        return
    writer = csv.DictWriter(sys.stdout, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)


def _sentence(found: Verdict, camera: Camera | None) -> str:
    height_m = flying_height(found, camera).get("flying_height_m")
    if height_m is None or camera is None:
        return found.text
    return f"{found.text} That is {height_m:g} m above the ground with {camera.name}."
