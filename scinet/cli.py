"""The command line: ``python -m scinet segment IN OUT.tif --model sci-net --cm-per-px 10``."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scinet import ocaic
from scinet.checkpoint import list_cards, load_model
from scinet.device import parse_device
from scinet.errors import SciNetError
from scinet.geotiff import MASK_NODATA, write_mask
from scinet.raster import read_raster
from scinet.resolution import parse_cm_per_px
from scinet.segment import STRATEGIES, segment_at


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 where the user's input is at fault."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except SciNetError as error:
        print(f"scinet: {error}", file=sys.stderr)
        return 2
    return 0


def segment_command(options: argparse.Namespace) -> None:
    """Write the building mask of an image: uint8, 1 = building, 0 = not, 255 = nodata."""
    if not 0 < options.threshold < 1:
        raise SciNetError(f"The threshold {options.threshold:g} is not between 0 and 1; 0.5 is usual.")
    native = None if options.native_cm_per_px is None else parse_cm_per_px(options.native_cm_per_px)
    asked = None if options.cm_per_px is None else parse_cm_per_px(options.cm_per_px)
    device = parse_device(options.device) if options.device else None
    raster = read_raster(options.image, cm_per_px=native)
    model = load_model(options.model, device)
    for note in raster.notes:
        print(note, file=sys.stderr)
    with tqdm(total=1.0, desc=model.card.title, bar_format="{desc} {percentage:3.0f}% |{bar}| {remaining} left") as bar:
        working, probability = segment_at(
            raster, model, asked or raster.cm_per_px, options.strategy, lambda done: bar.update(done - bar.n)
        )
    mask = np.where(working.valid, probability > options.threshold, MASK_NODATA).astype(np.uint8)
    write_mask(options.mask, mask, working)
    share = np.count_nonzero(mask == 1) / np.count_nonzero(working.valid)
    print(
        f"{options.mask}: {working.width} x {working.height} px at {working.cm_per_px:.3g} cm/px, {share:.1%} building"
    )


def models_command(options: argparse.Namespace) -> None:
    """List the checkpoints."""
    cards = list_cards()
    if options.json:
        print(json.dumps([asdict(card) for card in cards], indent=2))
        return
    if not cards:
        raise SciNetError("There is no checkpoint; train one with python -m training.train or set SCINET_CHECKPOINTS.")
    width = max(len(card.name) for card in cards)
    for card in cards:
        low, high = card.gsd_range_cm_per_px
        scores = ", ".join(f"{name} {value}" for name, value in card.scores.items() if isinstance(value, float))
        print(f"{card.name:{width}}  {card.title}, trained at {low:g} to {high:g} cm/px; {scores}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scinet", description="Building masks at any ground resolution.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    segment = commands.add_parser(
        "segment", help="write the building mask of an image", description=segment_command.__doc__
    )
    segment.add_argument("image", metavar="IN", help="GeoTIFF, COG, PNG, JPEG, WebP or JPEG 2000")
    segment.add_argument("mask", metavar="OUT.tif", type=Path, help="GeoTIFF with the input's extent and CRS")
    segment.add_argument(
        "--model", required=True, metavar="NAME", help="a checkpoint: python -m scinet models lists them"
    )
    segment.add_argument(
        "--cm-per-px", metavar="N", help="working GSD, which the mask has too (default: the image's own)"
    )
    segment.add_argument("--native-cm-per-px", metavar="N", help="the image's own GSD, where it has no georeference")
    segment.add_argument(
        "--strategy", choices=STRATEGIES, default="direct", help="what the model sees (default: direct)"
    )
    segment.add_argument("--threshold", type=float, default=0.5, metavar="P", help="building above it (default: 0.5)")
    segment.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (default: the best there is)")
    segment.set_defaults(command=segment_command)

    models = commands.add_parser("models", help="list the checkpoints", description=models_command.__doc__)
    models.add_argument("--json", action="store_true", help="the whole cards as JSON")
    models.set_defaults(command=models_command)
    ocaic.add_commands(commands)
    return parser
