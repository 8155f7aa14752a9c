"""``scinet score``: what is wrong with a model's mask."""

from math import isnan
from pathlib import Path
from typing import Any

import click

from scinet.cli.bar import Bar, print_notes
from scinet.cli.models import load_models
from scinet.cli.options import (
    IMAGE_HELP,
    SIZE,
    area_option,
    examples,
    image_options,
    json_option,
    mask_options,
    model_option,
    not_all_labelled_option,
    truth_options,
    working_option,
)
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.mask_values import MaskChoice
from scinet.evaluation.partial import labels_note
from scinet.evaluation.report import report, to_json
from scinet.evaluation.subject import Window, read_subject, with_area
from scinet.raster.choice import ImageChoice
from scinet.raster.scene import open_scene
from scinet.segmentation.segment import segment
from scinet.segmentation.strategies import Strategy
from scinet.vector.choice import VectorChoice

SCORE = f"""Segment an image and compare the mask with reference buildings.

IN is {IMAGE_HELP}. Scores of pixels and of objects, error shares and buildings by kind are those on the working grid
(the reference brought to the model's grid: what the model can be blamed for); next to them are those on the native grid
(the mask brought back: what is lost by flying higher).
"""


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
@area_option
@not_all_labelled_option
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
    area: Path | None,
    not_all_labelled: bool,
    native_cm_per_px: float | None,
    image_choice: ImageChoice,
    strategy: Strategy,
    threshold: float,
    min_area_m2: float,
    as_json: bool,
) -> None:
    """Segment an image and compare the mask with reference buildings."""
    scene = open_scene(image, cm_per_px=native_cm_per_px, choice=image_choice)
    subject = with_area(read_subject(scene, truth, mask_choice, features, window), area, not_all_labelled)
    print_notes(subject.notes)
    (loaded,) = load_models([model], device)
    raster = subject.raster
    with Bar(subject.name) as bar:
        working, probability = segment(raster, loaded, cm_per_px, strategy, progress=bar.show)
    evaluations = evaluate_on_grids(
        probability,
        working,
        raster,
        subject.truth,
        threshold=threshold,
        min_area_m2=min_area_m2,
        area=subject.area,
    )
    notes = [*subject.notes, *labels_note(evaluations["native"], not_all_labelled)]
    print_notes(notes[len(subject.notes) :])
    content = report(subject.name, loaded.card, strategy, **evaluations, is_partial=not_all_labelled)
    content = {"notes": notes, **content}
    click.echo(to_json(content) if as_json else _text(content), nl=False)


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
