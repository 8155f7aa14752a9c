"""``python -m scinet models`` and ``tiles``: what there is to work with."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import SciNetError
from scinet.evaluation.report import to_json
from scinet.models.card import list_models


def add_commands(commands: argparse._SubParsersAction) -> None:
    models = commands.add_parser(
        "models", help="list the checkpoints", description="List the checkpoints, with their training GSD and scores."
    )
    models.add_argument("--json", action="store_true", help="the whole cards as JSON")
    models.set_defaults(command=run_models)
    tiles = commands.add_parser(
        "tiles",
        help="list the images of a folder",
        description="List the images of a folder: those of its index.csv, else scenes in the layout of the Open Cities "
        "AI Challenge, else all images that lie in it.",
    )
    tiles.add_argument("folder", metavar="DIR", type=Path)
    tiles.add_argument("--split", help="those of this split alone: train, val or test")
    tiles.add_argument("--city", help="those of this city alone")
    tiles.add_argument("--json", action="store_true", help="with size, GSD, CRS and paths, as JSON")
    tiles.set_defaults(command=run_tiles)


def run_models(options: argparse.Namespace) -> None:
    cards = list_models()
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


def run_tiles(options: argparse.Namespace) -> None:
    tiles = [
        tile
        for tile in tiles_in(options.folder)
        if options.split in (None, tile.split) and (options.city or tile.city).lower() == tile.city.lower()
    ]
    if not tiles:
        raise SciNetError(f"{options.folder} holds no image of this split and city.")
    rows = [_row(tile) for tile in tiles]
    if options.json:
        print(to_json({"folder": str(options.folder), "tiles": rows}), end="")
        return
    for row in rows:
        gsd = f"{row['cm_per_px']:.3g}" if row["cm_per_px"] else "unknown"
        size = f"{row['width_px']} x {row['height_px']} px" if row["width_px"] else row["problem"]
        about = ", ".join(filter(None, (row["city"], row["split"], "with truth" if row["truth"] else "")))
        print(f"{row['name']}  {size}, {gsd} cm/px  {about}".rstrip())


def _row(tile: Tile) -> dict[str, Any]:
    """What is known of a tile; where it cannot be opened, the problem in a sentence."""
    row: dict[str, Any] = {
        "name": tile.name,
        "image": str(tile.image),
        "truth": str(tile.truth) if tile.truth else None,
        "city": tile.city,
        "split": tile.split,
        "cm_per_px": None,
        "width_px": None,
        "height_px": None,
        "crs": None,
        "problem": None,
    }
    try:
        scene = tile.open()
    except SciNetError as error:
        return {**row, "problem": str(error)}
    crs = scene.crs.to_string() if scene.crs else None
    return {**row, "cm_per_px": scene.cm_per_px, "width_px": scene.width, "height_px": scene.height, "crs": crs}
