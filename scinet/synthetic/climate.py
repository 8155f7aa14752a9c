"""Where in the world a generated town stands: its light, ground, plants, roofs and the way that it is built.

The default is the dense West African town of the app; `CLIMATES` are others, so that what is trained on generated
towns sees more than one kind of ground. Colours are RGB in [0, 255].
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Colour = tuple[float, float, float]
Soil = tuple[Colour, Colour, Colour]  # common, light and trodden, dark and damp

BLOCKS = ("dense", "row", "compound", "open")
LATERITE: Soil = ((140, 98, 60), (174, 134, 92), (74, 58, 42))
LOAM: Soil = ((132, 106, 72), (172, 146, 108), (70, 60, 46))
RED_LATERITE: Soil = ((150, 92, 54), (182, 124, 78), (80, 54, 38))
DUST: Soil = ((134, 116, 88), (180, 160, 126), (74, 66, 52))
BRIGHT_SAND: Soil = ((206, 186, 150), (232, 218, 190), (164, 142, 108))
WHITE_SAND: Soil = ((222, 212, 192), (240, 234, 222), (186, 172, 148))
GREY_SOIL: Soil = ((112, 106, 96), (146, 140, 130), (66, 62, 56))
MEADOW: Soil = ((88, 98, 58), (124, 124, 80), (54, 62, 38))
DARK_MEADOW: Soil = ((60, 80, 44), (92, 104, 62), (40, 50, 32))
CITY: Soil = ((118, 116, 114), (158, 156, 152), (82, 80, 78))
SNOW: Soil = ((226, 230, 236), (240, 243, 247), (196, 202, 212))


@dataclass(frozen=True)
class Surface:
    """Open ground of one kind: a car park, a square, water or a field."""

    colour: Colour
    texture: float = 0.05  # share of the brightness that varies
    furrow_m: float = 0.0  # distance of the rows of a field; 0: none
    cars: bool = False


CAR_PARK = Surface((84, 84, 86), cars=True)
BRIGHT_CAR_PARK = Surface((166, 164, 158), cars=True)
SQUARE = Surface((196, 184, 168), 0.04)
WATER = Surface((48, 66, 66), 0.02)
MUDDY_WATER = Surface((128, 108, 78), 0.02)
FIELD = Surface((110, 120, 58), 0.08, 0.9)
BARE_FIELD = Surface((142, 112, 78), 0.08, 0.7)
RICE = Surface((96, 124, 48), 0.05, 0.3)
ICE = Surface((206, 216, 226), 0.02)


@dataclass(frozen=True)
class Climate:
    """What towns of one part of the world have in common."""

    soils: Mapping[Soil, float] = field(
        default_factory=lambda: {LATERITE: 0.4, LOAM: 0.25, RED_LATERITE: 0.2, DUST: 0.15}
    )
    asphalt: Colour = (122, 112, 98)
    grass: Colour = (96, 102, 52)
    grit: Colour = (128, 118, 102)  # stones and rubble in the open ground
    slab: Colour = (158, 146, 124)  # cemented yards
    concrete: Colour = (168, 152, 126)  # flat roofs
    leaf: Colour = (72, 80, 38)
    greenness: tuple[float, float] = (0.1, 0.45)
    sun_elevation_degrees: tuple[float, float] = (48, 66)
    shadow_strength: tuple[float, float] = (0.36, 0.56)
    roofs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by mix; the usual ones where it is missing
    flat_share: float = 1.0  # times the usual share of flat roofs
    blocks: tuple[float, float, float, float] = (0.64, 0.13, 0.17, 0.06)  # shares of BLOCKS
    block_scale: float = 1.0  # of the blocks' areas
    plot_scale: float = 1.0  # of the plots' areas
    courtyard_share: float = 1.0  # of the towns that have buildings around a courtyard
    tree_density: float = 1.0
    litter: float = 1.0  # times the usual rubbish, which takes a third of the time of drawing
    paved_share: float | None = None  # of the roads; None: as usual
    surfaces: Mapping[Surface, float] = field(default_factory=dict)  # what half of the open blocks are


def _same(roofs: Mapping[str, float]) -> dict[str, Mapping[str, float]]:
    return {"informal": roofs, "house": roofs, "hall": roofs}


CLIMATES: dict[str, Climate] = {
    "laterite town": Climate(),
    "sandy coast": Climate(
        courtyard_share=0.2,
        soils={BRIGHT_SAND: 0.6, WHITE_SAND: 0.4},
        grass=(128, 124, 82),
        grit=(214, 204, 184),
        slab=(204, 196, 180),
        asphalt=(150, 144, 134),
        concrete=(196, 188, 172),
        greenness=(0.0, 0.25),
        sun_elevation_degrees=(50, 75),
        roofs=_same({"rust": 20, "brown": 10, "grey": 25, "zinc": 15, "thatch": 12, "white": 8, "blue": 4, "dark": 6}),
        flat_share=2.5,
        blocks=(0.4, 0.1, 0.3, 0.2),
        plot_scale=1.3,
        surfaces={SQUARE: 1, BARE_FIELD: 1},
    ),
    "green village": Climate(
        courtyard_share=0.2,
        soils={DARK_MEADOW: 0.5, MEADOW: 0.3, LOAM: 0.2},
        grass=(70, 100, 42),
        leaf=(52, 84, 34),
        greenness=(0.5, 0.9),
        sun_elevation_degrees=(35, 75),
        shadow_strength=(0.3, 0.6),
        roofs=_same({"grey": 20, "red": 15, "green": 12, "blue": 10, "rust": 20, "dark": 12, "thatch": 8, "zinc": 8}),
        blocks=(0.12, 0.03, 0.4, 0.45),
        block_scale=1.5,
        plot_scale=1.4,
        tree_density=2.5,
        paved_share=0.3,
        surfaces={RICE: 3, FIELD: 2, MUDDY_WATER: 1, WATER: 1},
    ),
    "suburb": Climate(
        courtyard_share=0.2,
        soils={MEADOW: 0.6, DARK_MEADOW: 0.2, GREY_SOIL: 0.2},
        grass=(88, 112, 58),
        asphalt=(92, 92, 94),
        slab=(186, 184, 178),
        concrete=(182, 180, 176),
        leaf=(58, 78, 40),
        greenness=(0.45, 0.8),
        sun_elevation_degrees=(25, 65),
        shadow_strength=(0.4, 0.7),
        roofs=_same({"shingle": 40, "brown shingle": 20, "dark": 15, "tile": 8, "white": 7, "grey": 5, "red": 5}),
        flat_share=0.6,
        blocks=(0.04, 0.08, 0.62, 0.26),
        block_scale=1.6,
        plot_scale=2.5,
        tree_density=1.6,
        paved_share=1.0,
        surfaces={CAR_PARK: 3, BRIGHT_CAR_PARK: 2, SQUARE: 1, WATER: 1},
    ),
    "paved city": Climate(
        courtyard_share=0.2,
        soils={CITY: 0.7, GREY_SOIL: 0.3},
        grass=(92, 108, 64),
        asphalt=(96, 96, 98),
        slab=(172, 168, 162),
        concrete=(162, 160, 156),
        greenness=(0.0, 0.3),
        sun_elevation_degrees=(25, 65),
        shadow_strength=(0.45, 0.75),
        roofs=_same({"dark": 25, "shingle": 15, "white": 18, "grey": 20, "tile": 12, "red": 5, "zinc": 5}),
        flat_share=6.0,
        blocks=(0.4, 0.25, 0.15, 0.2),
        plot_scale=2.5,
        tree_density=0.8,
        paved_share=1.0,
        surfaces={CAR_PARK: 4, BRIGHT_CAR_PARK: 3, SQUARE: 3},
    ),
    "tiled town": Climate(
        courtyard_share=0.2,
        soils={DUST: 0.4, LOAM: 0.3, MEADOW: 0.3},
        asphalt=(112, 110, 106),
        slab=(190, 178, 158),
        leaf=(70, 82, 44),
        greenness=(0.1, 0.5),
        sun_elevation_degrees=(30, 70),
        roofs=_same({"tile": 55, "red": 20, "brown": 10, "cream": 8, "dark": 7}),
        blocks=(0.4, 0.3, 0.2, 0.1),
        plot_scale=1.6,
        paved_share=0.8,
        surfaces={FIELD: 1, SQUARE: 1, CAR_PARK: 1, BARE_FIELD: 1},
    ),
    "brick valley": Climate(
        courtyard_share=0.2,
        soils={GREY_SOIL: 0.4, LOAM: 0.4, MEADOW: 0.2},
        grass=(104, 112, 66),
        concrete=(170, 162, 154),
        greenness=(0.15, 0.55),
        sun_elevation_degrees=(35, 70),
        roofs=_same({"blue": 12, "grey": 25, "rust": 20, "green": 6, "red": 10, "brown": 15, "zinc": 12}),
        flat_share=9.0,
        blocks=(0.5, 0.2, 0.1, 0.2),
        plot_scale=1.2,
        surfaces={FIELD: 2, BARE_FIELD: 2, RICE: 1},
    ),
    "red village": Climate(
        courtyard_share=0.2,
        soils={RED_LATERITE: 0.7, LATERITE: 0.3},
        grass=(108, 112, 56),
        greenness=(0.2, 0.6),
        roofs=_same({"thatch": 35, "rust": 25, "zinc": 15, "brown": 15, "grey": 10}),
        flat_share=0.2,
        blocks=(0.15, 0.05, 0.4, 0.4),
        block_scale=1.4,
        plot_scale=0.9,
        tree_density=1.5,
        paved_share=0.1,
        surfaces={BARE_FIELD: 2, FIELD: 2, MUDDY_WATER: 1},
    ),
    "snow": Climate(
        courtyard_share=0.2,
        soils={SNOW: 1.0},
        grass=(188, 188, 180),
        grit=(206, 208, 212),
        slab=(214, 216, 220),
        asphalt=(128, 128, 132),
        leaf=(86, 84, 74),
        greenness=(0.0, 0.2),
        sun_elevation_degrees=(15, 40),
        shadow_strength=(0.3, 0.55),
        roofs=_same({"snowed": 45, "dark": 25, "shingle": 10, "red": 10, "zinc": 10}),
        flat_share=1.5,
        blocks=(0.1, 0.2, 0.45, 0.25),
        plot_scale=2.0,
        paved_share=0.7,
        surfaces={CAR_PARK: 2, ICE: 2},
    ),
}
