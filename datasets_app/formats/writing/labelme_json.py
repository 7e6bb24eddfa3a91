"""LabelMe JSON: a file an image, beside it. It has a place for everything that is drawn."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable
from typing import Any

from datasets_app.formats.verdicts import KEY
from datasets_app.formats.writing.outgoing import (
    POLYGONS,
    RECTANGLES,
    ROIS,
    SCORES,
    VERDICTS,
    Classes,
    Outgoing,
    Sink,
    Stems,
    has_file,
    pictures,
    tidy,
)
from datasets_app.records import Shape

NAME = "labelme_json"
KEEPS = frozenset({RECTANGLES, POLYGONS, VERDICTS, ROIS, SCORES})
_VERSION = "5.5.0"  # of labelme, whose files these are like


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    stems = Stems()
    for image in images:
        path = pictures(sink, image)
        if has_file(image, classes):
            sink.text(f"{stems.of(path)}.json", document(image, posixpath.basename(path)))


def document(image: Outgoing, image_path: str) -> str:
    """One file; `image_path` is relative to where it lies."""
    width, height = image.size
    content: dict[str, Any] = {
        "version": _VERSION,
        "flags": {},
        "shapes": [_shape(shape) for shape in image.shapes],
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def _shape(shape: Shape) -> dict[str, Any]:
    extra = {"isroi": True} if shape.is_roi else {}
    if shape.is_generated:
        extra |= {"isgenerated": True, "score": shape.score}  # type: ignore[dict-item]
    return {
        "label": shape.label,
        "points": [[tidy(x), tidy(y)] for x, y in shape.points],
        "group_id": None,
        "shape_type": shape.kind,
        "flags": {} if shape.verdict is None else {KEY: shape.verdict},
        **extra,
    }
