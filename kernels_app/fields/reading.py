"""What the inputs say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from django.utils.translation import gettext as _

from kernels_app import jsontext
from kernels_app import schema as schemas
from kernels_app.fields import names, texts
from kernels_app.fields.names import Lists, last
from kernels_app.fields.shape import Layout, Node, Section
from kernels_app.fields.texts import ABSENT, Unreadable, same
from projects_app.korean import fluent

MOST_PAIRS = 200  # settings that the schema has no field for, or that are set aside


@dataclass(frozen=True)
class Unread:
    """A text that should be JSON and is not, and whose it is."""

    path: names.Path
    fault: jsontext.JsonFault


@dataclass
class Reading:
    """What the inputs of a section say. `typed`: all of it; `layout`: which of it counts."""

    typed: dict[str, Any]
    layout: Layout
    faults: dict[str, list[Unread]] = field(default_factory=dict)  # by setting
    inner: dict[str, dict[str, Any]] = field(default_factory=dict)  # set aside within a group

    @property
    def values(self) -> dict[str, Any]:
        """The settings that count."""
        return {name: value for name, value in self.typed.items() if name in self.layout.live}


def read_section(section: Section, lists: Lists, extra: Mapping[str, Any] | None = None) -> Reading:
    """What the inputs of a section say. `extra`: settings beside them, which have a say in what counts."""
    typed: dict[str, Any] = {}
    faults: dict[str, list[Unread]] = {}
    inner: dict[str, dict[str, Any]] = {}
    for name, node in section.nodes.items():
        try:
            value, faults[name], aside = read_node(node, lists)
        except Unreadable as wrong:
            faults[name] = [Unread(node.path, wrong.fault)]
            continue
        if value is not ABSENT:
            typed[name] = value
        if aside:
            inner[name] = aside
    return Reading(typed, section.settled(typed, extra or {}), faults, inner)


def read_node(node: Node, lists: Lists) -> tuple[Any, list[Unread], dict[str, Any]]:
    """The value (or ABSENT), what is unreadable within it, and what is set aside within it. Raises Unreadable."""
    mode = last(lists, names.mode_name(node.path))
    if node.section is None or mode in (texts.JSON, texts.NULL):
        return texts.read(node, last(lists, names.html_name(node.path)), mode), [], {}
    reading = read_section(node.section, lists)
    live = reading.layout.live
    faults = [fault for name, found in reading.faults.items() if name in live for fault in found]
    return reading.values or ABSENT, faults, aside_of(node.section, lists, reading)


def aside_of(section: Section, lists: Lists, reading: Reading) -> dict[str, Any]:
    """What was typed in fields that do not count now, and at the top what was set aside before."""
    found: dict[str, Any] = {}
    if section.nodes and len(next(iter(section.nodes.values())).path) == 1:
        found = {key: _lenient(text) for key, text in pairs_of(lists, names.ASIDE_KEY, names.ASIDE_VALUE) if key}
    for name, node in section.nodes.items():
        if name in reading.layout.live:
            found |= {name: reading.inner[name]} if name in reading.inner else {}
        elif name in reading.typed and not same(reading.typed[name], default_of(node, node.part)):
            found[name] = reading.typed[name]
        elif name not in reading.typed and reading.faults.get(name):
            found[name] = last(lists, names.html_name(node.path))
    return found


def extras_of(lists: Lists) -> tuple[dict[str, Any], list[schemas.Problem]]:
    found: dict[str, Any] = {}
    problems = []
    for key, text in pairs_of(lists, names.EXTRA_KEY, names.EXTRA_VALUE):
        read = jsontext.read(text) if text.strip() else None
        if read is None:
            continue
        if read.error:
            problems.append(unreadable(Unread((key,), read.error), key))
        elif key in found:
            problems.append(problem((key,), _("%(name)s is set twice.") % {"name": key}))
        else:
            found[key] = read.value
    return found, problems


def pairs_of(lists: Lists, keys: str, values: str) -> Iterator[tuple[str, str]]:
    known = lists.get(keys, [])[:MOST_PAIRS]
    yield from zip_longest(known, lists.get(values, [])[: len(known)], fillvalue="")


def put_pairs(lists: Lists, keys: tuple[str, str], pairs: list[tuple[str, str]]) -> None:
    for n, key in enumerate(keys):
        lists.pop(key, None)
        if pairs:
            lists[key] = [pair[n] for pair in pairs]


def _lenient(text: str) -> Any:
    read = jsontext.read(text)
    return text if read.error else read.value


def unreadable(one: Unread, name: str) -> schemas.Problem:
    """In words. `name`: what the reader knows the setting by."""
    text = _("%(name)s cannot be read as JSON. Line %(line)d, column %(column)d: %(fault)s")
    fault = one.fault
    values = {"name": name, "line": fault.line, "column": fault.column, "fault": fault.message}
    return problem(one.path, text % values)


def problem(path: names.Path, message: str) -> schemas.Problem:
    return schemas.Problem(names.pointer_of(path), ".".join(path), fluent(message), "json")


def at(values: Any, path: names.Path) -> Any:
    """What stands at a path, or ABSENT."""
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return ABSENT
        values = values[name]
    return values


def default_of(node: Node, part: Mapping[str, Any]) -> Any:
    """What a setting is when nobody says anything, or ABSENT. `part`: its schema as it counts now."""
    return part.get("default", part.get("const", ABSENT))
