"""What a COCO file states, in few bytes: a million annotations as Python has them would take a gigabyte."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets_app.formats.json_stream import read_object

_BATCH = 1000  # rows packed at a time, at least
IMAGE = ("id", "file_name", "width", "height")
ANNOTATION = ("id", "image_id", "category_id", "bbox", "segmentation", "attributes")
Row = tuple[Any, ...]


class Rows:
    """A long list of dicts, of each the values of `keys` alone (None where there is none); of what is no dict, its
    first characters as text."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys, self._waiting, self._packed = tuple(keys), list[Row | str](), list[bytes]()

    def extend(self, values: Iterable[Any]) -> None:
        keys = self._keys
        self._waiting += [tuple(map(one.get, keys)) if isinstance(one, dict) else str(one)[:50] for one in values]
        if len(self._waiting) >= _BATCH:
            self._pack()

    def take(self) -> Iterator[Row | str]:
        """In their order, once: they are gone as they come."""
        self._pack()
        self._packed.reverse()
        while self._packed:
            yield from marshal.loads(self._packed.pop())  # noqa: S302 (this process packed it)

    def _pack(self) -> None:
        self._packed.append(marshal.dumps(self._waiting))
        self._waiting.clear()


class CocoFile:
    """One file, read once. `kind` is "coco", or what else it is of those that look alike."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableFile."""
        self.images, self.annotations = Rows(IMAGE), Rows(ANNOTATION)
        self._marks = set[str]()
        #: the members of the object but for images and annotations; None where the file holds no object
        self.members = read_object(path, {"images": self.images.extend, "annotations": self._take})

    @property
    def categories(self) -> list[Any]:
        return list((self.members or {})["categories"])

    @property
    def kind(self) -> str:
        """ "" for anything else."""
        found = self.members or {}
        if found.get("images") != [] or found.get("annotations") != []:
            return ""
        categories = found.get("categories")
        listed = [entry for entry in categories if isinstance(entry, dict)] if isinstance(categories, list) else []
        if "segments_info" in self._marks:
            return "coco_panoptic"
        if "keypoints" in self._marks or any(entry.get("keypoints") for entry in listed):
            return "coco_keypoints"
        if "caption" in self._marks:
            return "coco_captions"
        return "coco" if isinstance(categories, list) else ""

    def _take(self, values: list[Any]) -> None:
        self.annotations.extend(values)
        for value in values:
            if isinstance(value, dict) and ("keypoints" in value or "segments_info" in value or "caption" in value):
                self._marks.update(key for key in ("segments_info", "caption") if key in value)
                self._marks.update(["keypoints"] if value.get("keypoints") else [])
