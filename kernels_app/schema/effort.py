"""Schemas that would keep a validator busy without end: refused before anybody is asked to satisfy them.

What is looked at for one and the same value counts: rules that refer to rules, twice each, double with every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from kernels_app.schema.document import escape

NODES = 5000  # values in the whole document
RULES = 2000  # parts that one value is held against
LISTS = ("allOf", "anyOf", "oneOf")
PARTS = ("not", "if", "then", "else")
ENDLESS = -1

Found = tuple[str, str, str]  # pointer, sentence, how to mend it


def faults(schema: dict[str, Any]) -> list[Found]:
    places = list(_places(schema, ""))
    if len(places) > NODES:
        text = _("The schema has more than %(n)d parts.") % {"n": NODES}
        return [("", text, _("Leave out what no reader needs, such as long lists of values."))]
    resolver = resolver_of(schema)
    counts: dict[int, int] = {}
    for pointer, node in places:
        try:
            count = _rules(node, resolver, counts, set())
        except RecursionError:  # a thousand references in a row
            count = ENDLESS
        if count == ENDLESS:
            return [(pointer, _("This part refers to itself without end."), _("Break the circle of references."))]
        if count > RULES:
            text = _("One value would be held against more than %(n)d rules here.") % {"n": RULES}
            return [(pointer, text, _("Refer to each part once, instead of several times."))]
    return []


def resolver_of(schema: dict[str, Any]) -> Any:
    """Leads references to where jsonschema follows them."""
    base = str(schema.get("$id", ""))
    return Registry().with_resource(base, DRAFT202012.create_resource(schema)).crawl().resolver(base)


def _places(node: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document."""
    if isinstance(node, dict):
        yield pointer, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield from _places(value, f"{pointer}/{escape(str(key))}")


def _rules(node: Any, resolver: Any, counts: dict[int, int], above: set[int]) -> int:
    """How many parts are held against one value, this one included; each part is counted once and remembered."""
    if not isinstance(node, dict):
        return 1
    if id(node) in above:
        return ENDLESS
    if id(node) not in counts:
        total = 1
        for part in _beside(node, resolver):
            more = _rules(part, resolver, counts, above | {id(node)})
            if more == ENDLESS:
                return ENDLESS
            total = min(total + more, RULES + 1)
        counts[id(node)] = total
    return counts[id(node)]


def _beside(node: dict[str, Any], resolver: Any) -> Iterator[Any]:
    """The parts that are held against the same value."""
    for key in LISTS:
        yield from node[key] if isinstance(node.get(key), list) else ()
    yield from (node[key] for key in PARTS if key in node)
    if isinstance(node.get("dependentSchemas"), dict):
        yield from node["dependentSchemas"].values()
    for key in ("$ref", "$dynamicRef"):
        if isinstance(reference := node.get(key), str):
            try:
                yield resolver.lookup(reference).contents
            except Unresolvable:  # in a default or an example, where it is no reference
                continue
