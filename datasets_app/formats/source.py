"""The folders a data set is read from: walked once, and the only place that turns a stated name into a file.

A path out of an annotation file is never opened: it is looked up in the table of images that the walk found.
"""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from datasets_app.formats.coco_file import CocoFile
from datasets_app.formats.headers import Header, read_header
from datasets_app.formats.kinds import Kinds, sort_kinds
from datasets_app.formats.safe_files import UnreadableFile

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
ANNOTATION_SUFFIXES = frozenset({".json", ".xml", ".csv", ".txt", ".yaml", ".yml", ".data", ".names", ".cat"})
LAYOUTS = ("images", "JPEGImages", "obj_train_data")  # folders that formats keep all images in, and do not name
_JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_MASK_FOLDERS = ("segmentationclass", "segmentationobject")  # VOC's pixel masks: PNG files, but no pictures
_LABELME_FOLDERS = frozenset(
    {"masks", "scribbles"}
)  # the same of LabelMe; without its XML such a folder may hold pictures


@dataclass(frozen=True)
class Lookup:
    """What a stated name led to."""

    image: str | None = None
    how: str = ""  # "exact", "name" (the end of the path agrees) or "stem" (the extension differs)
    candidates: tuple[str, ...] = ()  # two or more that fit equally well, then there is no image


@dataclass(frozen=True)
class Source:
    """Images, and the annotations beside them or in a folder of their own."""

    images_root: Path
    annotations_root: Path | None = None

    @cached_property
    def images(self) -> tuple[str, ...]:
        """Sorted paths relative to `images_root`, "/" between parts."""
        return tuple(name for name in self._image_files if not self._is_mask(name))

    @cached_property
    def masks(self) -> tuple[str, ...]:
        """Image files that hold pixel masks."""
        return tuple(name for name in self._image_files if self._is_mask(name))

    @cached_property
    def annotations(self) -> tuple[str, ...]:
        """Sorted paths of files that may describe images, relative to where `annotation_path` looks."""
        if self.annotations_root is None:
            return tuple(name for name in self._files if _suffix(name) in ANNOTATION_SUFFIXES)
        found = (name for name in _walk(self.annotations_root) if not any(map(_is_junk, name.split("/"))))
        return tuple(name for name in found if _suffix(name) in ANNOTATION_SUFFIXES)

    @cached_property
    def kinds(self) -> Kinds:
        """The annotation files by what is in them."""
        return sort_kinds(((name, self.annotation_path(name)) for name in self.annotations), self._coco)

    @cached_property
    def _coco(self) -> dict[str, CocoFile]:
        return {}

    def take_coco(self, name: str) -> CocoFile:
        """What a COCO file states: what was read to tell its kind, or read anew. Raises UnreadableFile."""
        found = self._coco.pop(name, None) or CocoFile(self.annotation_path(name))
        if found.kind != "coco":
            raise UnreadableFile("it is no COCO file any more")
        return found

    def image_path(self, image: str) -> Path:
        return self.images_root / image

    def annotation_path(self, name: str) -> Path:
        return (self.annotations_root or self.images_root) / name

    def header(self, image: str) -> Header:
        """What the picture's header says, read once; raises UnreadableFile."""
        found = self._headers.get(image)
        if found is None:
            try:
                found = read_header(self.image_path(image))
            except Exception as error:  # Pillow's parsers raise nearly anything on a broken file
                raise UnreadableFile(f"no readable image ({type(error).__name__})") from None
            self._headers[image] = found
        return found

    def size(self, image: str) -> tuple[int, int]:
        """(width, height) in pixels as the image is seen, from its header; raises UnreadableFile."""
        return self.header(image)[:2]

    @cached_property
    def _headers(self) -> dict[str, Header]:
        return {}

    @cached_property
    def twins(self) -> tuple[str, ...]:
        """What systems leave beside the files of people: macOS's `._a.jpg`, Thumbs.db."""
        return tuple(name for name in self._all_files if _is_twin(name))

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Files that are neither images nor annotations, nor say what the rest is."""
        known = IMAGE_SUFFIXES | ANNOTATION_SUFFIXES | {".md"}
        return tuple(name for name in self._files if _suffix(name) not in known and not _is_notice(name))

    def lookup(self, name: str, near: str = "") -> Lookup:
        """The image that `name` means; of several, the one in the folder of the annotation file `near`."""
        clean = clean_name(name)
        if (there := self._in_place(clean)) is not None:
            return there
        key = _key(clean)
        base = posixpath.basename(key)
        for how, table, wanted in (
            ("name", self._by_name, base),
            ("stem", self._by_stem, base),  # a name without extension may have dots of its own
            ("stem", self._by_stem, posixpath.splitext(base)[0]),
        ):
            if base and wanted in table:
                return _closest(table[wanted], key, _key(near), how)
        return Lookup()

    def _in_place(self, clean: str) -> Lookup | None:
        """The image of this very path, below the folder of a layout too; without its extension where that is one."""
        places = [clean, *(f"{folder}/{clean}" for folder in LAYOUTS)]
        if exact := next((place for place in places if place in self._exact), None):
            return Lookup(exact, "exact")
        found = [self._by_place.get(_key(place), []) for place in places if clean]
        return next((Lookup(images[0], "stem") for images in found if len(images) == 1), None)

    def is_stem(self, name: str) -> bool:
        """Whether an image has this path without its extension."""
        return _key(name) in self._by_place

    @cached_property
    def _by_place(self) -> Mapping[str, list[str]]:
        """Images by their whole path without its extension."""
        return _table(self.images, lambda key: posixpath.splitext(key)[0])

    def mask(self, name: str, near: str = "") -> str | None:
        """The mask of this name; of several, the one whose folders agree best with those of the file `near`."""
        base = posixpath.basename(_key(clean_name(name)))
        found = [mask for mask in self.masks if posixpath.basename(_key(mask)) == base]
        return _closest(found, base, _key(near), "name").image if found else None

    def _is_mask(self, name: str) -> bool:
        folders = [part.casefold() for part in name.split("/")[:-1]]
        of_labelme = bool(self.kinds.of("labelme_xml")) and not _LABELME_FOLDERS.isdisjoint(folders)
        return of_labelme or any(folder.startswith(_MASK_FOLDERS) for folder in folders)

    @cached_property
    def _all_files(self) -> tuple[str, ...]:
        return tuple(_walk(self.images_root))

    @cached_property
    def _files(self) -> tuple[str, ...]:
        return tuple(name for name in self._all_files if not any(map(_is_junk, name.split("/"))))

    @cached_property
    def _image_files(self) -> tuple[str, ...]:
        return tuple(name for name in self._files if _suffix(name) in IMAGE_SUFFIXES)

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(self.images)

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        return _table(self.images, posixpath.basename)

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        return _table(self.images, lambda key: posixpath.splitext(posixpath.basename(key))[0])


@dataclass(frozen=True)
class Known(Source):
    """Images that are kept already, by their names alone: for looking up what a table names."""

    names: tuple[str, ...] = ()

    @cached_property
    def images(self) -> tuple[str, ...]:
        return self.names


def clean_name(name: str) -> str:
    """A stated path as the table spells paths: "/" between parts, no drive, no "." or "..", no leading "/"."""
    path = posixpath.normpath("/" + name.strip().replace("\\", "/"))
    return path.lstrip("/")


def _walk(root: Path) -> Iterator[str]:
    """Plain files below `root`, sorted by their folders; links are not followed."""
    return iter(sorted(_files_below(str(root), ""), key=lambda name: name.split("/")))


def _files_below(folder: str, prefix: str) -> Iterator[str]:
    """Names alone: of a large set, a Path for each would take longer than reading the folder."""
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError:  # gone, or nobody may look: as if it were not there
        return
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry.path, f"{prefix}{entry.name}/")
        elif not entry.is_symlink():
            yield prefix + entry.name


def _is_junk(name: str) -> bool:
    """Hidden files and what systems leave."""
    return name.startswith(".") or name.casefold() in _JUNK


def _is_twin(name: str) -> bool:
    *folders, last = name.casefold().split("/")
    return last.startswith("._") or last in _JUNK or not _JUNK.isdisjoint(folders)


def _is_notice(name: str) -> bool:
    return posixpath.basename(name).casefold().startswith(("licen", "readme", "copying", "notice"))


def _suffix(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def _key(name: str) -> str:
    """For comparing: macOS writes decomposed characters, Windows does not mind the case."""
    return unicodedata.normalize("NFC", name).casefold()


def _table(images: Iterable[str], part: Callable[[str], str]) -> Mapping[str, list[str]]:
    table: dict[str, list[str]] = defaultdict(list)
    for image in images:
        table[part(_key(image))].append(image)
    return table


def _closest(images: list[str], key: str, near: str, how: str) -> Lookup:
    """Of images with the same name, the one whose folders agree best with the stated path, then with `near`."""
    ranks = {image: _rank(_key(image), key, near) for image in images}
    best = max(ranks.values())
    closest = tuple(image for image in images if ranks[image] == best)
    return Lookup(closest[0], how) if len(closest) == 1 else Lookup(how=how, candidates=closest)


def _rank(image: str, key: str, near: str) -> tuple[int, int]:
    folders, stated, beside = (name.split("/")[:-1] for name in (image, key, near))
    return _agreeing(reversed(folders), reversed(stated)), _agreeing(folders, beside)


def _agreeing(one: Iterable[str], other: Iterable[str]) -> int:
    """How many leading items are the same."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
