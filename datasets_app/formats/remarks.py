"""What is odd about a source as a whole, whatever format it is in: pictures, names, files that nobody reads."""

from __future__ import annotations

import hashlib
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from datasets_app.formats.headers import is_cut_off, oddities
from datasets_app.formats.safe_files import UnreadableFile
from datasets_app.formats.source import Source
from datasets_app.records import Problem

_PART = 2**14  # bytes that are compared at the start, in the middle and at the end of files of one size
_SEPARATORS = str.maketrans("", "", " _-.")


def of_pictures(source: Source) -> Iterator[Problem]:
    """From headers alone, which were read for the labels anyway."""
    for image in source.images:
        try:
            header = source.header(image)
        except UnreadableFile:
            continue  # said by whoever needs the picture
        for code, detail in oddities(image, header):
            yield Problem(image, code, detail)


def of_names(source: Source) -> Iterator[Problem]:
    """Images that a name alone does not tell apart, and files that were left where they are."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for image in source.images:
        by_name[posixpath.basename(image).casefold()].append(image)
    for images in by_name.values():
        for image in images[1:]:
            yield Problem(image, "same_name", images[0])
    for path in source.twins:
        yield Problem(path, "system_file")
    for path in source.others:
        yield Problem(path, "extra_file")


def of_labels(labels: Iterable[str]) -> Iterator[Problem]:
    """Labels that differ in capitals, spaces or signs between words are mostly one class that was named twice."""
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        alike[unicodedata.normalize("NFKC", label).casefold().translate(_SEPARATORS)].append(label)
    for key, found in alike.items():
        if key and len(found) > 1:
            yield Problem(", ".join(found)[:200], "label_twice")


def of_files(source: Source) -> Iterator[Problem]:
    """What a look into the files says before the import decodes them: cut off, or the same as another."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for image in source.images:
        path = source.image_path(image)
        by_size[path.stat().st_size].append(image)
        try:
            if is_cut_off(path, source.header(image).format):
                yield Problem(image, "cut_off")
        except UnreadableFile:
            continue
    for images in by_size.values():
        if len(images) > 1:
            yield from _same(source, images)


def _same(source: Source, images: list[str]) -> Iterator[Problem]:
    first: dict[bytes, str] = {}
    for image in images:
        known = first.setdefault(_fingerprint(source.image_path(image)), image)
        if known != image:
            yield Problem(image, "same_picture", known)


def _fingerprint(path: Path) -> bytes:
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        for place in (0, size // 2, max(0, size - _PART)):
            file.seek(place)
            digest.update(file.read(_PART))
    return digest.digest()
