"""``scinet oam``: search OpenAerialMap."""

import json
from dataclasses import asdict

import click

from scinet.cli.options import examples, json_option
from scinet.datasets.open_aerial_map import find_images
from scinet.errors import SciNetError


@click.command(
    epilog=examples("scinet oam -- -0.2 5.55 -0.19 5.56", "scinet oam --finer-than 10 39.19 -6.17 39.21 -6.15"),
)
@click.argument("west", type=float)
@click.argument("south", type=float)
@click.argument("east", type=float)
@click.argument("north", type=float)
@click.option("--finer-than", type=float, metavar="N", help="List only images of less than N cm/px.")
@json_option
def oam(west: float, south: float, east: float, north: float, finer_than: float | None, as_json: bool) -> None:
    """List the images of OpenAerialMap that show a place, the finest first.

    WEST SOUTH EAST NORTH bound the place, in degrees. Asks api.openaerialmap.org. The other commands read the
    addresses that are listed.
    """
    found = [
        image for image in find_images(west, south, east, north) if finer_than is None or image.cm_per_px < finer_than
    ]
    if as_json:
        click.echo(json.dumps({"images": [asdict(image) for image in found]}, indent=2, ensure_ascii=False))
        return
    if not found:
        raise SciNetError("OpenAerialMap has no such image of this place.")
    for image in found:
        about = ", ".join(filter(None, (f"{image.cm_per_px:.3g} cm/px", image.date, image.provider, image.licence)))
        click.echo(f"{image.title}: {about}\n  {image.address}")
