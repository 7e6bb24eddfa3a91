"""Pascal VOC: one XML file an image, boxes only, splits in ImageSets/Main.

Pixel values are kept as stated: tools disagree on whether they start at 0 or at 1, and the file does not say.
"""

from __future__ import annotations

import posixpath
from xml.etree.ElementTree import Element

from datasets_app.formats.candidate import Candidate
from datasets_app.formats.collect import Collector, Entry
from datasets_app.formats.geometry import BadShape, bounds, number
from datasets_app.formats.safe_files import UnreadableFile, read_text, read_xml
from datasets_app.formats.source import Source
from datasets_app.formats.splits import split_of
from datasets_app.formats.verdicts import verdict_of
from datasets_app.records import Reading, Shape

NAME = "voc"
TITLE = "Pascal VOC"
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def match(source: Source) -> Candidate:
    files = len(source.kinds.of(NAME))
    reason = f"{files} Pascal VOC XML files" if files else "no XML file with an annotation was found"
    return Candidate(NAME, TITLE, files, f"{TITLE}: {reason}")


def read(source: Source) -> Reading:
    """Boxes as rectangles; polygons and masks are counted as problems."""
    collector, entries, databases = Collector(source), [], set()
    for path in source.kinds.of(NAME):
        root = read_xml(source.annotation_path(path))
        entries.append(_entry(path, root, collector))
        databases.add(_text(root, "source/database"))
    collector.add(entries)
    for path in source.masks:
        collector.problem(path, "mask_ignored")
    _read_splits(source, collector)
    return collector.reading(NAME, collector.labels(), _notes(databases - {"", "Unknown"}))


def _notes(databases: set[str]) -> dict[str, str]:
    return {"database": ", ".join(sorted(databases))[:200]} if databases else {}


def _entry(path: str, root: Element, collector: Collector) -> Entry:
    return Entry(path, _names(path, root), tuple(_shapes(path, root, collector)), _size(root))


def _names(path: str, root: Element) -> tuple[str, ...]:
    stated, own = _text(root, "filename"), posixpath.splitext(path)[0]
    if not stated:
        return (own,)
    return posixpath.join(posixpath.dirname(path), stated), posixpath.join(_text(root, "folder"), stated), own


def _size(root: Element) -> tuple[float, float] | None:
    """None also for 0 by 0, which some tools write where they do not know."""
    try:
        width, height = (number(_text(root, f"size/{side}")) for side in ("width", "height"))
    except BadShape:
        return None
    return (width, height) if width and height else None


def _shapes(path: str, root: Element, collector: Collector) -> list[Shape]:
    shapes = []
    for position, element in enumerate(root.iterfind("object"), 1):
        where = f"object {position} {_text(element, 'name')[:100]!r}"
        if element.find("polygon") is not None:
            collector.problem(path, "polygon_ignored", where)
        try:
            shapes.append(_shape(element))
        except BadShape as error:
            collector.problem(path, error.code, where)
    return shapes


def _shape(element: Element) -> Shape:
    """The object's own box, not that of its parts; raises BadShape."""
    box = element.find("bndbox")
    if box is None:
        raise BadShape("unsupported_shape")
    left, top, right, bottom = (number(_text(box, side)) for side in _SIDES)
    label = _text(element, "name")
    if not label:
        raise BadShape("no_label")
    stated = {_text(one, "name"): _text(one, "value") for one in element.iterfind("attributes/attribute")}
    return Shape(label, "rectangle", bounds(((left, top), (right, bottom))), verdict=verdict_of(stated))


def _read_splits(source: Source, collector: Collector) -> None:
    """ImageSets/Main/train.txt and its like; lists per class (cat_train.txt) and trainval.txt say nothing new."""
    for path in source.annotations:
        folder, name = posixpath.split(path)
        stem, suffix = posixpath.splitext(name)
        if f"/{folder}".endswith("/ImageSets/Main") and suffix == ".txt" and split_of(stem):
            _read_split(path, split_of(stem), source, collector)


def _read_split(path: str, split: str, source: Source, collector: Collector) -> None:
    try:
        names = [line.strip() for line in read_text(source.annotation_path(path)).splitlines()]
    except UnreadableFile as error:
        collector.problem(path, "unreadable_file", str(error))
        return
    for name in filter(None, names):
        found = source.lookup(name, near=path)
        if found.image:
            collector.set_split(found.image, split, path)
        else:
            collector.problem(path, "ambiguous_name" if found.candidates else "image_missing", name)


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
