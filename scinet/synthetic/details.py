"""What makes a town look lived in: cars, rubbish, drains, what lies on roofs; and its light and soil."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from shapely import LineString, Point, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from scinet.synthetic.climate import Climate, Colour
from scinet.synthetic.elements import (
    Item,
    Plan,
    Roof,
    TownStyle,
    Wing,
    as_colour,
    as_pair,
    car,
    disc,
    rectangle,
)

_RUBBISH: tuple[tuple[Colour, float], ...] = (
    ((184, 172, 152), 0.16),
    ((212, 206, 194), 0.07),
    ((98, 84, 66), 0.2),
    ((58, 48, 38), 0.2),
    ((146, 122, 90), 0.16),
    ((160, 148, 130), 0.1),
    ((124, 84, 60), 0.07),
    ((82, 98, 118), 0.02),
    ((136, 66, 52), 0.02),
)


def make_style(rng: np.random.Generator, climate: Climate) -> TownStyle:
    """Draw the sun, the soil and the greenness of a town."""
    soils, shares = list(climate.soils), list(climate.soils.values())
    turn, elevation = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(*climate.sun_elevation_degrees))
    return TownStyle(
        sun=(math.cos(turn), math.sin(turn)),
        shadow_per_height=1 / math.tan(elevation),
        shadow_strength=float(rng.uniform(*climate.shadow_strength)),
        soils=soils[rng.choice(len(soils), p=shares)],
        asphalt=as_colour(np.array(climate.asphalt) * rng.normal(1, 0.08)),
        greenness=float(rng.uniform(*climate.greenness)),
        climate=climate,
    )


def roof_items(rng: np.random.Generator, footprint: BaseGeometry, roof: Roof, wing: Wing) -> Iterator[Item]:
    """Tanks and dishes on slabs; loose sheets, stones and tyres on metal."""
    inner = footprint.buffer(-0.7)
    if inner.is_empty:
        return
    flat = roof.shape == "flat"
    for _ in range(int(rng.poisson(footprint.area / (14 if flat else 16 if footprint.area < 400 else 60)))):
        left, low, right, high = footprint.bounds
        x, y = float(rng.uniform(left, right)), float(rng.uniform(low, high))
        if not inner.contains(Point(x, y)):
            continue
        draw = rng.random()
        if flat and draw < 0.3:
            tone: Colour = (38, 38, 42) if rng.random() < 0.6 else (70, 100, 140)
            yield Item(disc(x, y, float(rng.uniform(0.5, 0.75))), tone, 1.3)
            yield Item(disc(x, y, 0.22), as_colour(np.array(tone) * 1.5))
        elif draw < 0.1:
            yield Item(disc(x, y, float(rng.uniform(0.3, 0.45))), (206, 202, 192), 0.6)
        elif draw < 0.6 or flat:
            size = rng.uniform(0.06, 0.3, 2)
            tone = as_colour(np.array([70, 62, 52]) * rng.uniform(0.5, 2.4))
            yield Item(rectangle(x, y, wing.angle + float(rng.normal(0, 0.5)), *as_pair(size)), tone, 0.15)
        else:
            turn = wing.angle + float(rng.choice([0, math.pi / 2])) + float(rng.normal(0, 0.06))
            sheet = Polygon(rectangle(x, y, turn, float(rng.uniform(0.6, 1.5)), float(rng.uniform(0.35, 0.55))))
            cut = sheet.intersection(footprint)
            tones = roof.palette[rng.integers(len(roof.palette))] * rng.normal(1.0, 0.16)
            if cut.geom_type == "Polygon" and not cut.is_empty:
                yield Item(np.asarray(cut.exterior.coords), as_colour(np.clip(tones, 15, 240)), 0.06)


def park_cars(rng: np.random.Generator, plan: Plan) -> None:
    """Cars along the roads, where nothing stands."""
    lookup = STRtree([one.footprint for one in plan.buildings])
    parked: list[Polygon] = []
    for road in plan.roads:
        for _ in range(int(road.line.length / 13)):
            along = float(rng.uniform(0, road.line.length - 1))
            here, ahead = road.line.interpolate(along), road.line.interpolate(along + 1.0)
            angle = math.atan2(ahead.y - here.y, ahead.x - here.x) + float(rng.normal(0, 0.12))
            if rng.random() < 0.12:
                angle += float(rng.uniform(0.4, 1.2))
            offset = float(rng.choice([-1, 1])) * max(road.width_m / 2 - float(rng.uniform(0.6, 2.0)), 0.6)
            x, y = here.x - offset * math.sin(angle), here.y + offset * math.cos(angle)
            place = Polygon(rectangle(x, y, angle, 2.6, 1.2))
            if len(lookup.query(place, "intersects")) or any(place.intersects(other) for other in parked):
                continue
            parked.append(place)
            plan.standing += car(rng, x, y, angle)


def fill_car_park(rng: np.random.Generator, plan: Plan, lot: Polygon, angle: float) -> None:
    """Cars in rows, some places empty."""
    middle = np.array([lot.centroid.x, lot.centroid.y])
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-math.sin(angle), math.cos(angle)])
    reach, inside = math.sqrt(lot.area) * 1.2, lot.buffer(-2.6)
    for row in np.arange(-reach, reach, 6.5):
        for place in np.arange(-reach, reach, 2.7):
            x, y = middle + place * along + row * across
            if rng.random() < 0.55 and inside.contains(Point(x, y)):
                plan.standing += car(rng, float(x), float(y), angle + math.pi / 2)


def scatter_litter(rng: np.random.Generator, plan: Plan) -> None:
    """Planks, washing, barrels and rubbish: heaps close to houses, less elsewhere."""
    size = plan.size_m
    paved = [road.area for road in plan.roads if road.paved]
    houses = STRtree([one.footprint for one in plan.buildings])
    colours, shares = zip(*_RUBBISH, strict=True)
    turn = float(rng.uniform(0, math.pi))
    for _ in range(int(plan.look.climate.litter * size**2 / 26)):
        x, y = float(rng.uniform(0, size)), -float(rng.uniform(0, size))
        if any(area.contains(Point(x, y)) for area in paved):
            continue
        near = len(houses.query(Point(x, y), "dwithin", 4.0)) > 0
        heap, spread = (int(rng.integers(2, 16)), rng.uniform(0.25, 0.9)) if near else (int(rng.integers(1, 4)), 1.5)
        colour = np.array(colours[rng.choice(len(colours), p=shares)])
        largest = float(rng.choice([0.18, 0.3, 0.8], p=[0.5, 0.38, 0.12]))
        for _ in range(heap):
            sides = np.sort(largest * rng.uniform(0.25, 1.0, 2))
            if rng.random() < 0.5:
                colour = np.array(colours[rng.choice(len(colours), p=shares)])
            dx, dy = rng.normal(0, spread, 2)
            shape = rectangle(x + dx, y + dy, turn + float(rng.normal(0, 0.5)), float(sides[1]), float(sides[0]) * 0.7)
            plan.litter.append(Item(shape, as_colour(np.clip(colour * rng.normal(1, 0.12), 10, 235))))


def add_drains(rng: np.random.Generator, plan: Plan) -> None:
    """Open gutters with concrete edges along paved roads."""
    for road in plan.roads:
        if not road.paved:
            continue
        others = [other for other in plan.roads if other is not road]
        tone = as_colour(np.array([150, 138, 116]) * rng.normal(1, 0.06))
        for side in (-1, 1):
            points = np.asarray(road.line.offset_curve(side * (road.width_m / 2 + 0.35)).coords)
            for start, end in pairwise(points):
                length, angle = float(np.hypot(*(end - start))), math.atan2(*(end - start)[::-1])
                crossing = any(other.area.intersects(LineString([start, end])) for other in others)
                if rng.random() < 0.8 and not crossing:
                    middle = as_pair((start + end) / 2)
                    plan.litter.append(Item(rectangle(*middle, angle, length / 2, 0.42), tone))
                    plan.litter.append(Item(rectangle(*middle, angle, length / 2, 0.24), (48, 42, 34)))
