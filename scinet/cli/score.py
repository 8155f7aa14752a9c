"""``scinet score`` and ``scinet sweep``: what is wrong with a model's mask, at one resolution or at many."""

import csv
import sys
from math import isnan
from pathlib import Path
from typing import Any

import click

from scinet.camera.camera import Camera
from scinet.cli.bar import Bar, print_notes
from scinet.cli.inputs import Window, read_subject
from scinet.cli.models import load_models
from scinet.cli.options import (
    IMAGE_HELP,
    RESOLUTION,
    SIZE,
    camera_option,
    examples,
    image_options,
    json_option,
    mask_options,
    model_option,
    truth_options,
    working_option,
)
from scinet.errors import SciNetError
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.grading import steps_around
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.parts import FIGURE_NAMES
from scinet.evaluation.report import report, to_json
from scinet.evaluation.sweep import sweep_points
from scinet.evaluation.sweep_rows import COLUMNS, flying_height, sweep_content, sweep_rows, verdicts
from scinet.evaluation.target import Target, Verdict, parse_target
from scinet.raster.choice import ImageChoice
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy
from scinet.vector.choice import VectorChoice

SCORE = f"""Segment an image and compare the mask with reference buildings.

IN is {IMAGE_HELP}. Scores of pixels and of objects, error shares and buildings by kind are those on the working grid
(the reference brought to the model's grid: what the model can be blamed for); next to them are those on the native grid
(the mask brought back: what is lost by flying higher).
"""
SWEEP = f"""Segment an image at many resolutions and score the masks.

IN is {IMAGE_HELP}. Rows have scores, error shares and object scores on both grids, and the agreement with the model's
own mask at the native resolution. Without --truth there is the agreement alone. With --target, standard error says in a
sentence down to which resolution each model keeps it, with a 95 % interval in parentheses, and --json has the figures.
"""


def _target(context: click.Context, option: click.Parameter, text: str | None) -> Target | None:
    return None if text is None else parse_target(text)


@click.command(
    help=SCORE,
    epilog=examples(
        "scinet score tile.tif --truth tile.geojson --model sci-net --cm-per-px 20",
        "scinet score scene.tif --truth buildings.gpkg --window 4096 2048 1024 1024 --model unet --json",
    ),
)
@click.argument("image", metavar="IN")
@truth_options(required=True)
@model_option()
@working_option
@image_options
@mask_options
@click.option("--min-area-m2", type=SIZE, default=0.0, metavar="A", help="Drop smaller components of the mask first.")
@json_option
def score(
    image: str,
    truth: Path,
    mask_choice: MaskChoice,
    features: VectorChoice,
    window: Window | None,
    model: str,
    device: str | None,
    cm_per_px: float | None,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    strategy: Strategy,
    threshold: float,
    min_area_m2: float,
    as_json: bool,
) -> None:
    """Segment an image and compare the mask with reference buildings."""
    subject = read_subject(image, truth, window, native_cm_per_px, image_choice, mask_choice, features)
    print_notes(subject.notes)
    (loaded,) = load_models([model], device)
    raster = subject.raster
    with Bar(subject.name) as bar:
        working, probability = segment(raster, loaded, cm_per_px, strategy, progress=bar.show)
    evaluations = evaluate_on_grids(
        probability, working, raster, subject.truth, threshold=threshold, min_area_m2=min_area_m2
    )
    content = {"notes": subject.notes, **report(subject.name, loaded.card, strategy, **evaluations)}
    click.echo(to_json(content) if as_json else _text(content), nl=False)


@click.command(
    help=SWEEP,
    epilog=examples(
        "scinet sweep tile.tif --truth mask.png --model sci-net --model unet",
        "scinet sweep tile.tif --truth mask.png --model unet --from 5 --to 40 --json > sweep.json",
        "scinet sweep tile.tif --truth mask.png --model unet --target found_over_20_m2=0.9 --camera M3E",
    ),
)
@click.argument("image", metavar="IN")
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
@image_options
@mask_options
@click.option(
    "--target",
    callback=_target,
    metavar="FIGURE=LEAST",
    help=f"What the masks have to reach, such as iou=0.7. Figures: {', '.join(FIGURE_NAMES)}.",
)
@camera_option
@click.option("--json", "as_json", is_flag=True, help="Print rows as JSON instead of CSV.")
def sweep(
    image: str,
    truth: Path | None,
    mask_choice: MaskChoice,
    features: VectorChoice,
    window: Window | None,
    models: tuple[str, ...],
    device: str | None,
    finest: float | None,
    coarsest: float,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    strategy: Strategy,
    threshold: float,
    target: Target | None,
    camera: Camera | None,
    as_json: bool,
) -> None:
    """Segment an image at many resolutions and score the masks."""
    if target is not None and truth is None:
        raise SciNetError("A target needs reference buildings to judge by: give them with --truth.")
    subject = read_subject(image, truth, window, native_cm_per_px, image_choice, mask_choice, features)
    print_notes(subject.notes)
    native = subject.raster.cm_per_px
    steps = _steps(native, finest or native, coarsest)
    loaded = load_models(models, device)
    with Bar(", ".join(model.card.title for model in loaded)) as bar:
        points = sweep_points(
            subject.raster,
            subject.truth,
            loaded,
            steps,
            strategy=strategy,
            threshold=threshold,
            progress=bar.show,
        )
    found = [] if target is None else verdicts(points, target, native)
    print_notes([_sentence(each, camera) for each in found])
    if as_json:
        click.echo(to_json(sweep_content(subject.name, subject.notes, native, points, target, camera)), nl=False)
        return
    writer = csv.DictWriter(sys.stdout, COLUMNS)
    writer.writeheader()
    writer.writerows(sweep_rows(points))


def _sentence(found: Verdict, camera: Camera | None) -> str:
    height_m = flying_height(found, camera).get("flying_height_m")
    if height_m is None or camera is None:
        return found.text
    return f"{found.text} That is {height_m:g} m above the ground with {camera.name}."


def _steps(native: float, finest: float, coarsest: float) -> list[float]:
    """The usual steps from the finest to the coarsest, and the native one. Raises SciNetError if they are reversed."""
    if finest > coarsest:
        raise SciNetError(f"--from {finest:g} is coarser than --to {coarsest:g}: give the finest first.")
    return [step for step in steps_around(native) if finest <= step <= coarsest or step == native]


def _text(content: dict[str, Any]) -> str:
    """A report in lines for people."""
    truth, native = content["truth"], content["native"]
    lines = [
        f"{content['image']['name']}, {content['model']['name']} at {content['working']['cm_per_px']:.3g} cm/px "
        f"(native {content['image']['cm_per_px']:.3g})",
        f"{'':24}{'working':>9}{'native':>9}",
    ]
    for group, prefix in (("scores", ""), ("shares", ""), ("objects", "object ")):
        for name, value in truth[group].items():
            title = f"{prefix}{name.replace('_', ' ')}"
            lines.append(f"{title:24}{_figure(value)}{_figure(native[group][name])}")
    lines += [
        f"{group:24}" + ", ".join(f"{count} {kind}" for kind, count in truth[group].items())
        for group in ("buildings", "components")
    ]
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return f"{value:>9}" if isinstance(value, int) else f"{'-' if isnan(value) else format(value, '.3f'):>9}"
