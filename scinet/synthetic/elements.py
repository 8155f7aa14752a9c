"""What a generated town is made of: plain records of geometry in metres and of colour, no drawing.

Coordinates are metres in the town's local plane: x to the right, y up, origin at the upper left corner.
Colours are RGB in [0, 255]. The palettes follow roofs measured on drone images of dense West African towns.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from shapely import LineString, Polygon

from scinet.synthetic.climate import Climate, Colour, Surface

SHEETS = 16  # entries in a roof's palette: one sheet of metal takes one of them


@dataclass(frozen=True)
class TownStyle:
    """What one town has in common: its sun, its soil and its greenness."""

    sun: tuple[float, float]  # unit vector on the ground, towards the sun
    shadow_per_height: float  # cotangent of the sun's elevation
    shadow_strength: float  # 0 none .. 1 black
    soils: tuple[Colour, Colour, Colour]  # common, light and trodden, dark and damp
    asphalt: Colour
    greenness: float  # share of open ground under grass, about
    climate: Climate = field(default_factory=Climate)


@dataclass(frozen=True)
class Wing:
    """A rectangle of roof: centre, direction of its ridge, half sizes. A roof is its wings' upper hull."""

    x: float
    y: float
    angle: float
    half_length: float
    half_width: float


@dataclass(frozen=True)
class Roof:
    """How a roof looks."""

    shape: str  # "gable", "hip", "mono" (one slope) or "flat"
    palette: np.ndarray  # float32 (SHEETS, 3): colours of its sheets
    stain: Colour  # rust or soot
    stain_level: float  # 0 clean .. 1 all over
    sheet_m: tuple[float, float]  # along the ridge, down the slope
    rib: float  # amplitude of the corrugation's streaks, as a share of the brightness
    contrast: float  # between a side that faces the sun and one that does not
    phase: tuple[int, int]


@dataclass(frozen=True)
class Item:
    """Anything small of one colour: a car's window, a tank, a loose sheet, rubbish, a wall."""

    polygon: np.ndarray  # float (N, 2), metres
    colour: Colour
    height_m: float = 0.0  # casts a shadow where above zero


@dataclass(frozen=True)
class Building:
    """A building: its exact footprint, and its roof."""

    footprint: Polygon
    height_m: float
    wings: tuple[Wing, ...]
    roof: Roof
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Tree:
    """A broad-leaved tree or a palm."""

    x: float
    y: float
    radius_m: float
    height_m: float
    palm: bool
    colour: Colour
    # float32 (N, 3): offset x, y and radius in metres; for a palm its fronds' angle, reach and width
    clumps: np.ndarray


@dataclass(frozen=True)
class Road:
    """A straight piece of road."""

    line: LineString
    width_m: float
    paved: bool

    @property
    def area(self) -> Polygon:
        """The ground that the road covers."""
        strip: Polygon = self.line.buffer(self.width_m / 2, cap_style="flat")
        return strip


@dataclass(frozen=True)
class OpenGround:
    """A car park, a square, water or a field."""

    polygon: np.ndarray  # float (N, 2), metres
    surface: Surface
    angle: float  # of a field's rows


@dataclass
class Plan:
    """Everything in a town. The order of the lists is the order of drawing within each kind."""

    size_m: float
    look: TownStyle
    buildings: list[Building] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    roads: list[Road] = field(default_factory=list)
    yards: list[Polygon] = field(default_factory=list)  # cemented ground
    open_ground: list[OpenGround] = field(default_factory=list)
    litter: list[Item] = field(default_factory=list)
    standing: list[Item] = field(default_factory=list)  # cars and walls: drawn over the shadows


# name: (base colour, spread between sheets, odd sheets out of SHEETS, rust level, rib amplitude, sheet sizes)
_METALS: dict[str, tuple[Colour, float, int, float, float]] = {
    "rust": ((134, 92, 62), 0.11, 3, 0.6, 0.12),
    "brown": ((130, 98, 66), 0.10, 3, 0.40, 0.11),
    "grey": ((134, 118, 95), 0.10, 2, 0.26, 0.10),
    "tan": ((188, 148, 94), 0.05, 1, 0.10, 0.06),
    "cream": ((206, 190, 156), 0.04, 1, 0.06, 0.06),
    "zinc": ((206, 204, 194), 0.06, 2, 0.14, 0.08),
    "maroon": ((124, 82, 78), 0.04, 0, 0.10, 0.07),
    "green": ((78, 122, 98), 0.05, 0, 0.10, 0.07),
    "blue": ((66, 118, 166), 0.05, 0, 0.08, 0.07),
    "tile": ((170, 98, 66), 0.06, 0, 0.25, 0.10),
    "lime": ((178, 178, 96), 0.05, 1, 0.12, 0.08),
    # Of other climates than the usual one
    "white": ((228, 226, 220), 0.03, 0, 0.06, 0.04),
    "snowed": ((232, 236, 242), 0.03, 0, 0.0, 0.01),
    "dark": ((58, 58, 62), 0.06, 0, 0.06, 0.05),
    "shingle": ((108, 106, 104), 0.06, 0, 0.1, 0.05),
    "brown shingle": ((112, 92, 76), 0.06, 0, 0.1, 0.05),
    "red": ((156, 56, 44), 0.06, 0, 0.12, 0.08),
    "thatch": ((142, 124, 92), 0.10, 0, 0.3, 0.14),
}
_ODD_SHEETS: tuple[Colour, ...] = (
    (196, 188, 172),
    (172, 138, 92),
    (96, 66, 46),
    (150, 136, 114),
    (214, 212, 206),
    (112, 80, 56),
    (120, 100, 76),
)
_SHARES = {
    "informal": {
        "rust": 40,
        "brown": 23,
        "grey": 18,
        "tan": 7,
        "zinc": 5,
        "cream": 2,
        "maroon": 2,
        "blue": 1.5,
        "green": 1,
        "lime": 0.5,
    },
    "house": {
        "rust": 22,
        "brown": 16,
        "grey": 16,
        "tan": 16,
        "cream": 9,
        "zinc": 6,
        "maroon": 6,
        "tile": 3,
        "green": 3,
        "blue": 1.5,
        "lime": 1.5,
    },
    "hall": {"grey": 3, "cream": 3, "zinc": 2, "tan": 1.5, "brown": 1.5},
}


def metal_roof(rng: np.random.Generator, mix: str, shape: str, climate: Climate) -> Roof:
    """A corrugated roof. `mix`: "informal", "house" or "hall"."""
    share_of = climate.roofs.get(mix, _SHARES[mix])
    names, shares = list(share_of), np.array(list(share_of.values()))
    name = names[rng.choice(len(names), p=shares / shares.sum())]
    base, spread, odd, rust, rib = _METALS[name]
    colour = np.array(base) * rng.normal(1.0, 0.1) + rng.normal(0, 2.5, 3)
    palette = colour * rng.normal(1.0, spread, (SHEETS, 1)) + rng.normal(0, spread * 22, (SHEETS, 3)) * (
        1.0,
        0.5,
        0.6,
    )
    if mix == "informal" or (mix == "house" and rust > 0.2):
        for index in rng.permutation(SHEETS)[: rng.integers(0, odd + 2) if odd else 0]:
            palette[index] = np.array(_ODD_SHEETS[rng.integers(len(_ODD_SHEETS))]) * rng.normal(1.0, 0.08)
    stain: Colour = (92, 54, 34) if name in ("rust", "brown", "tile") or rng.random() < 0.4 else (84, 70, 54)
    return Roof(
        shape=shape,
        palette=np.clip(palette, 12, 248).astype(np.float32),
        stain=stain,
        stain_level=float(np.clip(rust + rng.normal(0, 0.14), 0, 0.9)),
        sheet_m=(
            float(rng.choice([rng.uniform(0.75, 1.1), rng.uniform(1.3, 2.4)])),
            float(rng.uniform(1.8, 3.4)),
        ),
        rib=rib,
        contrast=float(rng.uniform(0.08, 0.2)),
        phase=(int(rng.integers(1000, 9000)), int(rng.integers(1000, 9000))),
    )


def concrete_roof(rng: np.random.Generator, climate: Climate) -> Roof:
    """A flat slab, stained by the rain."""
    colour = np.array(climate.concrete) * rng.normal(1.0, 0.12) + rng.normal(0, 5, 3)
    palette = colour * rng.normal(1.0, 0.025, (SHEETS, 1))
    return Roof(
        shape="flat",
        palette=np.clip(palette, 12, 248).astype(np.float32),
        stain=(84, 74, 60),
        stain_level=float(rng.uniform(0.25, 0.55)),
        sheet_m=(float(rng.uniform(3, 6)), float(rng.uniform(3, 6))),
        rib=0.0,
        contrast=0.0,
        phase=(int(rng.integers(1000, 9000)), int(rng.integers(1000, 9000))),
    )


def rectangle(x: float, y: float, angle: float, half_length: float, half_width: float) -> np.ndarray:
    """Corners, float (4, 2), counter-clockwise."""
    along = np.array([math.cos(angle), math.sin(angle)]) * half_length
    across = np.array([-math.sin(angle), math.cos(angle)]) * half_width
    corners: np.ndarray = np.array([x, y]) + np.array([-along - across, along - across, along + across, across - along])
    return corners


def disc(x: float, y: float, radius: float, corners: int = 12) -> np.ndarray:
    """Corners of a circle, float (corners, 2)."""
    turn = np.arange(corners) * (2 * math.pi / corners)
    return np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)])


_CAR_PAINT: tuple[Colour, ...] = (
    (222, 220, 212),
    (222, 220, 212),
    (150, 148, 144),
    (58, 58, 62),
    (34, 34, 38),
    (52, 66, 110),
    (128, 40, 36),
    (206, 168, 44),
    (108, 112, 110),
)


def car(rng: np.random.Generator, x: float, y: float, angle: float) -> list[Item]:
    """Body, glass and top, seen from above."""
    paint = np.array(_CAR_PAINT[rng.integers(len(_CAR_PAINT))]) * rng.normal(1, 0.06)
    length, width = rng.uniform(3.9, 4.8), rng.uniform(1.65, 1.9)
    ahead = np.array([math.cos(angle), math.sin(angle)])
    corner = 0.22
    outline = Polygon(rectangle(x, y, angle, length / 2 - corner, width / 2 - corner)).buffer(corner, quad_segs=3)
    glass = as_pair(np.array([x, y]) - ahead * length * 0.05)
    body, top = np.clip(paint, 15, 245), np.clip(paint * 1.05, 15, 250)
    return [
        Item(np.asarray(outline.exterior.coords), as_colour(body), 1.4),
        Item(rectangle(*glass, angle, length * 0.29, width * 0.42), (40, 42, 46)),
        Item(rectangle(*glass, angle, length * 0.18, width * 0.40), as_colour(top)),
    ]


def tree(rng: np.random.Generator, x: float, y: float, radius: float, leaf: Colour) -> Tree:
    """A broad crown of clumps, or a palm."""
    palm = bool(radius < 3.4 and rng.random() < 0.3)
    if palm:
        fronds = int(rng.integers(11, 17))
        turn = np.arange(fronds) * (2 * math.pi / fronds) + rng.normal(0, 0.15, fronds)
        clumps = np.column_stack([turn, radius * rng.uniform(0.75, 1.0, fronds), rng.uniform(0.16, 0.26, fronds)])
        colour = np.array([74, 84, 42])
    else:
        count = int(np.clip(radius * 7, 8, 34))
        reach = radius * 0.78 * np.sqrt(rng.random(count))
        turn = rng.uniform(0, 2 * math.pi, count)
        size = radius * rng.uniform(0.2, 0.42, count)
        clumps = np.column_stack([reach * np.cos(turn), reach * np.sin(turn), size])
        colour = np.array(leaf)
    colour = colour * rng.normal(1, 0.12) + rng.normal(0, 4, 3)
    return Tree(
        x,
        y,
        radius,
        float(rng.uniform(1.0, 1.5) * radius + 0.8),
        palm,
        as_colour(colour),
        clumps.astype(np.float32),
    )


def as_colour(values: np.ndarray) -> Colour:
    """Three numbers as a colour."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def as_pair(values: np.ndarray) -> tuple[float, float]:
    """Two numbers as floats."""
    return float(values[0]), float(values[1])
