"""What a schema asks for, as a tree of settings. `growing` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from referencing.exceptions import Unresolvable

from kernels_app.fields.names import Path


@dataclass(frozen=True)
class Choice:
    """One of several constants. `part`: where its title stands."""

    text: str
    value: Any
    part: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Node:
    """One setting. `part`: its schema, references put in and null taken out; `tester`: jsonschema's word on a value."""

    path: Path
    part: Mapping[str, Any]
    kind: str
    tester: Any
    nullable: bool = False
    item_kind: str = ""
    choices: tuple[Choice, ...] = ()
    section: Section | None = None

    @property
    def name(self) -> str:
        return self.path[-1]

    def is_valid(self, value: Any) -> bool:
        return holds(self.tester, value)


@dataclass(frozen=True, eq=False)
class Rule:
    """What holds while every condition does. `parts`: schemas by name; False forbids the setting."""

    conditions: tuple[tuple[Any, bool], ...]
    parts: Mapping[str, Any]
    required: frozenset[str]

    def applies(self, values: Mapping[str, Any]) -> bool:
        return all(holds(tester, values) is expected for tester, expected in self.conditions)


@dataclass(frozen=True, eq=False)
class Layout:
    """Which settings there are with certain values, and what is asked of them."""

    live: frozenset[str]
    required: frozenset[str]
    parts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Section:
    """Settings side by side. `base`: those that are always there; the others come with their rules."""

    part: Mapping[str, Any]
    nodes: Mapping[str, Node]
    base: frozenset[str]
    rules: tuple[Rule, ...] = ()
    depends: Mapping[str, list[str]] = field(default_factory=dict)

    def layout(self, values: Mapping[str, Any]) -> Layout:
        """What is there and asked for with these values."""
        if not self.rules and not self.depends:
            return self._plain
        required = set(self._plain.required)
        required |= {name for given, needed in self.depends.items() if given in values for name in needed}
        live, parts, forbidden = set(self.base), dict(self._plain.parts), set()
        for rule in self.rules:
            if rule.applies(values):
                required |= rule.required
                forbidden |= {name for name, part in rule.parts.items() if part is False}
                for name, part in rule.parts.items():
                    parts[name] = _narrowed(parts[name], part) if name in live else part or {}
                    live.add(name)
        return Layout(frozenset(live - forbidden), frozenset(required), parts)

    def settled(self, typed: Mapping[str, Any], extra: Mapping[str, Any]) -> Layout:
        """The layout for what was typed: a setting that is not there has no say in which others are."""
        if not self.rules and not self.depends:
            return self._plain
        live = self.base
        found = self._plain
        for _round in range(len(self.rules) + 2):
            found = self.layout({name: value for name, value in typed.items() if name in live} | dict(extra))
            if found.live == live:
                break
            live = found.live
        return found

    @cached_property
    def conditional(self) -> frozenset[str]:
        """The names that any rule speaks of."""
        return frozenset(name for rule in self.rules for name in rule.parts)

    @cached_property
    def _plain(self) -> Layout:
        required = frozenset(name for name in _list(self.part.get("required")) if isinstance(name, str))
        return Layout(self.base, required, {name: self.nodes[name].part for name in self.base})


def holds(tester: Any, value: Any) -> bool:
    """jsonschema's verdict; False where the schema leads nowhere or round and round."""
    try:
        return bool(tester.is_valid(value))
    except (RecursionError, Unresolvable):
        return False


def _narrowed(part: Mapping[str, Any], by: Any) -> Mapping[str, Any]:
    """A setting's schema with what a rule adds: the narrower bound counts."""
    if not isinstance(by, Mapping):
        return part
    found = {**part, **by}
    for keyword, choose in (("minimum", max), ("maximum", min), ("exclusiveMinimum", max), ("exclusiveMaximum", min)):
        both = [one[keyword] for one in (part, by) if isinstance(one.get(keyword), int | float)]
        if both:
            found[keyword] = choose(both)
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
