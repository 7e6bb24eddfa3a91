"""What becomes of the settings when another kernel is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kernels_app import jsontext
from kernels_app.fields import names, texts
from kernels_app.fields.forms import allows_extra, set_aside
from kernels_app.fields.growing import tree
from kernels_app.fields.names import Lists, last
from kernels_app.fields.reading import aside_of, default_of, extras_of, pairs_of, read_node, read_section
from kernels_app.fields.shape import Layout, Node, Section
from kernels_app.fields.texts import ABSENT, Unreadable, same
from kernels_app.fields.writing import blank, filled, write_node


@dataclass(frozen=True)
class Moved:
    """`data`: the form data for the new kernel, `aside` in it too."""

    data: Lists
    aside: dict[str, Any]


def move(old_schema: dict[str, Any], new_schema: dict[str, Any], data: Any) -> Moved:
    """Form data for another kernel. What was typed and still fits is kept, what stood at the old default gives way to
    the new one, and the rest is set aside, from where it comes back with a kernel that knows it.
    """
    old, new = tree(old_schema), tree(new_schema)
    lists = filled(old, names.lists_of(data))
    extra, unread = extras_of(lists)
    reading = read_section(old, lists, extra)
    aside = aside_of(old, lists, reading)
    if old is new:
        return Moved(lists, aside)
    found = names.without(lists, (names.PREFIX, names.MODE), names.LISTS)
    lost: dict[str, Any] = {}
    typed = aside | _typed(old, lists, reading.layout)
    for name, value in typed.items():
        _settle(new, name, value, found, lost)
    added = {}
    for name, value in extra.items():
        if name in new.nodes or not allows_extra(new_schema):
            _settle(new, name, value, found, lost)
        else:
            added[name] = jsontext.write(value)
    added |= {problem.name: _extra_text(lists, problem.name) for problem in unread}
    _blank_cleared(old, new, lists, reading.layout, found)
    found |= {names.EXTRA_KEY: list(added), names.EXTRA_VALUE: list(added.values())} if added else {}
    found |= set_aside(lost)
    return Moved(filled(new, found), lost)


def _settle(new: Section, name: str, value: Any, found: Lists, lost: dict[str, Any]) -> None:
    """Put a value into the new kernel's input as far as it fits there; the rest is lost, for now."""
    node = new.nodes.get(name)
    rest = value if node is None else _fit(node, value, found)
    if rest is not ABSENT:
        lost[name] = rest


def _fit(node: Node, value: Any, found: Lists) -> Any:
    """Write what fits; what does not is returned, ABSENT where all does."""
    if node.section and isinstance(value, dict) and set(value) & set(node.section.nodes):
        rest = {}
        for name, inner in value.items():
            child = node.section.nodes.get(name)
            left = inner if child is None else _fit(child, inner, found)
            if left is not ABSENT:
                rest[name] = left
        return rest or ABSENT
    if not node.is_valid(value):
        return value
    write_node(node, value, found)
    return ABSENT


def _typed(section: Section, lists: Lists, layout: Layout) -> dict[str, Any]:
    """What was typed: every value that is not the default, of groups only the parts that are not."""
    found = {}
    for name, node in section.nodes.items():
        if name not in layout.live:
            continue
        value = _value(node, lists)
        if node.section and isinstance(value, dict) and last(lists, names.mode_name(node.path)) != texts.JSON:
            value = _typed(node.section, lists, node.section.layout(value)) or ABSENT
        if value is not ABSENT and not same(value, default_of(node, layout.parts[name])):
            found[name] = value
    return found


def _value(node: Node, lists: Lists) -> Any:
    """The value of an input, its bare text where it cannot be read."""
    try:
        return read_node(node, lists)[0]
    except Unreadable:
        return last(lists, names.html_name(node.path))


def _blank_cleared(old: Section, new: Section, lists: Lists, layout: Layout, found: Lists) -> None:
    """What the user emptied, although it has a default, stays empty where the new kernel does not ask for it."""
    asked: Mapping[str, Any] = dict.fromkeys(new.layout({}).required, True)
    for name, node in old.nodes.items():
        other = new.nodes.get(name)
        if other is None or name not in layout.live:
            continue
        if node.section and other.section:
            if isinstance(value := _value(node, lists), dict):
                _blank_cleared(node.section, other.section, lists, node.section.layout(value), found)
            continue
        has_default = default_of(node, layout.parts[name]) is not ABSENT
        is_free = names.html_name(other.path) not in found and name not in asked
        if has_default and is_free and _value(node, lists) is ABSENT:
            blank(other, found)


def _extra_text(lists: Lists, name: str) -> str:
    return next((text for key, text in pairs_of(lists, names.EXTRA_KEY, names.EXTRA_VALUE) if key == name), "")
