"""What the inputs are called, and the data of a request as plain lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kernels_app import schema as schemas

PREFIX = "params."  # an input: then the path, its parts joined by dots
MODE = "mode."  # how that input's text is meant: "" as it stands, "null" the value null, "json" as JSON
EXTRA_KEY, EXTRA_VALUE = "extra_key", "extra_value"  # settings without a field: a name, its value as JSON
ASIDE_KEY, ASIDE_VALUE = "aside_key", "aside_value"  # settings that are set aside, likewise
LISTS = (EXTRA_KEY, EXTRA_VALUE, ASIDE_KEY, ASIDE_VALUE)

Path = tuple[str, ...]
Lists = dict[str, list[str]]  # form data: every value of every key


def html_name(path: Path) -> str:
    return PREFIX + _joined(path)


def mode_name(path: Path) -> str:
    return MODE + _joined(path)


def path_of(name: str) -> Path:
    """The path of an input's name; () where it is no setting's."""
    if not name.startswith(PREFIX):
        return ()
    return tuple(part.replace("~2", ".").replace("~0", "~") for part in name.removeprefix(PREFIX).split("."))


def html_name_of(pointer: str) -> str:
    """The name of the input for a JSON pointer below `/training_params`; "" for what is no setting.

    What stands inside a list has no input of its own: `Field.covers` tells which field shows a pointer.
    """
    parts = pointer.split("/")[1:]
    if len(parts) < 2 or parts[0] != schemas.PARAMS:
        return ""
    return html_name(tuple(part.replace("~1", "/").replace("~0", "~") for part in parts[1:]))


def pointer_of(path: Path) -> str:
    return schemas.pointer_of((schemas.PARAMS, *path))


def lists_of(data: Any) -> Lists:
    """A copy of a request's data (a QueryDict, or a dict of lists or texts) as lists."""
    if hasattr(data, "getlist"):
        return {key: [str(value) for value in data.getlist(key)] for key in data}
    return {key: [*value] if isinstance(value, list | tuple) else [str(value)] for key, value in data.items()}


def last(lists: Mapping[str, list[str]], key: str) -> str:
    """What a key says; "" where it is not there."""
    values = lists.get(key)
    return values[-1] if values else ""


def without(lists: Lists, prefixes: Iterable[str], keys: Iterable[str]) -> Lists:
    starts, dropped = tuple(prefixes), set(keys)
    return {key: values for key, values in lists.items() if key not in dropped and not key.startswith(starts)}


def _joined(path: Path) -> str:
    return ".".join(part.replace("~", "~0").replace(".", "~2") for part in path)
