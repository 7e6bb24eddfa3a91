"""What is written, and where it goes: no Django, so that a writer can be tested on its own."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from datasets_app.formats.tables import FILE_COLUMNS, FORMULAS
from datasets_app.records import Shape

# what a format may have a place for
RECTANGLES, POLYGONS, CATEGORIES, VERDICTS, ROIS, SCORES = (
    *("rectangles", "polygons", "categories", "verdicts"),
    *("rois", "scores"),
)
_SPLITS, _METAS, _TABLE = "\0splits", "\0metas", "\0table"  # no file is called so
_OLDEST = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time; with one time the same dataset is the same archive
_IN_MEMORY = 2**20  # bytes of a list on its way, until it goes to a file


@dataclass(frozen=True)
class Outgoing:
    """One image. `shapes` are those of the training type that is exported, and regions of interest."""

    name: str  # "/" between parts, without the folder that a layout keeps all images in
    file: Path
    size: tuple[int, int]  # width and height in pixels as it is seen
    labelled: bool = False
    shapes: tuple[Shape, ...] = ()
    regions: tuple[Shape, ...] = ()  # judged ones (RC), where they are exported beside other shapes
    categories: dict[str, str] = field(default_factory=dict)  # question -> category
    siblings: tuple[tuple[str, Path], ...] = ()  # name, file
    stem: str = ""  # how the name and those of the siblings begin: the ending behind it tells them apart
    meta: dict[str, str] = field(default_factory=dict)
    split: str = ""


@dataclass(frozen=True)
class Classes:
    """What labels there are, in their order. Those of a type that no image shows are listed too."""

    labels: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    questions: dict[str, tuple[str, ...]] = field(default_factory=dict)  # question -> categories


class Sink:
    """A zip on its way. Lists grow beside it until they are added: a zip takes one file at a time."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._lists: dict[str, IO[str]] = {}
        self._facts: dict[str, None] = {}  # names of meta data, in the order they were met

    def text(self, path: str, text: str) -> None:
        self._archive.writestr(_info(path, zipfile.ZIP_DEFLATED), text)

    def file(self, path: str, source: Path) -> None:
        """Pictures are compressed as they are."""
        info = _info(path, zipfile.ZIP_STORED)
        info.file_size = source.stat().st_size
        with source.open("rb") as file, self._archive.open(info, "w") as target:
            while chunk := file.read(2**20):
                target.write(chunk)

    def append(self, name: str, text: str) -> None:
        """Add to the list `name`, which is no file yet."""
        if name not in self._lists:
            spool = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="")  # noqa: SIM115
            self._lists[name] = spool  # type: ignore[assignment]
        self._lists[name].write(text)

    def has(self, name: str) -> bool:
        return name in self._lists

    def join(self, path: str, *parts: str | tuple[str]) -> None:
        """Write a file of texts, and of lists that are given as a tuple of their name; these are gone then."""
        with self._archive.open(_info(path, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as target:
            for part in parts:
                if isinstance(part, str):
                    target.write(part.encode())
                    continue
                for chunk in self._taken(*part):
                    target.write(chunk.encode())

    def about(self, path: str, image: Outgoing) -> None:
        """Remember what no format has a place for: `finish` writes it as tables, which the import reads for all."""
        if image.split:
            self.append(_SPLITS, _line([path, image.split]))
        if image.meta:
            self.append(_METAS, json.dumps([path, image.meta]) + "\n")
            self._facts |= dict.fromkeys(image.meta)

    def finish(self, meta_path: str = "meta.csv") -> None:
        if self.has(_SPLITS):
            self.join("split.csv", _line(["file", "split"]), (_SPLITS,))
        if not self.has(_METAS):
            return
        names = [name for name in self._facts if name.lower() not in FILE_COLUMNS]
        self.append(_TABLE, _line(["file", *names]))
        for line in self._lines(_METAS):
            path, meta = json.loads(line)
            self.append(_TABLE, _line([path, *(meta.get(name, "") for name in names)]))
        self.join(meta_path, (_TABLE,))

    def _lines(self, name: str) -> Iterator[str]:
        with self._lists.pop(name) as kept:
            kept.seek(0)
            yield from kept

    def _taken(self, name: str) -> Iterator[str]:
        if (kept := self._lists.pop(name, None)) is None:
            return
        with kept:
            kept.seek(0)
            while chunk := kept.read(2**16):
                yield chunk


class Stems:
    """Names of annotation files: as the image is called, and where two images would share one, with its extension."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, name: str) -> str:
        stem = posixpath.splitext(name)[0]
        found = stem if stem.casefold() not in self._taken else name
        self._taken.add(found.casefold())
        return found


def pictures(sink: Sink, image: Outgoing, folder: str = "") -> str:
    """Write the pictures of an image; the path of the first."""
    path = posixpath.join(folder, image.name)
    sink.about(path, image)
    sink.file(path, image.file)
    for name, file in image.siblings:
        sink.file(posixpath.join(folder, name), file)
    return path


def has_file(image: Outgoing, classes: Classes) -> bool:
    """Whether a file of shapes goes with the image, for regions of interest alone too where there are no labels at all.

    Where there are some, a file without one would say that somebody looked and found nothing.
    """
    return image.labelled or bool(image.shapes and not classes.labels)


def flat(points: Iterable[tuple[float, float]]) -> list[float]:
    return [tidy(value) for point in points for value in point]


def tidy(value: float) -> float:
    """A thousandth of a pixel is what is kept."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded


def drawn(image: Outgoing) -> Iterator[Shape]:
    """Shapes without regions of interest, for formats that would take those for labels."""
    return (shape for shape in image.shapes if not shape.is_roi)


def _line(cells: list[str]) -> str:
    """A row of a CSV. What a spreadsheet would take for a formula gets a quote, which the import takes off again."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([f"'{cell}" if cell.startswith(FORMULAS) else cell for cell in cells])
    return out.getvalue()


def _info(path: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, _OLDEST)
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    return info
