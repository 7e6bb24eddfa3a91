"""LabelMe XML: a file an image, beside it, as CVAT exports it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from xml.sax.saxutils import escape

from datasets_app.formats.verdicts import KEY
from datasets_app.formats.writing.outgoing import (
    POLYGONS,
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
from datasets_app.records import Point, Shape

NAME = "labelme_xml"
KEEPS = frozenset({RECTANGLES, POLYGONS, VERDICTS})


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    stems = Stems()
    for image in images:
        path = pictures(sink, image)
        if image.labelled:
            sink.text(f"{stems.of(path)}.xml", _document(image, posixpath.basename(path)))


def _document(image: Outgoing, name: str) -> str:
    width, height = image.size
    objects = "".join(_object(number, shape) for number, shape in enumerate(drawn(image)))
    return (
        f"<annotation>\n<filename>{escape(name)}</filename><folder></folder>\n"
        "<source><sourceImage></sourceImage><sourceAnnotation>train portal</sourceAnnotation></source>\n"
        f"<imagesize><nrows>{height}</nrows><ncols>{width}</ncols></imagesize>\n{objects}</annotation>\n"
    )


def _object(number: int, shape: Shape) -> str:
    kind = "<type>bounding_box</type>" if shape.kind == "rectangle" else ""
    points = "".join(f"<pt><x>{tidy(x)}</x><y>{tidy(y)}</y></pt>" for x, y in _corners(shape))
    attributes = f"{KEY}={str(shape.verdict).lower()}" if shape.verdict is not None else ""
    return (
        f"<object><name>{escape(shape.label)}</name><deleted>0</deleted><verified>0</verified><id>{number}</id>"
        f"<parts><hasparts></hasparts><ispartof></ispartof></parts>{kind}<polygon>{points}<username></username></polygon>"
        f"<attributes>{attributes}</attributes></object>\n"
    )


def _corners(shape: Shape) -> tuple[Point, ...]:
    if shape.kind != "rectangle":
        return shape.points
    (left, top), (right, bottom) = shape.points
    return (left, top), (right, top), (right, bottom), (left, bottom)
