"""How the tree of settings is made out of a schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from kernels_app import schema as schemas
from kernels_app.fields.names import Path
from kernels_app.fields.shape import Choice, Node, Rule, Section
from kernels_app.fields.texts import FRAGILE, plain

SCALARS = ("integer", "number", "string", "boolean")
DEPTH = 10  # groups within each other, and rules within rules
BUDGET = 3000  # settings of one schema; references can multiply them without end


def tree(schema: dict[str, Any]) -> Section:
    """The settings of a kernel's schema; made once for each schema."""
    return _tree(schemas.compiled(schema))


@lru_cache(maxsize=64)
def _tree(compiled: schemas.Compiled) -> Section:
    return _Grower(compiled).root()


class _Grower:
    def __init__(self, compiled: schemas.Compiled) -> None:
        self.document, self.validator = compiled.document, compiled.validator
        self.budget = BUDGET

    def root(self) -> Section:
        return self.section(schemas.params_schema(self.document), (), frozenset())

    def section(self, part: Mapping[str, Any], path: Path, seen: frozenset[str]) -> Section:
        """The settings of an object. `seen`: the references that led here."""
        properties = _dict(part.get("properties"))
        rules = tuple(self.rules(part, ()))
        raws: dict[str, list[Any]] = {name: [raw] for name, raw in properties.items()}
        for rule in rules:
            for name, raw in rule.parts.items():
                if name not in properties and raw is not False:
                    raws.setdefault(name, []).append(raw)
        nodes = {name: self.of_all(raws[name], (*path, name), seen) for name in _ordered(raws, properties, rules)}
        plain_rules = tuple(Rule(rule.conditions, self.plain_parts(rule), rule.required) for rule in rules)
        return Section(part, nodes, frozenset(properties), plain_rules, _dict(part.get("dependentRequired")))

    def plain_parts(self, rule: Rule) -> dict[str, Any]:
        return {name: False if raw is False else self.plain(raw, set())[0] for name, raw in rule.parts.items()}

    def rules(self, part: Mapping[str, Any], conditions: tuple[Any, ...], depth: int = 0) -> Iterator[Rule]:
        """What `if`, `allOf` and `dependentSchemas` add to an object; the parts as the schema has them."""
        if depth > DEPTH or self.budget < 0:
            return
        if isinstance(part.get("if"), dict | bool):
            tester = self.validator.evolve(schema=part["if"])
            yield from self.branch(part.get("then"), (*conditions, (tester, True)), depth)
            yield from self.branch(part.get("else"), (*conditions, (tester, False)), depth)
        for each in part["allOf"] if isinstance(part.get("allOf"), list) else []:
            yield from self.branch(each, conditions, depth)
        for name, each in _dict(part.get("dependentSchemas")).items():
            tester = self.validator.evolve(schema={"required": [name]})
            yield from self.branch(each, (*conditions, (tester, True)), depth)

    def branch(self, raw: Any, conditions: tuple[Any, ...], depth: int) -> Iterator[Rule]:
        part = schemas.resolve(raw, self.document)
        self.budget -= 1
        required = part.get("required")
        names = frozenset(name for name in required if isinstance(name, str)) if isinstance(required, list) else ()
        if part.get("properties") or names:
            yield Rule(conditions, _dict(part.get("properties")), frozenset(names))
        yield from self.rules(part, conditions, depth + 1)

    def of_all(self, raws: list[Any], path: Path, seen: frozenset[str]) -> Node:
        """One setting that several branches describe: of one kind where they agree, else typed as JSON."""
        distinct = list({json.dumps(raw): raw for raw in raws}.values())
        nodes = [self.node(raw, path, seen) for raw in distinct]
        if len(nodes) == 1:
            return nodes[0]
        kinds = {node.kind for node in nodes}
        tester = self.validator.evolve(schema={"anyOf": distinct})
        nullable = any(node.nullable for node in nodes)
        first = nodes[0].part
        if kinds <= {"enum", "const"}:
            choices = _choices([{**choice.part, "const": choice.value} for node in nodes for choice in node.choices])
            if choices:
                return Node(path, first, "enum", tester, nullable, choices=choices)
        elif len(kinds) == 1 and kinds <= set(SCALARS):
            return Node(path, first, nodes[0].kind, tester, nullable)
        return Node(path, first, "json", tester, nullable)

    def node(self, raw: Any, path: Path, seen: frozenset[str]) -> Node:
        self.budget -= 1
        refs: set[str] = set()
        part, nullable = self.plain(raw, refs)
        tester = self.validator.evolve(schema=raw if isinstance(raw, dict | bool) else True)
        if refs & seen or self.budget < 0 or len(path) > DEPTH:
            return Node(path, part, "json", tester, nullable)
        if choices := self.constants(part):
            return Node(path, part, "const" if "const" in part else "enum", tester, nullable, choices=choices)
        kind = part.get("type")
        if "enum" in part or "const" in part:
            return Node(path, part, "json", tester, nullable)
        if isinstance(kind, str) and kind in SCALARS:
            return Node(path, part, kind, tester, nullable)
        if kind == "array" and (item_kind := self.item_kind(part)):
            return Node(path, part, "array", tester, nullable, item_kind)
        if kind == "object":
            section = self.section(part, path, seen | refs)
            if section.nodes:
                return Node(path, part, "group", tester, nullable, section=section)
        return Node(path, part, "json", tester, nullable)

    def plain(self, raw: Any, refs: set[str]) -> tuple[dict[str, Any], bool]:
        """The schema with references put in (they are noted in `refs`) and null taken out, and whether it was in."""
        part, nullable = dict(self.resolved(raw, refs)), False
        for _round in range(DEPTH):
            one = part.get("allOf")
            if isinstance(one, list) and len(one) == 1 and "type" not in part:
                part = {**self.resolved(one[0], refs), **_less(part, "allOf")}
                continue
            rest, had_null, keyword = self.alternatives(part, refs)
            nullable = nullable or had_null
            if len(rest) == 1 and had_null:
                part = {**rest[0], **_less(part, keyword)}
                continue
            part = {**part, keyword: rest} if had_null else part
            break
        return _without_null(part, nullable)

    def resolved(self, raw: Any, refs: set[str]) -> dict[str, Any]:
        """`schemas.resolve`, noting the references on the way."""
        for _round in range(20):
            if not isinstance(raw, dict) or not isinstance(raw.get("$ref"), str):
                break
            refs.add(raw["$ref"])
            raw = {**_dict(schemas.target(raw["$ref"], self.document)), **_less(raw, "$ref")}
        return raw if isinstance(raw, dict) else {}

    def alternatives(self, part: Mapping[str, Any], refs: set[str]) -> tuple[list[Any], bool, str]:
        """What `anyOf` or `oneOf` leave without null, whether null was among them, and which of the two it is."""
        for keyword in ("anyOf", "oneOf"):
            if isinstance(part.get(keyword), list):
                found = [self.resolved(one, refs) for one in part[keyword]]
                rest = [one for one in found if not (one.get("type") == "null" or one.get("const", 0) is None)]
                return rest, len(rest) < len(found), keyword
        return [], False, ""

    def constants(self, part: Mapping[str, Any]) -> tuple[Choice, ...]:
        """The choices of a const, an enum, or alternatives that are constants; () where it is none of these."""
        if "const" in part:
            return _choices([part])
        if isinstance(part.get("enum"), list):
            return _choices([{"const": value} for value in part["enum"]])
        if "properties" in part:
            return ()
        rest, _had_null, _keyword = self.alternatives(part, set())
        return _choices(rest) if rest and all("const" in one for one in rest) else ()

    def item_kind(self, part: Mapping[str, Any]) -> str:
        """Which single values a list holds; "" where it holds others."""
        if "prefixItems" in part or not isinstance(part.get("items"), dict):
            return ""
        items, nullable = self.plain(part["items"], set())
        if choices := self.constants(items):
            kinds = {_kind_of(choice.value) for choice in choices}
            kind: Any = kinds.pop() if len(kinds) == 1 else "number" if kinds <= {"integer", "number"} else ""
        else:
            kind = items.get("type")
        return kind if isinstance(kind, str) and kind in SCALARS and not nullable else ""


def _choices(parts: Iterable[Mapping[str, Any]]) -> tuple[Choice, ...]:
    """A text for each constant, as people write it, or as JSON where that would be ambiguous; () if some are lists."""
    found = [(part["const"], part) for part in parts]
    if not all(isinstance(value, str | int | float) for value, _part in found):
        return ()
    texts = [plain(value) for value, _part in found]
    clear = len(set(texts)) == len(texts) and all(text and text == text.strip() for text in texts)
    if not clear or any(FRAGILE.search(text) for text in texts):
        texts = [json.dumps(value) for value, _part in found]
    return tuple(
        Choice(text, value, part)
        for n, (text, (value, part)) in enumerate(zip(texts, found, strict=True))
        if text not in texts[:n]
    )


def _without_null(part: dict[str, Any], nullable: bool) -> tuple[dict[str, Any], bool]:
    kinds, values = part.get("type"), part.get("enum")
    if isinstance(kinds, list):
        rest = [kind for kind in kinds if kind != "null"]
        nullable = nullable or len(rest) < len(kinds)
        part = {**part, "type": rest[0] if len(rest) == 1 else rest}
    if isinstance(values, list) and None in values and len(values) > 1:
        nullable = True
        part = {**part, "enum": [value for value in values if value is not None]}
    return part, nullable


def _ordered(raws: Mapping[str, Any], properties: Mapping[str, Any], rules: tuple[Rule, ...]) -> list[str]:
    """The settings in the schema's order; one that comes with a rule stands after the last one the rule looks at."""
    after: dict[str, list[str]] = {}
    loose: list[str] = []
    for name in raws:
        if name not in properties:
            rule = next(rule for rule in rules if name in rule.parts)
            looked_at = {key for tester, _expected in rule.conditions for key in _looks_at(tester.schema)}
            anchor = [key for key in properties if key in looked_at]
            (after.setdefault(anchor[-1], []) if anchor else loose).append(name)
    return [one for name in properties for one in (name, *after.get(name, []))] + loose


def _looks_at(condition: Any) -> list[str]:
    if not isinstance(condition, dict):
        return []
    return [*_dict(condition.get("properties")), *(n for n in condition.get("required", []) if isinstance(n, str))]


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "integer" if isinstance(value, int) else "number" if isinstance(value, float) else "string"


def _less(part: Mapping[str, Any], keyword: str) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != keyword}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
