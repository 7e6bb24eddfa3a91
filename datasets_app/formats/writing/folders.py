"""A folder a class: for the one question whose categories are exported. Images without one lie beside the folders."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from datasets_app.formats.writing.outgoing import CATEGORIES, Classes, Outgoing, Sink, pictures

NAME = "folders"
KEEPS = frozenset({CATEGORIES})


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    taken: set[str] = set()
    for image in images:
        name, *others = _free(image, next(iter(image.categories.values()), ""), taken)
        siblings = tuple((other, file) for other, (_name, file) in zip(others, image.siblings, strict=True))
        pictures(sink, replace(image, name=name, siblings=siblings))


def _placed(name: str, category: str) -> str:
    """Other folders would be taken for classes: they become part of the name."""
    folder, _slash, rest = name.partition("/")
    if category and folder == category and rest:
        return f"{category}/{rest.replace('/', '_')}"
    flat = name.replace("/", "_")
    return f"{category}/{flat}" if category else flat


def _free(image: Outgoing, category: str, taken: set[str]) -> list[str]:
    """Where the pictures of a part go: the first number that makes all of them free, before their endings."""
    names = [image.name, *(name for name, _file in image.siblings)]
    endings = [_ending(name, image.stem) for name in names]
    starts = [_placed(name, category).removesuffix(ending) for name, ending in zip(names, endings, strict=True)]
    for number in count(1):
        mark = f"_{number}" if number > 1 else ""
        found = [f"{start}{mark}{ending}" for start, ending in zip(starts, endings, strict=True)]
        if taken.isdisjoint(map(str.casefold, found)):
            break
    taken.update(map(str.casefold, found))
    return found


def _ending(name: str, stem: str) -> str:
    """What an import tells siblings by, else the extension."""
    return name.removeprefix(stem) if stem and name.startswith(stem) else posixpath.splitext(name)[1]
