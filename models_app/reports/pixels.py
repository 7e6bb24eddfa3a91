"""Shapes as pixels: what a segmentation covers. A polygon covers the pixels within it and those on its line, as
labelling tools draw it (labelme, cv2.fillPoly, PIL)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from models_app.reports.counts import NOTHING, Cell
from models_app.reports.matching import Box, box_of

Points = Sequence[Sequence[float]]
_BITS = 4  # of a coordinate's fraction when drawing: sixteenths of a pixel
_LIMIT = 2.0**20  # pixels: what lies farther outside would not fit into the fixed-point numbers
Frame = tuple[int, int, int, int]  # whole pixels: left, top, right, bottom; the last two are beyond
Size = tuple[int, int]  # width, height


@dataclass
class Pixels:
    """Counted over images, by class of truth and of prediction; NOTHING is the background. Without what is nothing and
    was found to be nothing: no figure needs it."""

    cells: Counter[Cell] = field(default_factory=Counter)

    @property
    def right(self) -> int:
        return sum(n for (truth, found), n in self.cells.items() if truth == found)

    @property
    def iou(self) -> float | None:
        """Foreground: of all pixels that are or were found to be something, those that were given their class."""
        every = sum(self.cells.values())
        return self.right / every if every else None

    @property
    def precision(self) -> float | None:
        found = sum(n for (_truth, found), n in self.cells.items() if found != NOTHING)
        return self.right / found if found else None

    @property
    def recall(self) -> float | None:
        there = sum(n for (truth, _found), n in self.cells.items() if truth != NOTHING)
        return self.right / there if there else None

    def of_class(self, code: str) -> dict[str, Any]:
        """`IoU` (None where it neither is nor was found), and pixels: those it has, those found, those common."""
        there = sum(n for (truth, _found), n in self.cells.items() if truth == code)
        found = sum(n for (_truth, found), n in self.cells.items() if found == code)
        common = self.cells[code, code]
        either = there + found - common
        return {"IoU": common / either if either else None, "pixels": there, "found": found, "common": common}


def count(size: Size, truth: Sequence[tuple[str, Points]], found: Sequence[tuple[str, Points]]) -> Pixels:
    """Of one image of this size: shapes by class and corners. A later shape lies above an earlier one."""
    shapes = [points for _label, points in (*truth, *found)]
    if not shapes:
        return Pixels()
    codes = sorted({label for label, _points in (*truth, *found)})
    frame = _frame(size, [box_of(points) for points in shapes])
    pairs = np.zeros(_size(frame), np.int32)
    pairs += _drawn(frame, truth, codes) * (len(codes) + 1)
    pairs += _drawn(frame, found, codes)
    numbers = np.bincount(pairs.ravel(), minlength=(len(codes) + 1) ** 2)
    named = [NOTHING, *codes]
    cells = Counter({
        (named[n // len(named)], named[n % len(named)]): int(numbers[n]) for n in np.flatnonzero(numbers) if n
    })  # fmt: skip
    return Pixels(cells)


def overlap(size: Size, found: Sequence[Points], truth: Sequence[Points]) -> np.ndarray:
    """IoU of the pixels, float64 (found, truth)."""
    a, b = [_Piece(size, points) for points in found], [_Piece(size, points) for points in truth]
    made = np.zeros((len(a), len(b)))
    for n, one in enumerate(a):
        for k, other in enumerate(b):
            made[n, k] = one.overlap(other)
    return made


class _Piece:
    """The pixels of one shape, within its own frame."""

    def __init__(self, size: Size, points: Points) -> None:
        self.frame = _frame(size, [box_of(points)])
        self.mask = np.zeros(_size(self.frame), np.uint8)
        _draw(self.mask, points, 1, self.frame)
        self.area = int(self.mask.sum())

    def overlap(self, other: _Piece) -> float:
        left, top = max(self.frame[0], other.frame[0]), max(self.frame[1], other.frame[1])
        right, bottom = min(self.frame[2], other.frame[2]), min(self.frame[3], other.frame[3])
        if left >= right or top >= bottom:
            return 0.0
        window = (left, top, right, bottom)
        common = int((self._within(window) & other._within(window)).sum())
        return common / max(1, self.area + other.area - common)

    def _within(self, window: Frame) -> np.ndarray:
        left, top, right, bottom = window
        x, y = self.frame[:2]
        return self.mask[top - y : bottom - y, left - x : right - x]


def _frame(size: Size, boxes: Sequence[Box]) -> Frame:
    """Around all of them, within the image."""
    around, limits = np.asarray(boxes, np.float64), np.asarray(size)
    low = np.floor(around[:, :2].min(axis=0)).clip(0, limits)
    high = (np.ceil(around[:, 2:].max(axis=0)) + 1).clip(low, np.maximum(low, limits))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _size(frame: Frame) -> tuple[int, int]:
    left, top, right, bottom = frame
    return bottom - top, right - left


def _drawn(frame: Frame, shapes: Sequence[tuple[str, Points]], codes: Sequence[str]) -> np.ndarray:
    mask = np.zeros(_size(frame), np.uint16)
    for label, points in shapes:
        _draw(mask, points, codes.index(label) + 1, frame)
    return mask.astype(np.int32)


def _draw(mask: np.ndarray, points: Points, value: int, frame: Frame) -> None:
    if not mask.size:
        return
    corners = (np.asarray(points, np.float64) - frame[:2]).clip(-_LIMIT, _LIMIT)
    cv2.fillPoly(mask, [np.rint(corners * 2**_BITS).astype(np.int32)], value, shift=_BITS)
