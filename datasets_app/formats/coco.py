"""COCO: one JSON file, or one a split, with images, annotations and categories."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from datasets_app.formats import masks
from datasets_app.formats.candidate import Candidate
from datasets_app.formats.coco_file import CocoFile, Row, Rows
from datasets_app.formats.collect import Collector, Entry
from datasets_app.formats.geometry import BadShape, number
from datasets_app.formats.source import Source, clean_name
from datasets_app.formats.splits import split_in
from datasets_app.formats.verdicts import verdict_of
from datasets_app.records import Point, Reading, Shape, Shapes
from kernels_app.contract.files import is_text

NAME = "coco"
TITLE = "COCO"


def match(source: Source) -> Candidate:
    files = len(source.kinds.of(NAME))
    reason = f"{files} COCO JSON files" if files else "no JSON file with images, annotations and categories was found"
    return Candidate(NAME, TITLE, files, f"{TITLE}: {reason}")


def read(source: Source) -> Reading:
    """Polygons (also of run-length masks, a shape a part), and boxes where an annotation has no segmentation."""
    collector, names, entries = Collector(source), _Names(), []
    notes: dict[str, str] = {}
    for path in source.kinds.of(NAME):
        document = source.take_coco(path)
        entries += _File(path, collector, names).entries(document)
        notes = notes or _notes(document.members or {})
    collector.add(entries)
    return collector.reading(NAME, names.labels(), notes)


def _notes(document: dict[str, Any]) -> dict[str, str]:
    info = document.get("info")
    stated = {key: info.get(key) for key in ("description", "version")} if isinstance(info, dict) else {}
    return {key: str(value)[:200] for key, value in stated.items() if value}


@dataclass
class _Names:
    """Category names over all files, in their order."""

    listed: dict[str, None] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def labels(self) -> tuple[str, ...]:
        """All but those that only group others: Roboflow writes such a category 0 that nothing is labelled with."""
        return tuple(name for name in self.listed if name in self.used or name not in self.parents)


@dataclass(slots=True)
class _Image:
    file_name: str
    size: tuple[float, float] | None
    shapes: Shapes = field(default_factory=Shapes)


class _FileNames(Iterable[str]):
    """Where the image may lie that a COCO file names, most likely first: beside the JSON, in `images` beside its
    folder, as stated, or in a folder called as the JSON's end (instances_train2017 -> train2017). Made when asked for:
    most images are where the first one says."""

    __slots__ = ("_name", "_path")

    def __init__(self, path: str, name: str) -> None:
        self._path, self._name = path, name

    def __iter__(self) -> Iterator[str]:
        folder, name = posixpath.dirname(self._path), self._name
        yield posixpath.join(folder, name)
        yield posixpath.join(posixpath.dirname(folder), "images", name)
        yield name
        token = re.split(r"[_.]", posixpath.splitext(posixpath.basename(self._path))[0])[-1]
        yield posixpath.join(token, name)
        if split := split_in(self._path):
            yield posixpath.join(split, name)


@dataclass
class _File:
    """One COCO file on its way to entries."""

    path: str
    collector: Collector
    names: _Names
    categories: dict[Hashable, str] = field(default_factory=dict)

    def entries(self, document: CocoFile) -> list[Entry]:
        self._read_categories(document.categories)
        images = self._images(document.images)
        for row in self._rows(document.annotations, "annotations"):
            self._read_annotation(row, images)
        return [entry for key, image in images.items() if (entry := self._entry(key, image))]

    def _images(self, rows: Rows) -> dict[Hashable, _Image]:
        images: dict[Hashable, _Image] = {}
        for key, file_name, width, height in self._rows(rows, "images"):
            image = _Image(_text(file_name), _size(width, height))
            if images.setdefault(_id(key), image) is not image:
                self._problem("bad_entry", f"image id {str(_id(key))[:50]} comes twice")
        return images

    def _read_categories(self, categories: list[Any]) -> None:
        for category in categories:
            if not isinstance(category, dict):
                self._problem("bad_entry", f"categories: {str(category)[:50]}")
                continue
            name = _text(category.get("name"))
            if not name or not is_text(name):
                self._problem("bad_entry", f"category {category.get('id')!r} has no name that can be kept")
                continue
            self.categories[_id(category.get("id"))] = name
            self.names.listed.setdefault(name)
            if _text(category.get("supercategory")) != name:  # some tools make each category its own parent
                self.names.parents.add(_text(category.get("supercategory")))

    def _read_annotation(self, row: Row, images: dict[Hashable, _Image]) -> None:
        key, image_id, category_id, box, segmentation, attributes = row
        image, category = images.get(_id(image_id)), self.categories.get(_id(category_id))
        where = f"annotation {'?' if key is None else str(key)[:50]}"
        if image is None:
            self._problem("unknown_image", f"{where}: image {str(_id(image_id))[:50]}")
        elif category is None:
            self._problem("unknown_category", f"{where}: category {str(_id(category_id))[:50]}")
        else:
            self.names.used.add(category)
            found = self._shapes(box, segmentation, category, f"{where} of {image.file_name[:100]}")
            for shape in _judged(found, verdict_of(attributes)) if attributes else found:
                image.shapes.append(shape)

    def _shapes(self, box: Any, segmentation: Any, label: str, where: str) -> list[Shape]:
        if isinstance(segmentation, list) and segmentation:
            return self._polygons(segmentation, label, where)
        if isinstance(segmentation, dict) and segmentation:
            return self._mask(segmentation, label, where)
        try:
            return [Shape(label, "rectangle", _box(box))]
        except BadShape as error:
            self._problem(error.code, where)
            return []

    def _mask(self, mask: dict[str, Any], label: str, where: str) -> list[Shape]:
        try:
            found = masks.of_run_lengths(mask)
        except BadShape as error:
            self._problem(error.code, where)
            return []
        self.collector.mask_problems(self.path, where, found)
        return [Shape(label, "polygon", polygon) for polygon in found.polygons]

    def _polygons(self, segmentation: list[Any], label: str, where: str) -> list[Shape]:
        """One shape a part."""
        parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
        shapes = []
        for part in parts:
            try:
                shapes.append(Shape(label, "polygon", _pairs(part)))
            except BadShape as error:
                self._problem(error.code, where)
        if len(shapes) > 1:
            self._problem("multi_part", f"{where}: {len(shapes)} parts")
        return shapes

    def _entry(self, key: Hashable, image: _Image) -> Entry | None:
        name = clean_name(image.file_name)
        if not name:
            self._problem("bad_entry", f"image {str(key)[:50]} has no file_name")
            return None
        folder, split = posixpath.dirname(self.path), split_in(self.path)
        same = f"{split}:{posixpath.join(folder, name)}"  # the same name in train and val may be two images
        return Entry(self.path, _FileNames(self.path, name), image.shapes, image.size, split, same)

    def _rows(self, rows: Rows, what: str) -> Iterator[Row]:
        for row in rows.take():
            if isinstance(row, tuple):
                yield row
            else:
                self._problem("bad_entry", f"{what}: {row}")

    def _problem(self, code: str, detail: str) -> None:
        self.collector.problem(self.path, code, detail)


def _judged(shapes: list[Shape], verdict: bool | None) -> list[Shape]:
    return shapes if verdict is None else [shape._replace(verdict=verdict) for shape in shapes]


def _id(value: Any) -> Hashable:
    """Numbers or texts, as the file has them; anything else would be no key."""
    return value if isinstance(value, int | float | str) else repr(value)


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _size(width: Any, height: Any) -> tuple[float, float] | None:
    try:
        return number(width), number(height)
    except BadShape:
        return None


def _box(values: Any) -> tuple[Point, Point]:
    """Corners out of [left, top, width, height]; raises BadShape."""
    if not isinstance(values, list) or len(values) != 4:
        raise BadShape("bad_coordinates")
    left, top, width, height = map(number, values)
    if width < 0 or height < 0:
        raise BadShape("bad_coordinates")
    return (left, top), (left + width, top + height)


def _pairs(values: Any) -> tuple[Point, ...]:
    """Points out of [x, y, x, y, ...]; raises BadShape."""
    if not isinstance(values, list) or len(values) % 2:
        raise BadShape("bad_coordinates")
    numbers = [number(value) for value in values]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
