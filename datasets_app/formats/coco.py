"""COCO: one JSON file, or one a split, with images, annotations and categories."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from datasets_app.formats import masks
from datasets_app.formats.candidate import Candidate
from datasets_app.formats.collect import Collector, Entry
from datasets_app.formats.geometry import BadShape, number
from datasets_app.formats.source import Source, clean_name
from datasets_app.formats.splits import split_in
from datasets_app.formats.verdicts import verdict_of
from datasets_app.records import Point, Reading, Shape
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
        document = source.take_json(path)
        file = _File(path, collector, names)
        entries += file.entries(document)
        notes = notes or _notes(document)
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


@dataclass
class _File:
    """One COCO file on its way to entries."""

    path: str
    collector: Collector
    names: _Names
    categories: dict[Hashable, str] = field(default_factory=dict)

    def entries(self, document: dict[str, Any]) -> list[Entry]:
        self._read_categories(document["categories"])
        images = self._images(document["images"])
        shapes: dict[Hashable, list[Shape]] = {key: [] for key in images}
        for annotation in self._dicts(document["annotations"], "annotations"):
            self._read_annotation(annotation, images, shapes)
        return [entry for key, image in images.items() if (entry := self._entry(image, shapes[key]))]

    def _images(self, listed: list[Any]) -> dict[Hashable, dict[str, Any]]:
        images: dict[Hashable, dict[str, Any]] = {}
        for image in self._dicts(listed, "images"):
            if images.setdefault(_id(image), image) is not image:
                self._problem("bad_entry", f"image id {str(_id(image))[:50]} comes twice")
        return images

    def _read_categories(self, categories: list[Any]) -> None:
        for category in self._dicts(categories, "categories"):
            name = _text(category.get("name"))
            if not name or not is_text(name):
                self._problem("bad_entry", f"category {category.get('id')!r} has no name that can be kept")
                continue
            self.categories[_id(category)] = name
            self.names.listed.setdefault(name)
            if _text(category.get("supercategory")) != name:  # some tools make each category its own parent
                self.names.parents.add(_text(category.get("supercategory")))

    def _read_annotation(self, annotation: dict, images: dict, shapes: dict[Hashable, list[Shape]]) -> None:
        image, category = _id(annotation, "image_id"), _id(annotation, "category_id")
        where = f"annotation {str(annotation.get('id', '?'))[:50]}"
        if image not in images:
            self._problem("unknown_image", f"{where}: image {str(image)[:50]}")
        elif category not in self.categories:
            self._problem("unknown_category", f"{where}: category {str(category)[:50]}")
        else:
            self.names.used.add(self.categories[category])
            where += f" of {str(images[image].get('file_name'))[:100]}"
            found = self._shapes(annotation, self.categories[category], where)
            shapes[image] += _judged(found, verdict_of(annotation.get("attributes")))

    def _shapes(self, annotation: dict, label: str, where: str) -> list[Shape]:
        segmentation = annotation.get("segmentation")
        if isinstance(segmentation, list) and segmentation:
            return self._polygons(segmentation, label, where)
        if isinstance(segmentation, dict) and segmentation:
            return self._mask(segmentation, label, where)
        try:
            return [Shape(label, "rectangle", _box(annotation.get("bbox")))]
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

    def _entry(self, image: dict[str, Any], shapes: list[Shape]) -> Entry | None:
        name = clean_name(_text(image.get("file_name")))
        if not name:
            self._problem("bad_entry", f"image {str(image.get('id'))[:50]} has no file_name")
            return None
        folder, split = posixpath.dirname(self.path), split_in(self.path)
        key = f"{split}:{posixpath.join(folder, name)}"  # the same name in train and val may be two images
        return Entry(self.path, tuple(self._file_names(folder, name)), tuple(shapes), _size(image), split, key)

    def _file_names(self, folder: str, name: str) -> Iterator[str]:
        """Beside the JSON, in `images` beside its folder, as stated, or in a folder called as the JSON's end
        (instances_train2017 -> train2017)."""
        yield posixpath.join(folder, name)
        yield posixpath.join(posixpath.dirname(folder), "images", name)
        yield name
        token = re.split(r"[_.]", posixpath.splitext(posixpath.basename(self.path))[0])[-1]
        yield posixpath.join(token, name)
        if split := split_in(self.path):
            yield posixpath.join(split, name)

    def _dicts(self, values: list[Any], what: str) -> Iterator[dict[str, Any]]:
        for value in values:
            if isinstance(value, dict):
                yield value
            else:
                self._problem("bad_entry", f"{what}: {str(value)[:50]}")

    def _problem(self, code: str, detail: str) -> None:
        self.collector.problem(self.path, code, detail)


def _judged(shapes: list[Shape], verdict: bool | None) -> list[Shape]:
    return shapes if verdict is None else [replace(shape, verdict=verdict) for shape in shapes]


def _id(entry: dict[str, Any], key: str = "id") -> Hashable:
    """Numbers or texts, as the file has them; anything else would be no key."""
    value = entry.get(key)
    return value if isinstance(value, int | str | float) else repr(value)


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _size(image: dict[str, Any]) -> tuple[float, float] | None:
    try:
        return number(image.get("width")), number(image.get("height"))
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
