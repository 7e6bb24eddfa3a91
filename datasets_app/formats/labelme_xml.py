"""LabelMe XML: one file an image, as the original web tool writes it and CVAT exports it ("LabelMe 3.0").

A polygon says by `<type>bounding_box</type>` that it is a rectangle. A `<segm>` is a bitmap in a folder `Masks`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from datasets_app.formats import masks
from datasets_app.formats.candidate import Candidate
from datasets_app.formats.collect import Collector, Entry
from datasets_app.formats.geometry import BadShape, bounds, number
from datasets_app.formats.safe_files import read_xml
from datasets_app.formats.source import Source
from datasets_app.formats.verdicts import verdict_in
from datasets_app.records import Point, Reading, Shape
from kernels_app.contract.files import is_text

NAME = "labelme_xml"
TITLE = "LabelMe XML"


def match(source: Source) -> Candidate:
    files = len(source.kinds.of(NAME))
    reason = f"{files} LabelMe XML files" if files else "no XML file of LabelMe was found"
    return Candidate(NAME, TITLE, files, f"{TITLE}: {reason}")


def read(source: Source) -> Reading:
    """Polygons, rectangles and masks; what was deleted in the tool stays deleted."""
    collector, entries, tools = Collector(source), [], set()
    for path in source.kinds.of(NAME):
        root = read_xml(source.annotation_path(path))
        entries.append(Entry(path, _names(path, root), tuple(_shapes(path, root, collector)), _size(root)))
        tools.add(_text(root, "source/sourceAnnotation"))
    collector.add(entries)
    tool = ", ".join(sorted(tools - {""}))[:200]
    return collector.reading(NAME, collector.labels(), {"tool": tool} if tool else {})


def _names(path: str, root: Element) -> tuple[str, ...]:
    """Beside the file, in the folder it states, and by its own name: the web tool keeps images in a folder apart."""
    stated, own = _text(root, "filename"), posixpath.splitext(path)[0]
    if not stated:
        return (own,)
    return posixpath.join(posixpath.dirname(path), stated), posixpath.join(_text(root, "folder"), stated), own


def _size(root: Element) -> tuple[float, float] | None:
    try:
        width, height = number(_text(root, "imagesize/ncols")), number(_text(root, "imagesize/nrows"))
    except BadShape:
        return None
    return (width, height) if width and height else None


def _shapes(path: str, root: Element, collector: Collector) -> Iterator[Shape]:
    for position, element in enumerate(root.iterfind("object"), 1):
        if _text(element, "deleted") == "1":
            continue
        where = f"object {position} {_text(element, 'name')[:100]!r}"
        try:
            yield from _object(path, element, where, collector)
        except BadShape as error:
            collector.problem(path, error.code, where)


def _object(path: str, element: Element, where: str, collector: Collector) -> list[Shape]:
    """Raises BadShape."""
    label, verdict = _text(element, "name"), verdict_in(_text(element, "attributes"))
    if not label:
        raise BadShape("no_label")
    if not is_text(label):
        raise BadShape("bad_label")
    if element.find("segm") is not None:
        found = _mask(path, _text(element, "segm/mask"), collector.source)
        collector.mask_problems(path, where, found)
        return [Shape(label, "polygon", polygon, verdict=verdict) for polygon in found.polygons]
    corners = _corners(element)
    if _text(element, "type") == "bounding_box" and is_upright(corners):
        return [Shape(label, "rectangle", bounds(corners), verdict=verdict)]
    return [Shape(label, "polygon", corners, verdict=verdict)]


def _mask(path: str, name: str, source: Source) -> masks.Outlines:
    found = source.mask(name, near=path)
    if found is None:
        raise BadShape("mask_missing")
    return masks.of_bitmap(source.image_path(found))


def _corners(element: Element) -> tuple[Point, ...]:
    points = element.findall("polygon/pt")
    if not points:
        raise BadShape("unsupported_shape")
    return tuple((number(_text(point, "x")), number(_text(point, "y"))) for point in points)


def is_upright(corners: tuple[Point, ...]) -> bool:
    """Whether these are the four corners of a box that is not turned."""
    (left, top), (right, bottom) = bounds(corners)
    return set(corners) == {(left, top), (right, top), (right, bottom), (left, bottom)}


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
