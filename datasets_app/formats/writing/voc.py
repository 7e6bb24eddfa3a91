"""Pascal VOC: `JPEGImages/`, `Annotations/`, and lists of splits in `ImageSets/Main/`. Boxes only."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from xml.sax.saxutils import escape

from datasets_app.formats.geometry import bounds
from datasets_app.formats.verdicts import KEY
from datasets_app.formats.writing.outgoing import (
    RECTANGLES,
    VERDICTS,
    Classes,
    Outgoing,
    Sink,
    Stems,
    drawn,
    pictures,
    tidy,
)
from datasets_app.records import Shape

NAME = "voc"
KEEPS = frozenset({RECTANGLES, VERDICTS})
_FOLDER = "JPEGImages"


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    stems, splits = Stems(), dict[str, None]()
    for image in images:
        path = pictures(sink, image, _FOLDER)
        stem = stems.of(image.name)
        if image.split:
            splits.setdefault(image.split)
            sink.append(image.split, f"{stem}\n")
        if image.labelled:
            sink.text(f"Annotations/{stem}.xml", _document(image, path))
    for split in splits:
        sink.join(f"ImageSets/Main/{split}.txt", (split,))


def _document(image: Outgoing, path: str) -> str:
    width, height = image.size
    folder, name = posixpath.split(path)
    return (
        f"<annotation>\n<folder>{escape(folder)}</folder><filename>{escape(name)}</filename>\n"
        "<source><database>Unknown</database></source>\n"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size><segmented>0</segmented>\n"
        f"{''.join(map(_object, drawn(image)))}</annotation>\n"
    )


def _object(shape: Shape) -> str:
    sides = [tidy(value) for corner in bounds(shape.points) for value in corner]
    box = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True)
    )
    verdict = f"<attribute><name>{KEY}</name><value>{str(shape.verdict).lower()}</value></attribute>"
    attributes = f"<attributes>{verdict}</attributes>" if shape.verdict is not None else ""
    return (
        f"<object><name>{escape(shape.label)}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>0</difficult><bndbox>{box}</bndbox>{attributes}</object>\n"
    )
