"""Real tiles that come with the package: nine test tiles with their reference masks."""

from dataclasses import dataclass
from pathlib import Path

from scinet.datasets.tiles import Tile, tiles_in

FOLDER = Path(__file__).with_name("sample_tiles")  # written by ``python -m training.samples``
_TEXTS = {
    "accra_building_site": (
        "Accra, a building site",
        "An unfinished building without a roof: here the models differ most.",
    ),
    "accra_halls": (
        "Accra, large halls",
        "Roofs of over 30 m, which a model breaks up where it sees too little ground at once.",
    ),
    "accra_dense": (
        "Accra, dense housing",
        "Roofs of many materials that touch one another.",
    ),
    "accra_edge": (
        "Accra, the edge of the flight",
        "The flight ends here: a corner of the image is black.",
    ),
    "kampala_huts": (
        "Kampala, huts",
        "Corrugated iron roofs less than a metre apart.",
    ),
    "zanzibar_school": (
        "Zanzibar, a school",
        "Scattered houses, foundations and a large U-shaped roof.",
    ),
    "zanzibar_shells": (
        "Zanzibar, houses being built",
        "Walls without a roof, which the reference counts as buildings.",
    ),
    "banepa_centre": (
        "Banepa, the old town",
        "A city that no training tile comes from.",
    ),
    "banepa_warehouses": (
        "Banepa, warehouses",
        "Long roofs and car parks, in a city that no training tile comes from.",
    ),
}


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
    tiles = {tile.image.stem: tile for tile in tiles_in(FOLDER)}
    return [Sample(tiles[name], title, about) for name, (title, about) in _TEXTS.items()]
