"""Where everything in a generated town stands: roads, blocks, plots, then buildings, yards, trees and cars.

Land is split again and again by nearly straight lanes, each block gets a character (dense, row, compound,
court, open), and whatever stands in a plot is fitted into it, so footprints cannot overlap.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import shapely
from shapely import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

from scinet.synthetic.climate import BLOCKS, Climate, Surface
from scinet.synthetic.details import add_drains, fill_car_park, make_style, park_cars, roof_items, scatter_litter
from scinet.synthetic.elements import (
    Building,
    Item,
    OpenGround,
    Plan,
    Road,
    Roof,
    Wing,
    as_colour,
    as_pair,
    concrete_roof,
    metal_roof,
    rectangle,
    tree,
)
from scinet.synthetic.lots import cut, cut_corner, fit_rectangle, frame_of, outline, parts_of, squareness, to_plane

_HALL_M, _HALL_FROM_M = 80.0, 160.0
_MARGIN_M = 12.0  # the town continues beyond its extent, so that buildings are cut by the border as in a tile
_SMALLEST_M2 = 0.6  # what the border leaves of a building below this is taken away, from the image too


def make_layout(seed: int, size_m: float, climate: Climate, hall_m: float | None = None) -> Plan:
    """The same plan for the same arguments, see `scinet.synthetic.town.make_town`."""
    if hall_m is None and size_m >= _HALL_FROM_M:
        hall_m = _HALL_M
    return _Planner(np.random.default_rng([seed, 0]), size_m, climate, hall_m).plan


class _Planner:
    """Fills one plan. Each step builds on land and gives back the land that is left."""

    def __init__(self, rng: np.random.Generator, size_m: float, climate: Climate, hall_m: float | None) -> None:
        self.rng, self.climate = rng, climate
        self.plan = Plan(size_m, make_style(rng, climate))
        self.extent = shapely.box(0, -size_m, size_m, 0)
        self.angle = float(rng.uniform(0, math.pi))
        land: BaseGeometry = self.extent.buffer(_MARGIN_M, join_style="mitre")
        if hall_m is not None:
            land = self._hall(land, hall_m)
        land = self._courts(land)
        land = self._roads(land)
        for block in self._blocks(land):
            self._fill_block(block)
        self._clip()
        add_drains(rng, self.plan)
        scatter_litter(rng, self.plan)
        park_cars(rng, self.plan)

    # Land

    def _hall(self, land: BaseGeometry, length_m: float) -> BaseGeometry:
        """One hall, well inside."""
        rng, half = self.rng, length_m / 2
        x, y = rng.uniform(half + 4, self.plan.size_m - half - 4, 2)
        angle, across = self.angle + float(rng.normal(0, 0.1)), float(rng.uniform(11, 16)) * length_m / _HALL_M
        wing = Wing(float(x), -float(y), angle, half, across)
        hall = outline(wing)
        self._build(hall, float(rng.uniform(6.5, 8.5)), metal_roof(rng, "hall", "gable", self.climate), (wing,))
        return land.difference(hall.buffer(4.0))

    def _courts(self, land: BaseGeometry) -> BaseGeometry:
        """Buildings around a courtyard, at least one where there is room."""
        rng, size = self.rng, self.plan.size_m
        wanted = max(1, round((size / 90) ** 2))
        if self.climate.courtyard_share < 1 and rng.random() > self.climate.courtyard_share:
            wanted = 0
        for attempt in range(60 * wanted):
            if wanted == 0:
                break
            scale = min(1.0 if attempt < 30 else 0.75, size / 45)
            a, b = float(rng.uniform(7.5, 13)) * scale, float(rng.uniform(6.5, 9.5)) * scale
            x, y = float(rng.uniform(0.15, 0.85)) * size, -float(rng.uniform(0.15, 0.85)) * size
            angle = self.angle + float(rng.normal(0, 0.15))
            whole = outline(Wing(x, y, angle, a, b))
            if not land.covers(whole) or not self.extent.covers(whole):
                continue
            depth = float(rng.uniform(3.8, 5.0)) * scale
            ring = Polygon(whole.exterior.coords, [rectangle(x, y, angle, a - depth, b - depth)])
            along, across = (
                np.array([math.cos(angle), math.sin(angle)]),
                np.array([-math.sin(angle), math.cos(angle)]),
            )
            wings = []
            for sign in (-1, 1):
                centre = np.array([x, y]) + sign * across * (b - depth / 2)
                wings.append(Wing(*as_pair(centre), angle, a, depth / 2))
                centre = np.array([x, y]) + sign * along * (a - depth / 2)
                wings.append(Wing(*as_pair(centre), angle + math.pi / 2, b, depth / 2))
            self._build(ring, float(rng.uniform(3.0, 3.8)), metal_roof(rng, "house", "hip", self.climate), tuple(wings))
            if rng.random() < 0.5:
                self.plan.yards.append(Polygon(ring.interiors[0]))
            land = land.difference(whole.buffer(1.0))
            wanted -= 1
        return land

    def _roads(self, land: BaseGeometry) -> BaseGeometry:
        """A main road and smaller ones across and along it, clear of what is built already."""
        rng, roads = self.rng, self.plan.roads
        built = shapely.union_all([building.footprint for building in self.plan.buildings])
        for number in range(max(1, round(self.plan.size_m / 60))):
            width = float(rng.uniform(6.5, 9) if number == 0 else rng.uniform(4, 6))
            paved = bool(rng.random() < self._paved_share(number == 0))
            for _ in range(20):
                line = self._curve(self.angle + number % 2 * math.pi / 2 + float(rng.normal(0, 0.15)))
                beside = [road.line.distance(line) for road in roads[number % 2 :: 2]]
                if line.distance(built) > width / 2 + 1.5 and all(distance > 30 for distance in beside):
                    roads.append(Road(line, width, paved))
                    land = land.difference(roads[-1].area.buffer(0.8))
                    break
        return land

    def _paved_share(self, is_main: bool) -> float:
        if self.climate.paved_share is not None:
            return self.climate.paved_share
        return 0.6 if is_main else 0.2

    def _curve(self, heading: float) -> LineString:
        """A gently bending line right across the town."""
        rng, size = self.rng, self.plan.size_m
        start = np.array([rng.uniform(0.2, 0.8) * size, -rng.uniform(0.2, 0.8) * size])
        halves = []
        for way in (0.0, math.pi):
            point, turn, bend, points = start, heading + way, 0.0, []
            for _ in range(int(3 * size / 6)):
                bend = 0.85 * bend + float(rng.normal(0, 0.012))
                turn += bend
                point = point + 6.0 * np.array([math.cos(turn), math.sin(turn)])
                points.append(point)
                if not -20 < point[0] < size + 20 or not -20 < -point[1] < size + 20:
                    break
            halves.append(points)
        return LineString([*halves[1][::-1], start, *halves[0]])

    def _blocks(self, land: BaseGeometry) -> Iterator[Polygon]:
        """Blocks of 250 to 1600 m2 between lanes."""
        rng = self.rng
        todo = parts_of(land)
        while todo:
            piece = todo.pop()
            if piece.area < self.climate.block_scale * rng.uniform(350, 1600):
                yield piece
                continue
            gap = rng.uniform(2.8, 4.5) if piece.area > 6000 else rng.uniform(0.9, 2.2)
            todo += cut(rng, piece, gap, 0.10)

    # What stands in a block

    def _fill_block(self, block: Polygon) -> None:
        rng = self.rng
        if block.area < 6:
            return
        kind = rng.choice(BLOCKS, p=self.climate.blocks)
        if block.area < 120 and kind != "open":
            kind = "dense"
        if kind == "dense":
            self._dense(block)
        elif kind == "row":
            self._row(block)
        elif kind == "compound":
            self._compound(block)
        else:
            self._open(block)

    def _dense(self, block: Polygon) -> None:
        """Informal houses wall to wall or an arm's length apart, patched together."""
        rng = self.rng
        todo, plots, target = [block], [], self.climate.plot_scale * rng.uniform(50, 150)
        while todo:
            piece = todo.pop()
            if piece.area < target * rng.lognormal(0, 0.45):
                plots.append(piece)
            else:
                gap = 0.0 if piece.area < 2.6 * target and rng.random() < 0.6 else float(rng.uniform(0.3, 1.3))
                todo += cut(rng, piece, gap, 0.05)
        for plot in plots:
            draw = rng.random()
            if draw < 0.07 or plot.area < 3:
                self._yard(plot)
                continue
            footprint = plot if draw > 0.3 and squareness(plot) > 0.84 else fit_rectangle(plot, rng.uniform(0.92, 1.0))
            if draw < 0.12 and plot.area > 40:
                footprint = fit_rectangle(plot, 0.55)
                self._yard(plot.difference(footprint.buffer(0.5)))
            self._house(footprint, "informal", float(rng.uniform(2.4, 3.7)))

    def _row(self, block: Polygon) -> None:
        """Houses that share their side walls, along the longer side of the block."""
        rng = self.rng
        strip = fit_rectangle(block, 0.98)
        if strip.is_empty:
            self._dense(block)
            return
        frame = frame_of(strip)
        depth = min(float(rng.uniform(6, 10)), 2 * frame.half_width - 0.5)
        if frame.half_length < 8 or depth < 4:
            self._dense(block)
            return
        cuts = [-frame.half_length]
        while frame.half_length - cuts[-1] > 4:
            cuts.append(cuts[-1] + float(rng.uniform(3.6, 9.0)))
        cuts[-1] = min(cuts[-1], frame.half_length)
        front = -frame.half_width
        backs = [front + depth * float(rng.choice([1.0, 1.0, rng.uniform(0.75, 1.0)])) for _ in cuts[1:]]
        roof, height = metal_roof(rng, "informal", "gable", self.climate), float(rng.uniform(2.8, 4.2))
        for number, (left, right) in enumerate(pairwise(cuts)):
            back = backs[number]
            ring = [(left, front), (right, front)]
            # The neighbour's corner becomes this house's too: the shared wall is the same two points.
            if number + 1 < len(backs) and backs[number + 1] < back:
                ring.append((right, backs[number + 1]))
            ring += [(right, back), (left, back)]
            if number > 0 and backs[number - 1] < back:
                ring.append((left, backs[number - 1]))
            house = Polygon(to_plane(frame, ring))
            if rng.random() < 0.75:
                roof = metal_roof(rng, "informal", str(rng.choice(["gable", "mono"], p=[0.7, 0.3])), self.climate)
                height = float(rng.uniform(2.6, 4.2))
            centre = to_plane(frame, [((left + right) / 2, (front + back) / 2)])[0]
            wing = Wing(*as_pair(centre), frame.angle, (right - left) / 2 + 0.01, (back - front) / 2 + 0.01)
            self._build(house, height, roof, (wing,))
        rest = strip.difference(shapely.union_all([one.footprint for one in self.plan.buildings[-len(backs) :]]))
        for piece in parts_of(rest.buffer(-0.5)):
            if piece.area > 70 and rng.random() < 0.6:
                self._dense(piece)
            else:
                self._yard(piece)

    def _compound(self, block: Polygon) -> None:
        """A larger house in a walled yard with outbuildings."""
        rng = self.rng
        if block.area > 750:
            for piece in cut(rng, block, 0.6, 0.04):
                self._compound(piece)
            return
        inner = block.buffer(-0.5, join_style="mitre")
        site = fit_rectangle(inner, 0.94) if inner.geom_type == "Polygon" and inner.area > 60 else Polygon()
        if site.is_empty:
            self._dense(block)
            return
        if rng.random() < 0.75:
            self._wall(inner)
        frame = frame_of(site)
        length = min(2 * frame.half_length * rng.uniform(0.65, 0.95), rng.uniform(12, 20))
        width = min(2 * frame.half_width * rng.uniform(0.6, 0.92), rng.uniform(8.5, 14))
        u = rng.uniform(-1, 1) * (frame.half_length - length / 2)
        v = rng.uniform(-1, 1) * (frame.half_width - width / 2)
        centre = to_plane(frame, [(u, v)])[0]
        main = Wing(*as_pair(centre), frame.angle, length / 2, width / 2)
        footprint: Polygon = outline(main)
        wings: tuple[Wing, ...] = (main,)
        if length > 9 and width > 7 and rng.random() < 0.4:
            footprint, wings = cut_corner(rng, main)
        self._house(footprint, "house", float(rng.uniform(3, 4.2) + 3.2 * (rng.random() < 0.2)), wings)
        if rng.random() < 0.25:
            self.plan.yards.append(inner)
        self._yard(inner.difference(footprint.buffer(0.8)), crowded=True)

    def _open(self, block: Polygon) -> None:
        surfaces = self.climate.surfaces
        for piece in parts_of(block.buffer(-1.0)):
            if surfaces and self.rng.random() < 0.5:
                shares = np.array(list(surfaces.values()))
                chosen = list(surfaces)[self.rng.choice(len(surfaces), p=shares / shares.sum())]
                self._surface(piece, chosen)
            else:
                self._yard(piece)

    def _surface(self, piece: Polygon, surface: Surface) -> None:
        angle = frame_of(piece).angle
        self.plan.open_ground.append(OpenGround(np.asarray(piece.exterior.coords), surface, angle))
        if surface.cars:
            fill_car_park(self.rng, self.plan, piece, angle)

    def _yard(self, yard: BaseGeometry, crowded: bool = False) -> None:
        """Sheds and trees where there is room."""
        rng = self.rng
        for piece in parts_of(yard):
            free: BaseGeometry = piece
            for _ in range(int(rng.poisson(piece.area / (55 if crowded else 75)) + (piece.area > 12))):
                spot = self._spot(piece)
                half = rng.uniform(0.95, 1.5, 2) if rng.random() < 0.6 else rng.uniform(1.2, 2.6, 2)
                angle = frame_of(piece).angle + float(rng.normal(0, 0.08))
                wing = Wing(*spot, angle, float(half.max()), float(half.min()))
                shed = outline(wing)
                if free.covers(shed):
                    roof = metal_roof(rng, "informal", "mono", self.climate)
                    self._build(shed, float(rng.uniform(1.9, 2.4)), roof, (wing,))
                    free = free.difference(shed.buffer(0.4))
            for _ in range(int(rng.poisson(self.climate.tree_density * piece.area / 55))):
                x, y = self._spot(piece)
                if free.distance(Point(x, y)) == 0:
                    radius = float(np.clip(rng.lognormal(0.8, 0.5), 0.8, 5.5))
                    self.plan.trees.append(tree(rng, x, y, radius, self.climate.leaf))

    # One building

    def _house(self, footprint: BaseGeometry, mix: str, height: float, wings: tuple[Wing, ...] = ()) -> None:
        rng = self.rng
        if footprint.area < 2.5 or footprint.geom_type != "Polygon":
            return
        wings = wings or (frame_of(footprint),)
        small = footprint.area < 22
        if not small and rng.random() < self.climate.flat_share * (0.16 if mix == "house" else 0.05):
            roof = concrete_roof(rng, self.climate)
            height += 3.0 * float(rng.random() < 0.3)
        else:
            shapes = {"informal": (0.56, 0.06, 0.38), "house": (0.42, 0.5, 0.08)}[mix]
            shape = "mono" if small and rng.random() < 0.7 else str(rng.choice(["gable", "hip", "mono"], p=shapes))
            if len(wings) > 1 and shape == "mono":
                shape = "gable"
            roof = metal_roof(rng, mix, shape, self.climate)
        self._build(footprint, height, roof, wings)

    def _build(self, footprint: BaseGeometry, height: float, roof: Roof, wings: tuple[Wing, ...]) -> None:
        items = tuple(roof_items(self.rng, footprint, roof, wings[0]))
        self.plan.buildings.append(Building(footprint, height, wings, roof, items))

    def _wall(self, plot: Polygon) -> None:
        rng = self.rng
        ring = plot.exterior
        gate = float(rng.uniform(0, ring.length))
        line = substring(ring, 0, gate)
        rest = substring(ring, min(gate + 3.0, ring.length), ring.length)
        tone = as_colour(np.array([158, 138, 110]) * rng.normal(1, 0.12))
        for part in (line, rest):
            points = np.asarray(part.coords)
            for start, end in pairwise(points):
                length = float(np.hypot(*(end - start)))
                if length > 0.5:
                    middle, angle = as_pair((start + end) / 2), math.atan2(*(end - start)[::-1])
                    self.plan.standing.append(Item(rectangle(*middle, angle, length / 2, 0.11), tone, 1.7))

    # Afterwards

    def _clip(self) -> None:
        """Cut footprints at the extent; a footprint in two pieces becomes two buildings of the same roof."""
        kept: list[Building] = []
        for building in self.plan.buildings:
            inside = building.footprint.intersection(self.extent)
            kept += [
                Building(piece, building.height_m, building.wings, building.roof, building.items)
                for piece in parts_of(inside)
                if piece.area >= _SMALLEST_M2
            ]
        self.plan.buildings[:] = sorted(kept, key=lambda one: one.height_m)

    def _spot(self, piece: Polygon) -> tuple[float, float]:
        left, low, right, high = piece.bounds
        return float(self.rng.uniform(left, right)), float(self.rng.uniform(low, high))
