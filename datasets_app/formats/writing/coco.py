"""COCO: one JSON a split below `annotations/`, images in `images/`. Verdicts go where CVAT keeps attributes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from datasets_app.formats.geometry import area, bounds
from datasets_app.formats.verdicts import KEY
from datasets_app.formats.writing.outgoing import (
    POLYGONS,
    RECTANGLES,
    VERDICTS,
    Classes,
    Outgoing,
    Sink,
    drawn,
    flat,
    pictures,
    tidy,
)
from datasets_app.records import Shape

NAME = "coco"
KEEPS = frozenset({RECTANGLES, POLYGONS, VERDICTS})


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    numbers, splits, count = {label: n for n, label in enumerate(classes.labels, 1)}, dict[str, None](), 0
    for number, image in enumerate(images, 1):
        pictures(sink, image, "images")
        splits.setdefault(image.split)
        if not image.labelled:  # not listed: nobody looked at it
            continue
        width, height = image.size
        stated = {"id": number, "file_name": image.name, "width": width, "height": height}
        _append(sink, f"images {image.split}", stated)
        for shape in drawn(image):
            count += 1
            _append(
                sink,
                f"annotations {image.split}",
                {"id": count, "image_id": number, "category_id": numbers[shape.label], **_annotation(shape)},
            )
    categories = json.dumps([{"id": n, "name": label, "supercategory": ""} for label, n in numbers.items()])
    for split in splits:
        sink.join(
            f"annotations/instances_{split or 'default'}.json",
            *('{"info": {}, "licenses": [], "categories": ', categories, ', "images": ['),
            *((f"images {split}",), '], "annotations": [', (f"annotations {split}",), "]}\n"),
        )


def _append(sink: Sink, name: str, value: dict[str, Any]) -> None:
    sink.append(name, (",\n" if sink.has(name) else "\n") + json.dumps(value, ensure_ascii=False))


def _annotation(shape: Shape) -> dict[str, Any]:
    (left, top), (right, bottom) = bounds(shape.points)
    is_box = shape.kind == "rectangle"
    attributes = {"attributes": {KEY: shape.verdict}} if shape.verdict is not None else {}
    return {
        "bbox": [tidy(left), tidy(top), tidy(right - left), tidy(bottom - top)],
        "segmentation": [] if is_box else [flat(shape.points)],
        "area": tidy((right - left) * (bottom - top) if is_box else area(shape.points)),
        "iscrowd": 0,
        **attributes,
    }
