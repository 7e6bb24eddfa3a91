"""YOLO: one text file an image, a row a label: `class x y w h` (the middle and the size of a box) or `class x y x y …`
(a polygon), as fractions of the image. Classes are numbers, named in data.yaml, obj.names or classes.txt.

Turned boxes (OBB) and key points (pose) look alike, and are refused by name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from datasets_app.formats.candidate import Candidate
from datasets_app.formats.collect import Collector, Entry
from datasets_app.formats.geometry import BadShape, number
from datasets_app.formats.safe_files import UnreadableFile, read_text
from datasets_app.formats.source import Source
from datasets_app.formats.splits import split_in, split_of
from datasets_app.formats.yolo_classes import ClassLists, class_lists
from datasets_app.formats.yolo_kinds import refuse_other_tasks
from datasets_app.records import FormatError, Point, Reading, Shape

NAME = "yolo"
TITLE = "YOLO"
ALSO = ("yolo_names",)  # kinds of files that are read with its own


def match(source: Source) -> Candidate:
    files = len(_label_files(source))
    reason = f"{files} text files of YOLO" if files else "no text file with rows of YOLO was found"
    return Candidate(NAME, TITLE, files, f"{TITLE}: {reason}")


def read(source: Source) -> Reading:
    """Boxes and polygons; raises FormatError for turned boxes and key points."""
    if source.kinds.of("yolo_pose"):
        raise FormatError(f"{source.kinds.of('yolo_pose')[0]} is of YOLO key points (pose)", "unsupported_format")
    collector, lists = Collector(source), class_lists(source)
    files = [_File(path, collector, lists) for path in _label_files(source)]
    for file in files:
        file.load()
    refuse_other_tasks(source, [(file.path, file.rows) for file in files], is_segmentation=lists.is_segmentation)
    lists_of_images = _read_lists(source, collector)
    collector.add([file.entry(by_folder=not lists_of_images) for file in files])
    met = collector.labels()
    return collector.reading(NAME, (*(one for one in lists.listed() if one in met), *lists.unnamed(met)), {})


def _label_files(source: Source) -> list[str]:
    """Those with rows; empty ones too, where an image has their name and something says that this is YOLO."""
    found = source.kinds.of(NAME)
    if not found and not source.kinds.of("yolo_names"):
        return []
    texts = [path for path in source.kinds.of("") if path.lower().endswith(".txt")]
    empty = [path for path in texts if _is_empty(source, path) and any(map(source.is_stem, _images(path)))]
    return sorted({*found, *empty})


def _is_empty(source: Source, path: str) -> bool:
    return source.annotation_path(path).stat().st_size < 3


def _images(path: str) -> tuple[str, ...]:
    """Where the image of a label file may be, without its extension: in `images` for `labels`, or beside."""
    stem = posixpath.splitext(path)[0]
    folders = stem.split("/")
    places = [n for n, part in enumerate(folders[:-1]) if part.lower() == "labels"]
    swapped = ("/".join([*folders[:n], "images", *folders[n + 1 :]]) for n in reversed(places))
    return (*swapped, stem)


@dataclass
class _File:
    """The labels of one image."""

    path: str
    collector: Collector
    lists: ClassLists
    rows: list[tuple[int, int, list[float]]] = field(default_factory=list)  # line, class, numbers

    def load(self) -> None:
        try:
            text = read_text(self.collector.source.annotation_path(self.path))
        except UnreadableFile as error:
            self.collector.problem(self.path, "unreadable_file", str(error))
            return
        for line, row in enumerate(text.splitlines(), 1):
            if row.strip():
                self._load_row(line, row.split())

    def _load_row(self, line: int, parts: list[str]) -> None:
        try:
            numbers = [number(part) for part in parts]
        except BadShape:
            numbers = []
        if len(numbers) < 5 or numbers[0] < 0 or not numbers[0].is_integer():
            self.collector.problem(self.path, "bad_row", f"line {line}: {' '.join(parts)[:80]}")
        else:
            self.rows.append((line, int(numbers[0]), numbers[1:]))

    def entry(self, *, by_folder: bool) -> Entry:
        """`by_folder`: no list says what belongs to which split."""
        names = _images(self.path)
        split = split_in(f"{posixpath.dirname(self.path)}/-") if by_folder else ""
        return Entry(self.path, names, tuple(self._shapes()), split=split, is_relative=True)

    def _shapes(self) -> Iterator[Shape]:
        for line, index, numbers in self.rows:
            label = self.lists.label(self.path, index)
            if not label:
                self.collector.problem(self.path, "unknown_category", f"line {line}: class {index}")
                continue
            try:
                yield _shape(label, numbers)
            except BadShape as error:
                self.collector.problem(self.path, error.code, f"line {line}: {label}")


def _shape(label: str, numbers: list[float]) -> Shape:
    """A sixth number is the confidence of a box that a model wrote. Raises BadShape."""
    if len(numbers) <= 5:
        score = numbers[4] if len(numbers) == 5 and 0 <= numbers[4] <= 1 else None
        return Shape(label, "rectangle", _box(numbers), score, is_generated=len(numbers) == 5)
    if len(numbers) % 2:
        raise BadShape("bad_coordinates")
    return Shape(label, "polygon", tuple(zip(numbers[::2], numbers[1::2], strict=True)))


def _box(numbers: list[float]) -> tuple[Point, Point]:
    x, y, width, height = numbers[:4]
    if width < 0 or height < 0:
        raise BadShape("bad_coordinates")
    return (x - width / 2, y - height / 2), (x + width / 2, y + height / 2)


def _read_lists(source: Source, collector: Collector) -> int:
    """train.txt and its like: an image a line, under whatever folder the tool was told. How many lists there are."""
    lists = [path for path in source.annotations if _is_list(source, path)]
    for path in lists:
        try:
            lines = read_text(source.annotation_path(path)).splitlines()
        except UnreadableFile as error:
            collector.problem(path, "unreadable_file", str(error))
            continue
        for name in filter(None, map(str.strip, lines)):
            found = source.lookup(name, near=path)
            if found.image:
                collector.set_split(found.image, split_of(posixpath.splitext(posixpath.basename(path))[0]), path)
            else:
                collector.problem(path, "ambiguous_name" if found.candidates else "image_missing", name)
    return len(lists)


def _is_list(source: Source, path: str) -> bool:
    stem, suffix = posixpath.splitext(posixpath.basename(path))
    is_labels = path in source.kinds.of(NAME) or _is_empty(source, path)
    return suffix == ".txt" and bool(split_of(stem)) and not is_labels
