"""``python -m scinet score`` and ``sweep``: what is wrong with a model's mask, at one resolution or at many."""

import argparse
import csv
import sys
from math import isnan
from typing import Any

from scinet.cli.inputs import add_truth, subject_of
from scinet.cli.options import IMAGE_HELP, Bar, add_model, add_native, add_seeing, check_threshold, gsd, models_of
from scinet.errors import SciNetError
from scinet.evaluation.evaluate import evaluate_on_grids
from scinet.evaluation.grading import steps_around
from scinet.evaluation.report import report, to_json
from scinet.evaluation.sweep import resolutions_held, sweep
from scinet.raster.resolution import STEPS_CM_PER_PX
from scinet.segmentation.segment import segment

SCORE = """Segment an image and compare the mask with the truth: scores of pixels and of objects, error shares and the
buildings by kind, on the working grid (truth brought to the model's grid: what the model can be blamed for), and the
scores on the native one (the mask brought back: what is lost by flying higher)."""
SCORE_EXAMPLES = """examples:
  python -m scinet score tile.tif --truth tile.geojson --model sci-net --cm-per-px 20
  python -m scinet score scene.tif --truth buildings.gpkg --window 4096 2048 1024 1024 --model unet --json
"""
SWEEP = """Segment an image at many resolutions: scores, error shares and object scores on both grids, agreement with
the model's own mask at the native GSD, and how far each model holds. Without --truth, the agreement alone."""
SWEEP_EXAMPLES = """examples:
  python -m scinet sweep tile.tif --truth mask.png --model sci-net --model unet
  python -m scinet sweep tile.tif --truth mask.png --model unet --from 5 --to 40 --json > sweep.json
"""


def add_commands(commands: argparse._SubParsersAction) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    tip = "compare a model's mask with the truth"
    score = commands.add_parser("score", help=tip, description=SCORE, epilog=SCORE_EXAMPLES, formatter_class=raw)
    score.add_argument("image", metavar="IN", help=IMAGE_HELP)
    add_truth(score, required=True)
    add_model(score)
    score.add_argument("--cm-per-px", metavar="N", help="working GSD (default: the image's own)")
    add_native(score)
    add_seeing(score)
    score.add_argument(
        "--min-area-m2", type=float, default=0.0, metavar="A", help="drop smaller components of the mask first (0)"
    )
    score.add_argument("--json", action="store_true", help="the whole report as JSON")
    score.set_defaults(command=run_score)

    tip = "score models at many resolutions"
    sweep = commands.add_parser("sweep", help=tip, description=SWEEP, epilog=SWEEP_EXAMPLES, formatter_class=raw)
    sweep.add_argument("image", metavar="IN", help=IMAGE_HELP)
    add_truth(sweep, required=False)
    add_model(sweep, several=True)
    sweep.add_argument("--from", dest="finest", metavar="N", help="finest GSD in cm/px (default: the image's own)")
    sweep.add_argument("--to", dest="coarsest", metavar="N", default="63", help="coarsest GSD in cm/px (63)")
    add_native(sweep)
    add_seeing(sweep)
    sweep.add_argument("--json", action="store_true", help="rows as JSON; without it, CSV")
    sweep.set_defaults(command=run_sweep)


def run_score(options: argparse.Namespace) -> None:
    check_threshold(options.threshold)
    if not options.min_area_m2 >= 0:
        raise SciNetError(f"A minimum area is 0 m2 or more, not {options.min_area_m2:g}.")
    cm_per_px = gsd(options.cm_per_px)
    subject = subject_of(options)
    assert subject.truth is not None  # the parser wants one
    (model,) = models_of([options.model], options.device)
    with Bar(subject.name) as bar:
        raster = subject.raster
        working, probability = segment(
            raster, model, cm_per_px or raster.cm_per_px, options.strategy, progress=bar.show
        )
    evaluations = evaluate_on_grids(
        probability, working, raster, subject.truth, threshold=options.threshold, min_area_m2=options.min_area_m2
    )
    content = report(subject.name, model.card, options.strategy, **evaluations)
    print(to_json(content) if options.json else _text(content), end="")


def run_sweep(options: argparse.Namespace) -> None:
    check_threshold(options.threshold)
    subject = subject_of(options)
    native = subject.raster.cm_per_px
    steps = _steps(native, gsd(options.finest) or native, gsd(options.coarsest) or STEPS_CM_PER_PX[-1])
    models = models_of(options.model, options.device)
    with Bar(", ".join(model.card.title for model in models)) as bar:
        rows = sweep(
            subject.raster,
            subject.truth,
            models,
            steps,
            strategy=options.strategy,
            threshold=options.threshold,
            progress=bar.show,
        )
    if options.json:
        held = resolutions_held(rows, native)
        print(to_json({"image": subject.name, "native_cm_per_px": native, "holds_to": held, "rows": rows}), end="")
        return
    writer = csv.DictWriter(sys.stdout, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)


def _steps(native: float, finest: float, coarsest: float) -> list[float]:
    """The usual steps from the finest to the coarsest, and the native GSD. Raises ResolutionError for none."""
    if finest > coarsest:
        raise SciNetError(f"--from {finest:g} is coarser than --to {coarsest:g}: give the finest first.")
    return [step for step in steps_around(native) if finest <= step <= coarsest or step == native]


def _text(content: dict[str, Any]) -> str:
    """A score's report in lines for people."""
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
    for group in ("buildings", "components"):
        lines.append(f"{group:24}" + ", ".join(f"{count} {kind}" for kind, count in truth[group].items()))
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return f"{value:>9}" if isinstance(value, int) else f"{'-' if isnan(value) else format(value, '.3f'):>9}"
