"""What is odd about a source as a whole, whatever format it is in: pictures, names, files that nobody reads."""

from __future__ import annotations

import contextlib
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

from datasets_app.formats.headers import glimpse, oddities
from datasets_app.formats.safe_files import UnreadableFile
from datasets_app.formats.source import Source
from datasets_app.records import Problem

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
    first: dict[bytes, str] = {}
    for image in source.images:
        with contextlib.suppress(UnreadableFile, OSError):  # said by whoever needs the picture
            seen = glimpse(source.image_path(image), source.header(image).format)
            if seen.is_cut_off:
                yield Problem(image, "cut_off")
            if (known := first.setdefault(seen.fingerprint, image)) != image:
                yield Problem(image, "same_picture", known)
