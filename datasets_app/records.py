"""Neutral records that every annotation format is read into and written from.

Plain frozen dataclasses: no Django, no file handles, so that a reader can be tested and fuzzed on its own.
Coordinates are pixels of the image as it is seen (after EXIF rotation), origin at the top left corner.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, overload

Point = tuple[float, float]


class Shape(NamedTuple):
    """One labelled region of an image."""

    label: str
    kind: str  # "rectangle": two corner points, top left first; "polygon": three points or more
    points: tuple[Point, ...]
    score: float | None = None  # 0..1, only of generated shapes
    is_generated: bool = False
    is_roi: bool = False  # a region of interest, not a label
    verdict: bool | None = None  # RC: whether the region has what the label names; None where nobody judged


class Traits(NamedTuple):
    """All of a shape but where it is. Most shapes of a large set share theirs with others."""

    label: str
    kind: str
    length: int  # points
    score: float | None
    is_generated: bool
    is_roi: bool
    verdict: bool | None


class Shapes(Sequence[Shape]):
    """Shapes in few bytes, each made anew whenever somebody looks: a large import holds a million of them."""

    __slots__ = ("_numbers", "traits")

    def __init__(self, shapes: Iterable[Shape] = ()) -> None:
        """The same shapes in the same order; their coordinates are kept as floats."""
        self.traits, self._numbers = list[Traits](), array("d")
        for shape in shapes:
            self.append(shape)

    def append(self, shape: Shape) -> None:
        label, kind, points, score, is_generated, is_roi, verdict = shape
        self.traits.append(_traits(label, kind, len(points), score, is_generated, is_roi, verdict))
        self._numbers.extend(chain.from_iterable(points))

    def __iter__(self) -> Iterator[Shape]:
        numbers, start = iter(self._numbers), 0
        points = tuple(zip(numbers, numbers, strict=True))
        for label, kind, length, score, is_generated, is_roi, verdict in self.traits:
            end = start + length
            yield Shape(label, kind, points[start:end], score, is_generated, is_roi, verdict)
            start = end

    def __len__(self) -> int:
        return len(self.traits)

    @overload
    def __getitem__(self, index: int) -> Shape: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Shape, ...]: ...

    def __getitem__(self, index: int | slice) -> Shape | tuple[Shape, ...]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Shapes | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Shapes({list(self)!r})"


@lru_cache(maxsize=10_000)
def _traits(*values: object) -> Traits:
    """One object for all that are alike; scores, which all differ, push older ones out."""
    return Traits(*values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What an annotation source says of one image."""

    path: str  # relative to the source's root, "/" between parts, always of a file that is there
    category: str | None = None  # the CL label, from a folder per class
    shapes: Sequence[Shape] = ()
    labelled: bool = False  # someone looked at it: labelled without shapes is a real, empty sample
    split: str = ""  # "train", "val", "test" or "" where the source does not say
    meta: dict[str, str] = field(default_factory=dict)  # what a table of meta data says of it

    @property
    def traits(self) -> Sequence[Shape | Traits]:
        """What its shapes are, for who need not know where: faster, where there are many."""
        return self.shapes.traits if isinstance(self.shapes, Shapes) else self.shapes


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a reader met and did not swallow."""

    path: str  # the file it is about, relative to the source's root
    code: str  # stable, for counting and translating: "zero_size_box", "image_missing", ...
    detail: str = ""  # what was found, in the file's own words


@dataclass(frozen=True)
class Reading:
    """All that a reader found."""

    format: str
    images: tuple[ImageRecord, ...]
    labels: tuple[str, ...]  # in the source's own order, each once
    problems: tuple[Problem, ...] = ()
    is_classification: bool = False  # the labels are categories of the whole image (CL), not shapes
    notes: dict[str, str] = field(default_factory=dict)  # tool and version, where the source names them
    question: str = ""  # the code of the annotation type that the categories answer, where the source names it
    also: tuple[Reading, ...] = ()  # what the source says of the same images for other training types

    @property
    def is_judged(self) -> bool:
        """Whether its regions carry verdicts: RC, where a label names what is inspected."""
        return any(shape.verdict is not None for image in self.images for shape in image.traits)


class FormatError(Exception):
    """The source is not (readable as) this format; the message says what was expected and what was found.

    `code` is stable, for translating: "no_images", "unsupported_format", "no_format", "split_columns", ...
    """

    def __init__(self, message: str, code: str = "no_format") -> None:
        super().__init__(message)
        self.code = code
