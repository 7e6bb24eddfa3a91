"""What the form calls a setting: the titles on the way to it, as they stand beside its input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from kernels_app import schema as schemas
from kernels_app.fields.growing import tree
from kernels_app.fields.shape import Section

STEP = " › "


def labels(schema: dict[str, Any]) -> schemas.Label:
    """Of a path in `model.json`: "Augmentation › Flip", in the language of the request; the key where no title is."""
    root = tree(schema)
    return lambda path: joined(_titles(root, path))


def joined(words: Iterable[str]) -> str:
    return STEP.join(words).encode("utf-8", "backslashreplace").decode()


def entries(path: Sequence[Any]) -> Iterator[str]:
    """The steps into a value that has no inputs within it: keys, and entries counted from 1."""
    for step in path:
        yield _("entry %(n)d") % {"n": step + 1} if isinstance(step, int) else str(step)


def _titles(root: Section, path: Sequence[Any]) -> Iterator[str]:
    if path[0] != schemas.PARAMS:
        outside = {"training_type": _("Training type"), "model_type": _("Model type")}
        yield outside.get(path[0], str(path[0]))
        yield from entries(path[1:])
        return
    if len(path) == 1:
        yield _("Hyperparameters")
    section: Section | None = root
    for n, step in enumerate(path[1:], 1):
        node = section.nodes.get(step) if section else None
        if node is None:
            yield from entries(path[n:])
            return
        yield schemas.title(dict(node.part), "") or node.name
        section = node.section
