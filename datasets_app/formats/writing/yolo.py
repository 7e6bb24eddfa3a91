"""YOLO as Ultralytics reads it: `images/`, `labels/`, `data.yaml`, and a list of images a split."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable
from dataclasses import replace

from datasets_app.formats.writing.outgoing import (
    POLYGONS,
    RECTANGLES,
    Classes,
    Outgoing,
    Sink,
    Stems,
    drawn,
    pictures,
)
from datasets_app.records import Shape

NAME = "yolo"
KEEPS = frozenset({RECTANGLES, POLYGONS})


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    numbers, splits, stems = {label: n for n, label in enumerate(classes.labels)}, dict[str, None](), Stems()
    has_polygons = False
    for image in images:
        named = _own_stem(image, stems)
        path = pictures(sink, named, "images")
        splits.setdefault(image.split)
        sink.append(image.split, f"./{path}\n")
        if image.labelled:
            shapes = list(drawn(image))
            has_polygons |= any(shape.kind == "polygon" for shape in shapes)
            rows = (_row(numbers[shape.label], shape, image.size) for shape in shapes)
            sink.text(f"labels/{posixpath.splitext(named.name)[0]}.txt", "".join(rows))
    for split in splits:
        sink.join(f"{split or 'all'}.txt", (split,))
    sink.text("data.yaml", _data(classes.labels, list(splits), has_polygons))


def _own_stem(image: Outgoing, stems: Stems) -> Outgoing:
    """`a.jpg` beside `a.png` would share their labels: the second is called `a.png.png`."""
    stem = stems.of(image.name)
    return image if stem != image.name else replace(image, name=stem + posixpath.splitext(image.name)[1])


def _row(number: int, shape: Shape, size: tuple[int, int]) -> str:
    points = [(x / size[0], y / size[1]) for x, y in shape.points]
    if shape.kind == "rectangle":
        (left, top), (right, bottom) = points
        points = [((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top)]
    return " ".join([str(number), *(f"{value:.9g}" for point in points for value in point)]) + "\n"


def _data(labels: tuple[str, ...], splits: list[str], has_polygons: bool) -> str:
    """Training needs both of `train` and `val`: what is in no split stands for what is missing."""
    files = {split or "all": f"{split or 'all'}.txt" for split in splits}
    spare = files.get("all") or next(iter(files.values()), "all.txt")
    lines = ["path: .", f"train: {files.get('train', spare)}", f"val: {files.get('val', spare)}"]
    lines += [f"test: {files['test']}"] if "test" in files else []
    lines += [f"task: {'segment' if has_polygons else 'detect'}", f"nc: {len(labels)}", "names:"]
    names = [f"  {number}: {json.dumps(label, ensure_ascii=False)}" for number, label in enumerate(labels)]
    return "\n".join([*lines, *names]) + "\n"
