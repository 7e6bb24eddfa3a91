"""The layout of the system before this one: `images/`, `annotations/` with `.cat`, `.txt` and LabelMe files.

It has a place for several training types at once, as `datasets_app.formats.original` reads them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from datasets_app.formats.writing.labelme_json import document
from datasets_app.formats.writing.outgoing import (
    CATEGORIES,
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

NAME = "original"
KEEPS = frozenset({RECTANGLES, POLYGONS, VERDICTS, ROIS, SCORES, CATEGORIES})
_RC = "rc"


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    stems = Stems()
    for image in images:
        path = pictures(sink, image, "images")
        for question, category in image.categories.items():
            sink.append(question, f"{image.name} {category}\n")
        for region in image.regions:
            if region.verdict is not None:
                sink.append(_RC, f"{image.name} {region.label} {_place(region)}\n")
        if has_file(image, classes):
            stem = stems.of(image.name)
            up = "../" * (stem.count("/") + 1)
            sink.text(f"annotations/{stem}.json", document(image, posixpath.join(up, path)))
    lists = dict(classes.questions) | ({_RC: classes.regions} if classes.regions else {})
    for name, codes in lists.items():
        sink.text(f"annotations/{name}.cat", "".join(f"{code}\n" for code in codes))
        sink.join(f"annotations/{name}.txt", (name,))


def _place(region: Shape) -> str:
    (left, top), (right, bottom) = region.points
    sides = (tidy(value) for value in (left, top, right - left, bottom - top))
    return f"{str(region.verdict).lower()} {' '.join(map(str, sides))}"
