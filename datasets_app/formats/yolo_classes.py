"""What the numbers of YOLO's classes are called: the nearest of the lists that tools leave."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from datasets_app.formats.safe_files import UnreadableFile, read_text, read_yaml
from datasets_app.formats.source import Source
from kernels_app.contract.files import is_text

_MAX_CLASSES = 100_000


@dataclass
class ClassLists:
    """Class lists by the folder they lie in. Without any, a class is called by its number."""

    by_folder: dict[str, dict[int, str]] = field(default_factory=dict)
    is_segmentation: bool = False  # a list says so: then four points are a polygon, however they lie

    def label(self, path: str, index: int) -> str:
        """The name of a class for the label file `path`; "" where its list does not have it."""
        if not self.by_folder:
            return str(index)
        return self._nearest(posixpath.dirname(path)).get(index, "")

    def listed(self) -> list[str]:
        """Every name, in the order of the lists, each once."""
        return list(dict.fromkeys(name for names in self.by_folder.values() for _n, name in sorted(names.items())))

    def unnamed(self, met: Iterable[str]) -> list[str]:
        """The labels that are numbers because there is no list, in their order."""
        return [] if self.by_folder else sorted(met, key=int)

    def _nearest(self, folder: str) -> dict[int, str]:
        """That of the folder itself, of one above it, else the first one: tools put it beside `labels` too."""
        while True:
            if folder in self.by_folder:
                return self.by_folder[folder]
            if not folder:
                return next(iter(self.by_folder.values()))
            folder = posixpath.dirname(folder)


def class_lists(source: Source) -> ClassLists:
    """data.yaml counts before obj.names, and that before classes.txt of the same folder."""
    found = ClassLists()
    lists = [*source.kinds.of("yolo_names"), *(path for path in source.annotations if _is_classes(path))]
    for path in sorted(lists, key=lambda path: (path.count("/"), _rank(path), path)):
        folder = posixpath.dirname(path)
        if folder in found.by_folder:
            continue
        try:
            names, is_segmentation = _read(source, path)
        except UnreadableFile:  # said where files are sorted by kind
            continue
        if names:
            found.by_folder[folder] = names
            found.is_segmentation |= is_segmentation
    return found


def _is_classes(path: str) -> bool:
    return posixpath.basename(path).lower() == "classes.txt"


def _rank(path: str) -> int:
    return 0 if path.lower().endswith((".yaml", ".yml")) else 2 if _is_classes(path) else 1


def _read(source: Source, path: str) -> tuple[dict[int, str], bool]:
    """Number -> name, and whether the file says that its task is segmentation; raises UnreadableFile."""
    if path.lower().endswith((".yaml", ".yml")):
        content = read_yaml(source.annotation_path(path))
        if not isinstance(content, dict):
            return {}, False
        return _usable(_pairs(content.get("names"))), content.get("task") == "segment"
    if path.lower().endswith(".data"):  # it says where the names are, not what they are
        return {}, False
    lines = read_text(source.annotation_path(path)).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    return _usable(list(enumerate(lines))), False


def _pairs(names: Any) -> list[tuple[Any, Any]]:
    if isinstance(names, dict):
        return list(names.items())
    return list(enumerate(names)) if isinstance(names, list) else []


def _usable(pairs: list[tuple[Any, Any]]) -> dict[int, str]:
    found = {}
    for index, name in pairs[:_MAX_CLASSES]:
        text = name.strip() if isinstance(name, str) else ""
        number = str(index).strip() if isinstance(index, str | int) else ""
        if number.isdecimal() and len(number) < 10 and text and is_text(text):
            found[int(number)] = text
    return found
