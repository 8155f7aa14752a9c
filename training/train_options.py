"""The command line of ``training.train``, and the recipe that it describes."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from scinet.models.architectures import ARCHITECTURES, NAMES, outputs_of
from scinet.models.device import parse_device
from training.chips import dataset_share
from training.recipe import Recipe

AUGMENTATIONS = {
    "photometric": "strength of other light, cameras and soils",
    "grayscale_probability": "share of the chips without colour",
    "degrade_probability": "share of the chips with blur, noise, sharpening, JPEG or a kernel that aliases",
    "turn_probability": "share of the chips turned by any angle",
    "mosaic_probability": "share of the chips that no scene fills which other tiles fill",
}
OUTPUT_WEIGHTS = {"building": 1.0, "boundary": 0.5, "distance": 0.5}  # in the loss, unless others are given


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a run; ends the process with a sentence where they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description="Train a model.", allow_abbrev=False)
    _add_run(parser)
    _add_recipe(parser)
    options = parser.parse_args(arguments)
    if options.epochs < 1 or not 1 <= options.batch <= options.chips_per_epoch:
        parser.error("--epochs and --batch are at least 1, and --chips-per-epoch at least --batch")
    if options.chip_px < 32:
        parser.error("--chip-px is at least 32")
    if not 0 < options.resolution_range[0] <= options.resolution_range[1]:
        parser.error("--resolution-range is two positive numbers, the smaller first")
    if options.window_px < 32 or options.window_m <= 0:
        parser.error("--window-px is at least 32, and --window-m above 0")
    if not 0 <= options.ema_decay < 1:
        parser.error("--ema-decay is from 0 to below 1")
    if options.consistency < 0 or (options.consistency and not options.ema_decay):
        parser.error("--consistency is 0 or more, and needs a moving average, such as --ema-decay 0.995")
    if options.no_scale_input and not ARCHITECTURES[options.model].takes_cm_per_px:
        parser.error(f"{options.model} does not take the resolution: leave --no-scale-input out")
    unknown = {name for name, _ in options.output_weight} - set(outputs_of(options.model))
    if unknown:
        parser.error(f"{options.model} has no output {', '.join(sorted(unknown))}")
    if not all(0 <= getattr(options, name) <= 1 for name in AUGMENTATIONS):
        parser.error("--photometric and the probabilities are from 0 to 1")
    return options


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, choices=NAMES)
    parser.add_argument(
        "--data", required=True, type=Path, action="append", help="a folder with index.csv; may be given again"
    )
    parser.add_argument("--name", help="of the run and its checkpoint (default: the model's)")
    parser.add_argument(
        "--encoder-weights", default="imagenet", help='"imagenet" (from timm), "none" or a safetensors file'
    )
    parser.add_argument("--start-from", metavar="CHECKPOINT", help="begin with a checkpoint's weights, by name or path")
    parser.add_argument("--window-px", type=int, default=576, help="longest side of the windows of inference")
    parser.add_argument("--window-m", type=float, default=32.0, help="and on the ground, where that is less")
    parser.add_argument("--workers", type=int, default=1, help="processes that cut chips")
    parser.add_argument("--save-every", type=int, default=3200, metavar="CHIPS", help="what a kill can cost at most")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where logs and the resume file go")
    parser.add_argument("--checkpoints", type=Path, help="where the checkpoint goes (default: the run's folder)")
    parser.add_argument("--device", type=parse_device, default=None)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    paper = Recipe()
    parser.add_argument("--epochs", type=int, default=paper.epochs)
    parser.add_argument("--chips-per-epoch", type=int, default=paper.chips_per_epoch)
    parser.add_argument("--batch", type=int, default=paper.batch)
    parser.add_argument("--chip-px", type=int, default=paper.chip_px)
    parser.add_argument("--learning-rate", type=float, default=paper.learning_rate)
    gsd = parser.add_mutually_exclusive_group()
    gsd.add_argument("--resolution-range", type=float, nargs=2, default=paper.gsd_range_cm_per_px, metavar="CM_PER_PX")
    gsd.add_argument("--native-resolution", action="store_true", help="leave each chip at its tile's own resolution")
    parser.add_argument(
        "--weight", type=dataset_share, action="append", default=[], metavar="DATASET=SHARE", help="share of the chips"
    )
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="DATASET", help="never seen; may be given again"
    )
    for name, title in AUGMENTATIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, metavar="0..1", help=title)
    parser.add_argument("--standardise", action="store_true", help="each image to mean 0 and deviation 1 per channel")
    parser.add_argument(
        "--output-weight",
        type=dataset_share,
        action="append",
        default=[],
        metavar="OUTPUT=WEIGHT",
        help="of an output in the loss, such as boundary=0.5; the others then do not count",
    )
    parser.add_argument(
        "--no-scale-input", action="store_true", help="for experiments: the model makes nothing of the resolution"
    )
    parser.add_argument(
        "--consistency",
        type=float,
        default=paper.consistency,
        metavar="WEIGHT",
        help="of a loss between the model and what its moving average sees twice as fine; 0 is without",
    )
    parser.add_argument(
        "--ema-decay", type=float, default=paper.ema_decay, help="keep the weights' moving average: 0 (no) to 1"
    )
    parser.add_argument("--seed", type=int, default=paper.seed)


def recipe_of(options: argparse.Namespace) -> Recipe:
    """The recipe; the weights of data sets that are left out fall away."""
    return Recipe(
        learning_rate=options.learning_rate,
        batch=options.batch,
        chip_px=options.chip_px,
        epochs=options.epochs,
        chips_per_epoch=options.chips_per_epoch,
        gsd_range_cm_per_px=None if options.native_resolution else tuple(options.resolution_range),
        dataset_weights={name: share for name, share in options.weight if name not in options.leave_out},
        leave_out=tuple(options.leave_out),
        standardise=options.standardise,
        output_weights=dict(options.output_weight)
        or {name: OUTPUT_WEIGHTS[name] for name in outputs_of(options.model)},
        scale_input=not options.no_scale_input,
        consistency=options.consistency,
        ema_decay=options.ema_decay,
        seed=options.seed,
        **{name: getattr(options, name) for name in AUGMENTATIONS},
    )
