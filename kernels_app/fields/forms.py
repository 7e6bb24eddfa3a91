"""Settings as form data, and form data as settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from kernels_app import jsontext
from kernels_app import schema as schemas
from kernels_app.fields import names
from kernels_app.fields.growing import tree
from kernels_app.fields.names import Lists
from kernels_app.fields.reading import aside_of, at, extras_of, pairs_of, problem, put_pairs, read_section, unreadable
from kernels_app.fields.shape import Node, Section
from kernels_app.fields.texts import ABSENT, same
from kernels_app.fields.titles import labels
from kernels_app.fields.writing import blank, filled, write_node, write_section


@dataclass(frozen=True)
class Decoded:
    """`problems`: what could not be read; `aside`: what has no place with the other settings as they are."""

    values: dict[str, Any]
    problems: list[schemas.Problem]
    aside: dict[str, Any]


def encode(schema: dict[str, Any], values: Mapping[str, Any]) -> Lists:
    """Settings as inputs, modes and extras: for any JSON object, whether or not it satisfies the schema."""
    section = tree(schema)
    found = _encoded(section, values, frozenset())
    if section.rules and not same(_values(section, found), dict(values)):
        found = _encoded(section, values, section.conditional)  # rules that contradict each other
    return found


def _encoded(section: Section, values: Mapping[str, Any], apart: frozenset[str]) -> Lists:
    found: Lists = {}
    rest = write_section(section, values, found, apart)
    if rest:
        found[names.EXTRA_KEY] = list(rest)
        found[names.EXTRA_VALUE] = [jsontext.write(value) for value in rest.values()]
    return found


def set_aside(aside: Mapping[str, Any]) -> Lists:
    """The form data of what is set aside."""
    shown = {names.ASIDE_KEY: list(aside), names.ASIDE_VALUE: [jsontext.write(value) for value in aside.values()]}
    return shown if aside else {}


def decode(schema: dict[str, Any], data: Any) -> Decoded:
    """Settings out of form data. Inputs that are not there are absent settings; `fill_defaults` puts defaults in."""
    section, lists = tree(schema), names.lists_of(data)
    extra, problems = extras_of(lists)
    reading, label = read_section(section, lists, extra), labels(schema)
    live = reading.layout.live
    for name in section.nodes:
        for one in reading.faults.get(name, []) if name in live else []:
            problems.append(unreadable(one, label((schemas.PARAMS, *one.path))))
        if name in live and name in reading.typed and name in extra:
            text = _("%(name)s is set twice: here and as “%(key)s” among the other settings.")
            problems.append(problem((name,), text % {"name": label((schemas.PARAMS, name)), "key": name}))
    return Decoded(reading.values | extra, problems, aside_of(section, lists, reading))


def allows_extra(schema: dict[str, Any]) -> bool:
    """Whether settings may be added that the schema does not name."""
    part = tree(schema).part
    return bool(part.get("patternProperties")) or (
        part.get("additionalProperties") is not False and part.get("unevaluatedProperties") is not False
    )


def fill_defaults(schema: dict[str, Any], data: Any) -> Any:
    """A copy of the data in which inputs that are not there at all have their defaults; what was set aside or added
    under the name of an input that is there now goes into it."""
    lists = filled(tree(schema), names.lists_of(data))
    if not hasattr(data, "setlist"):
        return lists
    copy = data.copy()
    for key in [key for key in copy if key not in lists]:
        del copy[key]
    for key, values in lists.items():
        copy.setlist(key, values)
    return copy


def reset(schema: dict[str, Any], data: Any, name: str, origin: Mapping[str, Any] | None = None) -> Lists:
    """One field (by its `html_name`) back to its default, or to what `origin` has; the rest as it was."""
    lists, path = names.lists_of(data), names.path_of(name)
    node = find(tree(schema), path)
    if not node:
        return lists
    inner = (f"{names.html_name(path)}.", f"{names.mode_name(path)}.")
    lists = names.without(lists, inner, (names.html_name(path), names.mode_name(path)))
    for keys in ((names.EXTRA_KEY, names.EXTRA_VALUE), (names.ASIDE_KEY, names.ASIDE_VALUE)):
        if len(path) == 1:
            put_pairs(lists, keys, [pair for pair in pairs_of(lists, *keys) if pair[0] != path[0]])
    if origin is not None:
        value = at(origin, path)
        blank(node, lists) if value is ABSENT else write_node(node, value, lists)
    return filled(tree(schema), lists)


def find(section: Section | None, path: names.Path) -> Node | None:
    """The setting at a path, where the schema has one."""
    node = None
    for name in path:
        node = section.nodes.get(name) if section else None
        section = node.section if node else None
    return node


def _values(section: Section, lists: Lists) -> dict[str, Any]:
    extra, _problems = extras_of(lists)
    return read_section(section, lists, extra).values | extra
