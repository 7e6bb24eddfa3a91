"""Neutral records that every annotation format is read into and written from.

Plain frozen dataclasses: no Django, no file handles, so that a reader can be tested and fuzzed on its own.
Coordinates are pixels of the image as it is seen (after EXIF rotation), origin at the top left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """One labelled region of an image."""

    label: str
    kind: str  # "rectangle": two corner points, top left first; "polygon": three points or more
    points: tuple[Point, ...]
    score: float | None = None  # 0..1, only of generated shapes
    is_generated: bool = False
    is_roi: bool = False  # a region of interest, not a label
    verdict: bool | None = None  # RC: whether the region has what the label names; None where nobody judged


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What an annotation source says of one image."""

    path: str  # relative to the source's root, "/" between parts, always of a file that is there
    category: str | None = None  # the CL label, from a folder per class
    shapes: tuple[Shape, ...] = ()
    labelled: bool = False  # someone looked at it: labelled without shapes is a real, empty sample
    split: str = ""  # "train", "val", "test" or "" where the source does not say
    meta: dict[str, str] = field(default_factory=dict)  # what a table of meta data says of it


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
        return any(shape.verdict is not None for image in self.images for shape in image.shapes)


class FormatError(Exception):
    """The source is not (readable as) this format; the message says what was expected and what was found.

    `code` is stable, for translating: "no_images", "unsupported_format", "no_format", "split_columns", ...
    """

    def __init__(self, message: str, code: str = "no_format") -> None:
        super().__init__(message)
        self.code = code
