"""``scinet models``, ``scinet samples`` and ``scinet tiles``: what there is to work with."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from scinet.datasets import samples as sample_tiles
from scinet.datasets.tiles import Tile, tiles_in
from scinet.errors import SciNetError
from scinet.models.card import list_models
from scinet.models.stac import item_collection


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the models' cards as JSON.")
@click.option("--stac", "as_stac", is_flag=True, help="Print them as STAC items with the MLM extension.")
def models(as_json: bool, as_stac: bool) -> None:
    """List the models, with the resolutions that they were trained at and their scores."""
    cards = list_models()
    if as_stac:
        click.echo(json.dumps(item_collection(cards), indent=2, ensure_ascii=False))
        return
    if as_json:
        click.echo(json.dumps([asdict(card) for card in cards], indent=2))
        return
    if not cards:
        raise SciNetError("There is no model; train one with python -m training.train or set SCINET_CHECKPOINTS.")
    width = max(len(card.name) for card in cards)
    for card in cards:
        low, high = card.gsd_range_cm_per_px
        scores = ", ".join(f"{name} {value}" for name, value in card.scores.items() if isinstance(value, float))
        click.echo(f"{card.name:{width}}  {card.title}, trained at {low:g} to {high:g} cm/px; {scores}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print titles, sizes, licences and paths as JSON.")
def samples(as_json: bool) -> None:
    """List the sample tiles on board, with the paths of image and reference mask."""
    found = sample_tiles.samples()
    if as_json:
        rows = [
            {"title": each.title, "about": each.about, **_row(each.tile), "licence": each.tile.licence}
            for each in found
        ]
        click.echo(json.dumps({"samples": rows}, indent=2, ensure_ascii=False))
        return
    for each in found:
        click.echo(f"{each.title} ({each.tile.cm_per_px:g} cm/px): {each.about}")
        click.echo(f"  image      {each.tile.image}\n  reference  {each.tile.truth}\n  licence    {each.tile.licence}")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--split", help="List only this split: train, val or test.")
@click.option("--city", help="List only this city.")
@click.option("--json", "as_json", is_flag=True, help="Print size, resolution, CRS and paths as JSON.")
def tiles(folder: Path, split: str | None, city: str | None, as_json: bool) -> None:
    """List the images of a folder.

    These are the rows of its index.csv, or else scenes in the layout of the Open Cities AI Challenge, or else all
    images in it.
    """
    found = [
        tile
        for tile in tiles_in(folder)
        if split in (None, tile.split) and (city or tile.city).lower() == tile.city.lower()
    ]
    if not found:
        raise SciNetError(f"{folder} contains no image of this split and city.")
    rows = [_row(tile) for tile in found]
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "tiles": rows}, indent=2, ensure_ascii=False))
        return
    for row in rows:
        gsd = f"{row['cm_per_px']:.3g}" if row["cm_per_px"] else "unknown"
        size = f"{row['width_px']} x {row['height_px']} px" if row["width_px"] else row["problem"]
        about = ", ".join(filter(None, (row["city"], row["split"], "with reference" if row["truth"] else "")))
        click.echo(f"{row['name']}  {size}, {gsd} cm/px  {about}".rstrip())


def _row(tile: Tile) -> dict[str, Any]:
    """What is known of a tile; if it cannot be opened, the problem in a sentence."""
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
