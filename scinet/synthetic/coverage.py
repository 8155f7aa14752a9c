"""From outlines in metres to pixels: coverage, soft masks, and the outlines that shadows have."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import TypeVar

import numpy as np
import shapely
from PIL import Image, ImageDraw, ImageFilter
from shapely import Polygon, STRtree

from scinet.synthetic.elements import Building, Item, Plan, Tree
from scinet.synthetic.noise import Window

_SOFT_M = 0.25  # grid of the soft masks (trodden ground, closeness to buildings)

Thing = TypeVar("Thing")
Rings = list[np.ndarray]
Patch = tuple[slice, slice, np.ndarray]  # rows, columns, coverage float32


# Shadows


def building_shadow(building: Building, reach: np.ndarray) -> Iterable[np.ndarray]:
    """Outlines of what the walls of a building darken."""
    for ring in rings_of(building.footprint):
        yield from wall_shadows(np.asarray(ring.coords), reach)


def item_shadow(item: Item, reach: np.ndarray) -> Iterable[np.ndarray]:
    """Outlines of what an item darkens."""
    if item.height_m > 0:
        yield from wall_shadows(np.vstack([item.polygon, item.polygon[:1]]), reach)
        yield item.polygon + reach


def wall_shadows(ring: np.ndarray, reach: np.ndarray) -> Iterable[np.ndarray]:
    """What each wall of a closed ring darkens."""
    for start, end in pairwise(ring):
        yield np.array([start, end, end + reach, start + reach])


def crown_shadow(tree: Tree, reach: np.ndarray) -> np.ndarray:
    """Outline of what the crown of a tree darkens."""
    turn = np.linspace(0, 2 * math.pi, 40)
    lobes = 0.88 + 0.1 * np.sin(5 * turn + tree.x) + 0.07 * np.sin(11 * turn + tree.y)
    radius = tree.radius_m * lobes * (0.7 if tree.palm else 1.0)
    return np.column_stack([tree.x + radius * np.cos(turn), tree.y + radius * np.sin(turn)]) + 0.7 * reach


def roof_shadows(plan: Plan) -> dict[int, list[Rings]]:
    """Shadows of higher buildings on lower roofs: building number -> outlines."""
    shadows: dict[int, list[Rings]] = {}
    footprints = [building.footprint for building in plan.buildings]
    lookup = STRtree(footprints)
    away = -np.array(plan.look.sun) * plan.look.shadow_per_height
    for building in plan.buildings:
        for other in lookup.query(building.footprint.buffer(3.0), "intersects"):
            drop = building.height_m - plan.buildings[other].height_m
            if drop < 0.3:
                continue
            walls = [
                Polygon(quad)
                for ring in rings_of(building.footprint)
                for quad in wall_shadows(np.asarray(ring.coords), away * drop)
            ]
            shade = shapely.union_all([wall.buffer(0) for wall in walls]).intersection(footprints[other])
            for part in shapely.get_parts(shade):
                if part.geom_type == "Polygon" and part.area > 0.05:
                    shadows.setdefault(int(other), []).append([np.asarray(ring.coords) for ring in rings_of(part)])
    return shadows


# Masks


def soft_masks(plan: Plan) -> list[Image.Image]:
    """float images on a grid of 25 cm: trodden ground, closeness to buildings, paved, cemented."""
    cells = math.ceil(plan.size_m / _SOFT_M)
    window = Window(_SOFT_M, 0, cells, cells)
    layers: list[tuple[list[Polygon], float]] = [
        ([road.area for road in plan.roads], 1.2),
        ([building.footprint for building in plan.buildings], 0.55),
        ([road.area for road in plan.roads if road.paved], 0.3),
        (plan.yards, 0.3),
    ]
    masks = []
    for areas, blur_m in layers:
        mask = Image.new("L", (cells, cells))
        draw = ImageDraw.Draw(mask)
        for area in areas:
            for part in shapely.get_parts(area):
                for number, ring in enumerate(rings_of(part)):
                    points = to_pixels(window, np.asarray(ring.coords))
                    draw.polygon(subpixels(points, 1), fill=0 if number else 255)
        soft = mask.filter(ImageFilter.GaussianBlur(blur_m / _SOFT_M))
        masks.append(Image.fromarray(np.asarray(soft, np.float32) / 255))
    return masks


def read_soft(mask: Image.Image, window: Window) -> np.ndarray:
    """The part of a soft mask in a window, at the window's resolution."""
    scale = window.metres_per_px / _SOFT_M
    top, bottom = window.row * scale, (window.row + window.height) * scale
    box = (0.0, min(top, mask.height), min(window.width * scale, mask.width), min(bottom, mask.height))
    return np.asarray(mask.resize((window.width, window.height), Image.Resampling.BILINEAR, box=box))


def spans(outlines: list[np.ndarray], margin_m: float) -> np.ndarray:
    """float (N, 2): lowest and highest y of each outline, widened."""
    ends = [(ring[:, 1].min() - margin_m, ring[:, 1].max() + margin_m) for ring in outlines]
    return np.array(ends).reshape(-1, 2)


def in_rows(things: list[Thing], span: np.ndarray, window: Window) -> list[Thing]:
    """Those whose span meets the window's rows."""
    top = -window.row * window.metres_per_px
    bottom = top - window.height * window.metres_per_px
    return [things[index] for index in np.flatnonzero((span[:, 0] < top) & (span[:, 1] > bottom))]


def rings_of(polygon: Polygon) -> list[shapely.LinearRing]:
    """The outer ring of a polygon, then those of its holes."""
    return [polygon.exterior, *polygon.interiors]


def to_pixels(window: Window, points: np.ndarray) -> np.ndarray:
    """Columns and rows from the window's upper left corner."""
    return points * (1 / window.metres_per_px, -1 / window.metres_per_px) - (0, window.row)


def subpixels(pixels: np.ndarray, scale: int) -> list[float]:
    """For ImageDraw, whose whole numbers are pixel centres."""
    flat: list[float] = np.rint(pixels * scale - 0.5).ravel().tolist()
    return flat


def bounds_in(window: Window, pixels: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns that pixels of a window span; None outside it."""
    left, top = np.floor(pixels.min(axis=0)).astype(int)
    right, bottom = np.ceil(pixels.max(axis=0)).astype(int) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, window.width), min(bottom, window.height)
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None


def coverage(window: Window, rings: Rings) -> Patch | None:
    """Share of each pixel that an outline (outer ring, then holes) covers; None outside the window."""
    pixels = to_pixels(window, rings[0])
    bounds = bounds_in(window, pixels)
    if bounds is None:
        return None
    rows, columns = bounds
    scale = 4 if window.metres_per_px < 0.15 else 8
    corner = (columns.start, rows.start)
    mask = Image.new("L", ((columns.stop - corner[0]) * scale, (rows.stop - corner[1]) * scale))
    draw = ImageDraw.Draw(mask)
    draw.polygon(subpixels(pixels - corner, scale), fill=255)
    for hole in rings[1:]:
        draw.polygon(subpixels(to_pixels(window, hole) - corner, scale), fill=0)
    return rows, columns, np.asarray(mask.reduce(scale), np.float32) * (1 / 255)


def crop(patch: Patch, rows: slice, columns: slice) -> np.ndarray:
    """A patch laid into other bounds."""
    full = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    top, bottom = max(patch[0].start, rows.start), min(patch[0].stop, rows.stop)
    left, right = max(patch[1].start, columns.start), min(patch[1].stop, columns.stop)
    if top < bottom and left < right:
        up, aside = patch[0].start, patch[1].start
        part = patch[2][top - up : bottom - up, left - aside : right - aside]
        full[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = part
    return full


def fill(
    canvas: np.ndarray,
    window: Window,
    ring: np.ndarray,
    colour: tuple[float, float, float],
    strength: float = 1.0,
) -> None:
    """Paint an outline in one colour."""
    patch = coverage(window, [ring])
    if patch is not None:
        rows, columns, cover = patch
        for channel in range(3):
            layer = canvas[channel, rows, columns]
            layer += strength * cover * (colour[channel] - layer)


def mix(canvas: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    """Blend a colour into the canvas, pixel by pixel."""
    for channel in range(3):
        canvas[channel] += share * (colour[channel] - canvas[channel])
