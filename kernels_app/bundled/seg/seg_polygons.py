"""Masks to polygons and back. Points are pixel indices: a polygon covers the pixels within it and those on its line.

That is how labelling tools draw (labelme, cv2.fillPoly, PIL), so drawing the polygons of a mask gives the mask again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from kernels_app.contract.data import Point, Shape

FRACTION_BITS = 4  # of a coordinate, when drawing: sixteenths of a pixel
SMALLEST = 3  # points of a polygon


@dataclass(frozen=True)
class Tracing:
    """`min_area`: pixels; smaller regions are left out and smaller holes filled. `simplify`: how many pixels the line
    of a polygon may be off."""

    min_area: int
    simplify: float


def draw(mask: np.ndarray, corners: Sequence[Point], value: int, scale: tuple[float, float] = (1.0, 1.0)) -> None:
    """Fill a polygon in `mask`, uint8 (height, width). `scale`: of x and y, where the mask has another size."""
    middles = (np.asarray(corners, np.float64) + 0.5) * scale - 0.5
    limit = 2.0**15  # what lies farther outside would not fit into the fixed-point numbers
    points = np.rint(middles.clip(-limit, limit) * 2**FRACTION_BITS).astype(np.int32)
    cv2.fillPoly(mask, [points], value, shift=FRACTION_BITS)


def corners_of(shape: Shape) -> list[Point]:
    """The corners of a polygon, or of a rectangle given by two of them."""
    if shape.shape_type != "rectangle":
        return list(shape.points)
    (x1, y1), (x2, y2) = shape.points[:2]
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def polygons(mask: np.ndarray, certainty: np.ndarray, classes: Sequence[str], tracing: Tracing) -> list[Shape]:
    """A shape for each connected region of `mask`, uint8 (height, width), 0 background, n the class of index n - 1.

    `certainty` (height, width): how probable each pixel's class is; the mean over a region is its score.
    """
    found: list[Shape] = []
    for value in np.unique(mask[mask > 0]).tolist():
        found += _of_class((mask == value).astype(np.uint8), certainty, classes[value - 1], tracing)
    return found


def _of_class(mask: np.ndarray, certainty: np.ndarray, label: str, tracing: Tracing) -> Iterable[Shape]:
    count, regions, about, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sums = np.bincount(regions.ravel(), weights=certainty.ravel(), minlength=count)
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for n, outer in enumerate(contours):
        x, y = outer[0, 0]
        region = regions[y, x]
        area = int(about[region, cv2.CC_STAT_AREA])
        if tree[0, n, 3] >= 0 or area < tracing.min_area:  # a hole of another, or too small
            continue
        holes = [contours[k] for k in _children(tree[0], n) if _pixels_inside(contours[k]) >= tracing.min_area]
        rings = [_simplified(ring, tracing.simplify) for ring in (outer, *holes)]
        points = tuple((float(x), float(y)) for x, y in _joined(rings))
        yield Shape(label, "polygon", points, isgenerated=True, score=round(float(sums[region] / area), 6))


def _children(tree: np.ndarray, parent: int) -> Iterable[int]:
    """The holes of a contour; `tree` (contours, 4): next, previous, first child, parent."""
    child = int(tree[parent, 2])
    while child >= 0:
        yield child
        child = int(tree[child, 0])


def _pixels_inside(hole: np.ndarray) -> float:
    """How many pixels a hole has whose contour, the pixels around it, is `hole`: by Pick's theorem."""
    return max(1.0, cv2.contourArea(hole) - len(hole) / 2 + 1)


def _simplified(contour: np.ndarray, tolerance: float) -> np.ndarray:
    """int32 (points, 2); at least three points, as a polygon must have them."""
    fewer = cv2.approxPolyDP(contour, tolerance, closed=True)[:, 0]
    if len(fewer) < SMALLEST <= len(contour):  # a line of pixels, there and back
        fewer = fewer if tolerance == 0 else cv2.approxPolyDP(contour, 0, closed=True)[:, 0]
    return np.concatenate([fewer, np.repeat(fewer[-1:], max(0, SMALLEST - len(fewer)), axis=0)])


def _joined(rings: Sequence[np.ndarray]) -> np.ndarray:
    """One ring out of an outer one and its holes: a bridge, there and back, leads to each hole from what is nearest.

    Holes run the other way round than their outer ring, so even-odd and non-zero filling leave the same pixels free.
    """
    ring, waiting = rings[0], list(rings[1:])
    links = [_nearest(ring, hole) for hole in waiting]  # (distance, point of the ring, index in the hole)
    while waiting:
        next_one = min(range(len(waiting)), key=lambda n: links[n][0])
        hole, (_, start, there) = waiting.pop(next_one), links.pop(next_one)
        at = int(np.flatnonzero((ring == start).all(axis=1))[0])
        around = np.roll(hole, -there, axis=0)
        ring = np.concatenate([ring[: at + 1], around, around[:1], ring[at:]])
        links = [
            min(old, _nearest(hole, other), key=lambda link: link[0]) for old, other in zip(links, waiting, strict=True)
        ]
    return ring


def _nearest(ring: np.ndarray, hole: np.ndarray) -> tuple[float, np.ndarray, int]:
    """(squared distance, the point of `ring`, the index in `hole`) where the two are nearest."""
    best = (float("inf"), ring[0], 0)
    for n, point in enumerate(hole):
        distances = ((ring - point) ** 2).sum(axis=1)
        k = int(distances.argmin())
        if distances[k] < best[0]:
            best = (float(distances[k]), ring[k], n)
    return best
