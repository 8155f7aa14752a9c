"""Real tiles that come with the package: nine test tiles with their reference masks."""

import csv
from dataclasses import dataclass
from pathlib import Path

from scinet.datasets.tiles import Tile, tiles_in

FOLDER = Path(__file__).with_name("sample_tiles")


@dataclass(frozen=True)
class Sample:
    """A tile on board, with words for the reader.

    Attributes:
        tile: Image, reference mask, position and attribution.
        title: Place and subject, such as "Accra, large halls".
        about: One sentence that says what to look at.
    """

    tile: Tile
    title: str
    about: str


def samples() -> list[Sample]:
    """The sample tiles, the most telling first.

    Returns:
        Nine samples of 1024 x 1024 px at 5.18 to 13.23 cm/px, from Accra, Kampala, Zanzibar and Banepa.

    Example:
        >>> samples()[0].title
        'Accra, a building site'
    """
    with (FOLDER / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Sample(tile, row["title"], row["about"]) for tile, row in zip(tiles_in(FOLDER), rows, strict=True)]
