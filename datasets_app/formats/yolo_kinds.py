"""YOLO's other tasks write rows that look like polygons: turned boxes (OBB) and key points (pose). Tell them apart."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterable, Iterator

from datasets_app.formats.safe_files import UnreadableFile
from datasets_app.formats.source import Source
from datasets_app.records import FormatError, Point

Rows = list[tuple[int, int, list[float]]]
_SQUARE = 0.02  # |cosine| of an angle that passes for a right one: YOLO rounds to six decimals
_LEVEL = 0.02  # sine of a turn that passes for none
_VISIBILITIES = frozenset({0.0, 1.0, 2.0})


def refuse_other_tasks(source: Source, files: Iterable[tuple[str, Rows]], *, is_segmentation: bool) -> None:
    """Raises FormatError where every row is of another task."""
    kept = [(path, [numbers for _line, _index, numbers in rows if len(numbers) > 5]) for path, rows in files]
    kept = [(path, rows) for path, rows in kept if rows]
    every = [numbers for _path, rows in kept for numbers in rows]
    if not every:
        return
    if all(map(_is_pose, every)):
        raise FormatError(f"{kept[0][0]} holds rows of YOLO key points (pose)", "unsupported_format")
    if not is_segmentation and all(len(numbers) == 8 for numbers in every) and _are_turned(source, kept):
        raise FormatError(f"{kept[0][0]} holds turned boxes of YOLO (OBB)", "unsupported_format")


def _is_pose(numbers: list[float]) -> bool:
    """A box, then x, y and a visibility for each point. An even count may be a polygon: then visibilities tell."""
    points, rest = divmod(len(numbers) - 4, 3)
    return points > 0 and not rest and (len(numbers) % 2 == 1 or set(numbers[6::3]) <= _VISIBILITIES)


def _are_turned(source: Source, files: list[tuple[str, list[list[float]]]]) -> bool:
    """Every row is a rectangle, and one at least is turned: in pixels, as an image is not square."""
    turned = False
    for corners in _corners(source, files):
        if not _is_rectangle(corners):
            return False
        turned |= _is_turned(corners)
    return turned


def _corners(source: Source, files: list[tuple[str, list[list[float]]]]) -> Iterator[list[Point]]:
    for path, rows in files:
        image = source.lookup(posixpath.splitext(path)[0], near=path).image
        try:
            width, height = source.size(image) if image else (1, 1)
        except UnreadableFile:
            width, height = 1, 1
        for numbers in rows:
            yield [(x * width, y * height) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def _is_rectangle(corners: list[Point]) -> bool:
    one, other = _side(corners, 0), _side(corners, 1)
    far = _side(corners, 2)
    lengths = math.hypot(*one), math.hypot(*other)
    if not all(lengths):
        return False
    square = abs(one[0] * other[0] + one[1] * other[1]) <= _SQUARE * lengths[0] * lengths[1]
    return square and math.hypot(one[0] + far[0], one[1] + far[1]) <= _SQUARE * max(lengths)


def _is_turned(corners: list[Point]) -> bool:
    x, y = _side(corners, 0)
    return min(abs(x), abs(y)) > _LEVEL * math.hypot(x, y)


def _side(corners: list[Point], number: int) -> Point:
    (x, y), (next_x, next_y) = corners[number], corners[(number + 1) % 4]
    return next_x - x, next_y - y
