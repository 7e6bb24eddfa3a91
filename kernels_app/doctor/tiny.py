"""Tiny data sets of each training type, drawn here: coloured squares on grey, as a kernel sees data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from kernels_app.contract.data import (
    ClSample,
    RcSample,
    Shape,
    ShapeSample,
    read_cl,
    read_files,
    read_files_rc,
    read_rc,
    read_split_shapes,
    write_cl,
    write_files,
    write_labels,
    write_rc,
    write_shapes,
)

CLASSES = {"RED": (220, 40, 40), "BLUE": (40, 60, 220)}
SIZE = (96, 72)  # pixels
SIDE = 28  # pixels of a square
GIVEN = ("inference", "preprocessing")  # operations that get images without labels
COUNTS = {"train": 8, "validation": 4}  # images of each split
Box = tuple[int, int, int, int]  # two corners
Place = tuple[str, tuple[int, ...]]  # an image's path; of a region also x, y, width, height


def make(dataset: Path, training_type: str, operation: str, suffixes: Sequence[str] = ()) -> int:
    """Write a data set into the folder `dataset`; how many samples the operation has to answer for.

    `suffixes`: endings of the sibling images, where the kernel looks at several pictures of one part.
    """
    write_labels(dataset, CLASSES)
    splits = {"training": ("train", "validation"), "validation": ("validation",)}.get(operation, ())
    for split in splits:
        _write_split(dataset, training_type, split, suffixes)
    if splits:
        return _count(training_type, "validation")
    samples = [one for n in range(COUNTS["validation"]) for one in _listed(dataset, training_type, n, suffixes)]
    write_files(dataset, samples)
    return len(samples)


def asked(dataset: Path, training_type: str, operation: str) -> Counter[Place]:
    """What the operation has to answer for, and how often: each class is asked of an RC region."""
    if training_type == "RC":
        regions = read_files_rc(dataset) if operation in GIVEN else read_rc(dataset, "validation")
        return Counter(place(one.path, (one.x, one.y, one.width, one.height)) for one in regions)
    if operation in GIVEN:
        return Counter(place(path) for path in read_files(dataset))
    if training_type == "CL":
        return Counter(place(one.path) for one in read_cl(dataset, "validation"))
    return Counter(place(one.path) for one in read_split_shapes(dataset, "validation"))


def place(path: str, box: Sequence[float] | None = None) -> Place:
    """Kernels may write a whole number of pixels as they like."""
    return path, tuple(round(side) for side in box or ())


def _count(training_type: str, split: str) -> int:
    return COUNTS[split] * (len(CLASSES) if training_type == "RC" else 1)


def _write_split(dataset: Path, training_type: str, split: str, suffixes: Sequence[str]) -> None:
    drawn = [_draw(dataset, split, n, suffixes) for n in range(COUNTS[split])]
    if training_type == "CL":
        write_cl(dataset, split, [ClSample(str(path), code) for path, code, _box in drawn])
    elif training_type == "RC":
        write_rc(dataset, split, [region for path, code, box in drawn for region in _regions(path, code, box)])
    else:
        for n, (path, code, box) in enumerate(drawn):
            shapes = (_shape(training_type, code, box),) if n else ()  # the first is a real, empty sample
            write_shapes(dataset / split, ShapeSample(str(path), f"{split}{n}", *SIZE, shapes))


def _listed(dataset: Path, training_type: str, n: int, suffixes: Sequence[str]) -> list[ClSample | RcSample]:
    path, code, box = _draw(dataset, "validation", n, suffixes)
    if training_type != "RC":
        return [ClSample(str(path))]
    return [replace(region, verdict=None) for region in _regions(path, code, box)]


def _draw(dataset: Path, split: str, n: int, suffixes: Sequence[str]) -> tuple[Path, str, Box]:
    """One picture, and its siblings: a path with a space in it, the class of its square, where it is."""
    code = list(CLASSES)[n % len(CLASSES)]
    x, y = 4 + 9 * n % (SIZE[0] - SIDE - 8), 3 + 7 * n % (SIZE[1] - SIDE - 6)
    box = (x, y, x + SIDE, y + SIDE)
    image = Image.new("RGB", SIZE, (120 + n, 120, 120))
    ImageDraw.Draw(image).rectangle(box, fill=CLASSES[code])
    folder = dataset / "images" / "1"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{split} {n}{suffix}" for suffix in suffixes or (".png",)]
    for path in paths:
        image.save(path, format="PNG")
    return paths[0], code, box


def _regions(path: Path, code: str, box: Box) -> list[RcSample]:
    """Of the one square each class is asked: true for its own."""
    x1, y1, x2, y2 = box
    return [RcSample(str(path), name, name == code, x1, y1, x2 - x1, y2 - y1) for name in CLASSES]


def _shape(training_type: str, code: str, box: Box) -> Shape:
    x1, y1, x2, y2 = map(float, box)
    if training_type == "OD":
        return Shape(code, "rectangle", ((x1, y1), (x2, y2)))
    return Shape(code, "polygon", ((x1, y1), (x2, y1), (x2, y2), (x1, y2)))
