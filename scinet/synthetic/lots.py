"""Cutting land into plots and fitting rectangles into them."""

import math

import numpy as np
import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import split

from scinet.synthetic.elements import Wing, as_pair, rectangle


def cut(rng: np.random.Generator, piece: Polygon, gap: float, wobble: float) -> list[Polygon]:
    """Two or more parts of a piece, cut across its longer side; `gap` metres apart."""
    frame = frame_of(piece)
    turn = frame.angle + math.pi / 2 + float(rng.normal(0, wobble))
    u = float(rng.uniform(-0.3, 0.3)) * frame.half_length
    x, y = to_plane(frame, [(u, 0.0)])[0]
    reach = 2 * (frame.half_length + frame.half_width)
    dx, dy = reach * math.cos(turn), reach * math.sin(turn)
    line = LineString([(x - dx, y - dy), (x + dx, y + dy)])
    if gap > 0:
        return parts_of(piece.difference(line.buffer(gap / 2, cap_style="flat")))
    return parts_of(split(piece, line))


def fit_rectangle(piece: Polygon, share: float) -> Polygon:
    """A rectangle inside a piece, in its direction: as large as a shrinking box finds, times `share`."""
    frame = frame_of(piece)
    local = shapely.transform(piece, lambda points: to_frame(frame, points))
    left, low, right, high = local.bounds
    for _ in range(24):
        box = shapely.box(left, low, right, high)
        if local.covers(box):
            break
        # Move the side that hangs out furthest.
        out = [
            box.intersection(shapely.box(*side)).difference(local).area
            for side in (
                (left, low, left + 0.25 * (right - left), high),
                (right - 0.25 * (right - left), low, right, high),
                (left, low, right, low + 0.25 * (high - low)),
                (left, high - 0.25 * (high - low), right, high),
            )
        ]
        worst, step_u, step_v = int(np.argmax(out)), 0.06 * (right - left), 0.06 * (high - low)
        left += step_u * (worst == 0)
        right -= step_u * (worst == 1)
        low += step_v * (worst == 2)
        high -= step_v * (worst == 3)
    u, v, a, b = (left + right) / 2, (low + high) / 2, share * (right - left) / 2, share * (high - low) / 2
    ring = [(u - a, v - b), (u + a, v - b), (u + a, v + b), (u - a, v + b)]
    if not local.covers(Polygon(ring)):
        return Polygon()
    return Polygon(to_plane(frame, ring))


def frame_of(piece: BaseGeometry) -> Wing:
    """The smallest rectangle around a piece."""
    ring = np.asarray(shapely.minimum_rotated_rectangle(piece).exterior.coords)
    first, second = ring[1] - ring[0], ring[2] - ring[1]
    lengths = float(np.hypot(*first)), float(np.hypot(*second))
    along = first if lengths[0] >= lengths[1] else second
    x, y = (ring[0] + ring[2]) / 2
    return Wing(float(x), float(y), math.atan2(along[1], along[0]), max(lengths) / 2, min(lengths) / 2)


def squareness(piece: Polygon) -> float:
    """How much of the smallest rectangle around a piece it covers, in (0, 1]."""
    return float(piece.area / shapely.minimum_rotated_rectangle(piece).area)


def outline(wing: Wing) -> Polygon:
    """The rectangle of a wing."""
    return Polygon(rectangle(wing.x, wing.y, wing.angle, wing.half_length, wing.half_width))


def to_plane(frame: Wing, points: object) -> np.ndarray:
    """Points in the frame of a wing to the town's plane, float (N, 2)."""
    local = np.asarray(points, float)
    cos, sin = math.cos(frame.angle), math.sin(frame.angle)
    return np.column_stack(
        [frame.x + cos * local[:, 0] - sin * local[:, 1], frame.y + sin * local[:, 0] + cos * local[:, 1]]
    )


def to_frame(frame: Wing, points: np.ndarray) -> np.ndarray:
    """Points in the town's plane to the frame of a wing, float (N, 2)."""
    x, y = points[:, 0] - frame.x, points[:, 1] - frame.y
    cos, sin = math.cos(frame.angle), math.sin(frame.angle)
    return np.column_stack([cos * x + sin * y, cos * y - sin * x])


def parts_of(shape: BaseGeometry) -> list[Polygon]:
    """The polygons of a shape, without slivers."""
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0.01]


def cut_corner(rng: np.random.Generator, main: Wing) -> tuple[Polygon, tuple[Wing, ...]]:
    """A rectangle less one corner, as two wings."""
    a, b = main.half_length, main.half_width
    keep_u, keep_v = float(rng.uniform(0.45, 0.65)), float(rng.uniform(0.5, 0.65))
    flip_u, flip_v = (float(sign) for sign in rng.choice([-1.0, 1.0], 2))
    u, v = a * (2 * keep_u - 1), b * (2 * keep_v - 1)
    ring = np.array([(-a, -b), (a, -b), (a, v), (u, v), (u, b), (-a, b)]) * (flip_u, flip_v)
    centres = to_plane(main, np.array([(0, (v - b) / 2), ((u - a) / 2, 0)]) * (flip_u, flip_v))
    long = Wing(*as_pair(centres[0]), main.angle, a, (v + b) / 2)
    short = Wing(*as_pair(centres[1]), main.angle + math.pi / 2, b, (u + a) / 2)
    return Polygon(to_plane(main, ring)), (long, short)
