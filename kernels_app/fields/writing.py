"""Inputs that say what settings are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernels_app import jsontext
from kernels_app.fields import names, texts
from kernels_app.fields.names import Lists, last
from kernels_app.fields.reading import at, default_of, extras_of, pairs_of, put_pairs, read_section
from kernels_app.fields.shape import Node, Section
from kernels_app.fields.texts import ABSENT, same


def write_section(
    section: Section, values: Mapping[str, Any], into: Lists, apart: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Put settings into inputs; what has no input (or is to stay `apart`) comes back."""
    live = section.layout(values).live
    inputs = {name for name in values if name in live and name not in apart}
    for name, node in section.nodes.items():
        if name in inputs:
            write_node(node, values[name], into)
        elif name in live:
            blank(node, into)
    return {name: value for name, value in values.items() if name not in inputs}


def write_node(node: Node, value: Any, into: Lists) -> None:
    """One setting into its input, or into those of its group."""
    if node.section and isinstance(value, dict) and value:
        inner: Lists = {}
        rest = write_section(node.section, value, inner)
        if not rest and same(read_section(node.section, inner).values, value):
            into.update(inner)
            return
    text, mode = texts.write(node, value)
    into[names.html_name(node.path)] = [text]
    if mode:
        into[names.mode_name(node.path)] = [mode]


def blank(node: Node, into: Lists) -> None:
    """Say that a setting is absent."""
    if node.section:
        write_section(node.section, {}, into)
    else:
        into[names.html_name(node.path)] = [""]


def filled(section: Section, lists: Lists) -> Lists:
    """`fill_defaults` on plain lists."""
    lists = dict(lists)
    _come_back(section, lists)
    _fill_section(section, lists, ABSENT)
    return lists


def _fill_section(section: Section, lists: Lists, default: Any) -> None:
    """`default`: of the group as a whole, ABSENT where it has none."""
    done: frozenset[str] = frozenset()
    for _round in range(len(section.rules) + 2):
        extra = extras_of(lists)[0] if section.rules else {}
        layout = read_section(section, lists, extra).layout if section.rules else section.layout({})
        for name, node in section.nodes.items():
            if name in layout.live - done:
                _fill(node, lists, layout.parts[name], default)
        if layout.live <= done:
            return
        done |= layout.live


def _fill(node: Node, lists: Lists, part: Mapping[str, Any], outer: Any) -> None:
    if names.html_name(node.path) in lists or names.mode_name(node.path) in lists:
        return
    default = default_of(node, part) if outer is ABSENT else at(outer, (node.name,))
    if node.section and (default is ABSENT or is_touched(node, lists)):
        _fill_section(node.section, lists, default if isinstance(default, dict) else ABSENT)
    elif default is ABSENT:
        blank(node, lists)
    else:
        write_node(node, default, lists)


def is_touched(node: Node, lists: Lists) -> bool:
    """Whether the data has any input of a setting."""
    if names.html_name(node.path) in lists or names.mode_name(node.path) in lists:
        return True
    return node.section is not None and any(is_touched(child, lists) for child in node.section.nodes.values())


def _come_back(section: Section, lists: Lists) -> None:
    """What was added or set aside under the name of a field that is there now goes into it."""
    for keys in ((names.EXTRA_KEY, names.EXTRA_VALUE), (names.ASIDE_KEY, names.ASIDE_VALUE)):
        for name, text in [*pairs_of(lists, *keys)]:
            node, read = section.nodes.get(name), jsontext.read(text)
            if node is None or read.error:
                continue
            changed = dict(lists)
            put_pairs(changed, keys, [pair for pair in pairs_of(lists, *keys) if pair != (name, text)])
            write_node(node, read.value, changed)
            is_free = not is_said(node, lists) if keys[0] == names.EXTRA_KEY else not is_touched(node, lists)
            if (
                is_free
                and (keys[0] == names.EXTRA_KEY or node.is_valid(read.value))
                and _counts(section, name, changed)
            ):
                lists.clear()
                lists.update(changed)


def _counts(section: Section, name: str, lists: Lists) -> bool:
    """Whether a setting counts with all that the inputs say."""
    return name in read_section(section, lists, extras_of(lists)[0]).layout.live


def is_said(node: Node, lists: Lists) -> bool:
    """Whether the data gives a setting a value, readable or not."""
    if last(lists, names.html_name(node.path)).strip() or last(lists, names.mode_name(node.path)) == texts.NULL:
        return True
    return node.section is not None and any(is_said(child, lists) for child in node.section.nodes.values())
