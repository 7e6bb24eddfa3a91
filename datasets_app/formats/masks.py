"""Pixel masks into polygons: COCO's run lengths, and the bitmaps that LabelMe keeps beside its XML.

The outline runs along the borders of the pixels, so that it encloses exactly what the mask covers. Run lengths are
decoded here and not by a library in C: those write outside of their memory where run lengths lie about their size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datasets_app.formats.geometry import BadShape
from datasets_app.records import Point

MAX_PIXELS = 100_000_000  # of a mask's own box
MAX_CORNERS = 500_000  # of all outlines of a mask; noise has as many as pixels
_MAX_SIDE = 1_000_000
_TURNS = {"E": "NS", "S": "EW", "W": "SN", "N": "WE"}  # arriving that way: to the left first, else to the right


@dataclass(frozen=True)
class Outlines:
    """What a mask encloses. `holes`: how many there are in it; polygons cannot hold them."""

    polygons: tuple[tuple[Point, ...], ...]
    holes: int = 0


def of_run_lengths(mask: dict[str, Any]) -> Outlines:
    """COCO's `{"size": [height, width], "counts": …}`, counts as numbers or compressed; raises BadShape."""
    size, counts = mask.get("size"), mask.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(_is_count(side) and side <= _MAX_SIDE for side in size):
        raise BadShape("bad_mask")
    lengths = _decompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or not all(map(_is_count, lengths)) or sum(lengths) != size[0] * size[1]:
        raise BadShape("bad_mask")
    borders = np.cumsum(np.array(lengths, dtype=np.int64))
    starts, stops = borders[0:-1:2], borders[1::2]
    filled = stops > starts
    if not filled.any():
        raise BadShape("empty_mask")
    return _of_columns(starts[filled], stops[filled], size[0])


def of_bitmap(path: Path) -> Outlines:
    """A PNG in which everything but black belongs to the mask; raises BadShape."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadShape("mask_too_large")
            pixels = np.asarray(image.convert("L")) > 0
    except BadShape:
        raise
    except Exception:  # Pillow's decoders raise nearly anything on a broken file
        raise BadShape("bad_mask") from None
    if not pixels.any():
        raise BadShape("empty_mask")
    return trace(pixels)


def trace(pixels: np.ndarray, left: int = 0, top: int = 0) -> Outlines:
    """The outlines of the true pixels; those that touch at a corner belong together. Raises BadShape."""
    corners = _Corners.of(np.pad(pixels, 1))
    loops = [[(float(x + left), float(y + top)) for x, y in loop] for loop in corners.loops()]
    outer = tuple(tuple(loop) for loop in loops if _signed_area(loop) > 0)
    return Outlines(outer, len(loops) - len(outer))


def _of_columns(starts: np.ndarray, stops: np.ndarray, height: int) -> Outlines:
    """Runs count down the columns, one column after the other."""
    first, last = int(starts[0]) // height, int(stops[-1] - 1) // height
    if (last - first + 1) * height > MAX_PIXELS:
        raise BadShape("mask_too_large")
    steps = np.zeros((last - first + 1) * height + 1, dtype=np.int8)
    np.add.at(steps, starts - first * height, 1)
    np.add.at(steps, stops - first * height, -1)
    pixels = np.cumsum(steps[:-1], dtype=np.int8).astype(bool).reshape(-1, height).T
    rows = np.flatnonzero(pixels.any(axis=1))
    return trace(pixels[rows[0] : rows[-1] + 1], first, int(rows[0]))


def _decompressed(text: str) -> list[int]:
    """Numbers of five bits a letter, the lowest first; from the fourth on the difference to the one before the last."""
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 50:
            raise BadShape("bad_mask")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise BadShape("bad_mask")
    return counts


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_SIDE**2


def _signed_area(loop: list[Point]) -> float:
    """Twice the area; positive where the mask lies inside."""
    return sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(loop, loop[1:] + loop[:1], strict=True))


@dataclass(frozen=True)
class _Corners:
    """Points where an outline turns, and by direction which of them it goes to. The mask lies to the right."""

    xs: list[int]
    ys: list[int]
    ways: dict[str, dict[int, int]]

    @classmethod
    def of(cls, padded: np.ndarray) -> _Corners:
        """From a mask with a border of false pixels. Raises BadShape."""
        above_left, above, left, here = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
        straight = ((above_left == above) & (left == here)) | ((above_left == left) & (above == here))
        ys, xs = np.nonzero(~straight)
        if len(xs) > MAX_CORNERS:
            raise BadShape("mask_too_complex")
        around = [part[ys, xs] for part in (above_left, above, left, here)]
        by_row, by_column = np.arange(len(xs)), np.lexsort((ys, xs))
        ways: dict[str, dict[int, int]] = {}
        # an edge to the right begins where the pixels above and below differ there, and ends at the next such corner
        ways["E"], ways["W"] = _edges(by_row, around[1] != around[3], around[0] != around[2], around[3])
        ways["S"], ways["N"] = _edges(by_column, around[2] != around[3], around[0] != around[1], around[2])
        return cls(xs.tolist(), ys.tolist(), ways)

    def loops(self) -> Iterator[list[tuple[int, int]]]:
        """Every outline as its corners; each has an edge to the east."""
        waiting = dict(self.ways["E"])
        while waiting:
            start = next(iter(waiting))
            corner, way = start, "E"
            loop: list[tuple[int, int]] = []
            while not (loop and corner == start and way == "E"):
                loop.append((self.xs[corner], self.ys[corner]))
                if way == "E":
                    del waiting[corner]
                corner = self.ways[way][corner]
                way = next(turn for turn in _TURNS[way] if corner in self.ways[turn])
            yield loop


def _edges(
    order: np.ndarray, begins: np.ndarray, ends: np.ndarray, forward: np.ndarray
) -> tuple[dict[int, int], dict[int, int]]:
    """Corners in one direction pair up. Forward where the mask is on the right hand then, else back."""
    first, second = order[begins[order]], order[ends[order]]
    is_forward = forward[first]
    there = dict(zip(first[is_forward].tolist(), second[is_forward].tolist(), strict=True))
    back = dict(zip(second[~is_forward].tolist(), first[~is_forward].tolist(), strict=True))
    return there, back
