"""A folder a class: for the one question whose categories are exported. Images without one lie beside the folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from datasets_app.formats.writing.outgoing import CATEGORIES, Classes, Outgoing, Sink, pictures

NAME = "folders"
KEEPS = frozenset({CATEGORIES})


def write(images: Iterable[Outgoing], classes: Classes, sink: Sink) -> None:
    taken: set[str] = set()
    for image in images:
        category = next(iter(image.categories.values()), "")
        name = _free(_placed(image.name, category), taken)
        pictures(sink, replace(image, name=name, siblings=_beside(image, category)))


def _beside(image: Outgoing, category: str) -> tuple:
    return tuple((_placed(name, category), file) for name, file in image.siblings)


def _placed(name: str, category: str) -> str:
    """Other folders would be taken for classes: they become part of the name."""
    folder, _slash, rest = name.partition("/")
    if category and folder == category and rest:
        return f"{category}/{rest.replace('/', '_')}"
    flat = name.replace("/", "_")
    return f"{category}/{flat}" if category else flat


def _free(name: str, taken: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    candidates = (name if n == 1 else f"{stem}_{n}{dot}{suffix}" for n in range(1, len(taken) + 2))
    found = next(one for one in candidates if one.casefold() not in taken)
    taken.add(found.casefold())
    return found
