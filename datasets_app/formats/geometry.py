"""Check one shape against its image. Points are pixels, the origin is the top left corner."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from datasets_app.records import Point, Shape

MAX_COORDINATE = 1e9  # pixels; beyond any image, and far from where float arithmetic overflows
TOLERANCE = 0.01  # pixels outside the image that are rounding, not worth a remark
_CIRCLE_POINTS = 24


class BadShape(Exception):
    """The shape cannot be kept; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def number(value: Any) -> float:
    """A number that a pixel can have, also when written as text; raises BadShape."""
    if type(value) is float and abs(value) <= MAX_COORDINATE:  # what nearly all of them are
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadShape("bad_coordinates")
    try:
        result = float(value)
    except (ValueError, OverflowError):
        raise BadShape("bad_coordinates") from None
    if not abs(result) <= MAX_COORDINATE:  # also true for NaN
        raise BadShape("bad_coordinates")
    return result


def points(values: Any) -> tuple[Point, ...]:
    """Points out of [[x, y], ...]; raises BadShape."""
    if not isinstance(values, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in values):
        raise BadShape("bad_coordinates")
    return tuple((number(x), number(y)) for x, y in values)


def bounds(corners: Iterable[Point]) -> tuple[Point, Point]:
    """The upright box around the points, top left corner first."""
    xs, ys = zip(*corners, strict=True)
    return (min(xs), min(ys)), (max(xs), max(ys))


def circle(centre: Point, rim: Point) -> tuple[Point, ...]:
    """A polygon for the circle around `centre` through `rim`."""
    (x, y), radius = centre, math.dist(centre, rim)
    angles = (2 * math.pi * step / _CIRCLE_POINTS for step in range(_CIRCLE_POINTS))
    return tuple((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles)


def fit(shape: Shape, size: tuple[int, int]) -> tuple[Shape, bool]:
    """The shape inside an image of `size` (width, height), and whether a part was cut off; raises BadShape."""
    _check_size(shape)
    (left, top), (right, bottom) = shape.points if shape.kind == "rectangle" else bounds(shape.points)
    width, height = size
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise BadShape("outside_image")
    overhang = max(-left, -top, right - width, bottom - height)
    if overhang <= 0:
        return shape, False
    inside = _clip_polygon(shape.points, size) if shape.kind == "polygon" else _clamp(shape.points, size)
    if shape.kind == "polygon" and area(inside) == 0:
        raise BadShape("outside_image")
    return shape._replace(points=inside), overhang > TOLERANCE


def area(polygon: tuple[Point, ...]) -> float:
    """Square pixels, without sign."""
    following = polygon[1:] + polygon[:1]
    return abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(polygon, following, strict=True))) / 2


def _check_size(shape: Shape) -> None:
    if shape.kind == "rectangle":
        (left, top), (right, bottom) = shape.points
        if right <= left or bottom <= top:
            raise BadShape("zero_size_box")
    elif len(set(shape.points)) < 3:
        raise BadShape("too_few_points")
    elif area(shape.points) == 0:
        raise BadShape("zero_area_polygon")


def _clamp(corners: tuple[Point, ...], size: tuple[int, int]) -> tuple[Point, ...]:
    width, height = size
    return tuple((min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in corners)


def _clip_polygon(polygon: tuple[Point, ...], size: tuple[int, int]) -> tuple[Point, ...]:
    """Sutherland-Hodgman: cut at one border after the other. A concave polygon may keep an edge along the border."""
    width, height = size
    for axis, limit, keep in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        polygon = _cut(polygon, axis, float(limit), keep)
    return polygon


def _cut(polygon: tuple[Point, ...], axis: int, limit: float, keep: int) -> tuple[Point, ...]:
    """The part of the polygon on one side of a border: above the limit for keep = 1, below for -1."""
    kept: list[Point] = []
    for before, point in zip(polygon[-1:] + polygon[:-1], polygon, strict=True):
        was_inside, is_inside = ((corner[axis] - limit) * keep >= 0 for corner in (before, point))
        if was_inside != is_inside:
            kept.append(_crossing(before, point, axis, limit))
        if is_inside:
            kept.append(point)
    return tuple(kept)


def _crossing(one: Point, other: Point, axis: int, limit: float) -> Point:
    share = (limit - one[axis]) / (other[axis] - one[axis])
    across = one[1 - axis] + share * (other[1 - axis] - one[1 - axis])
    return (limit, across) if axis == 0 else (across, limit)
