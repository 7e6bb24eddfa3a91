"""What keeps a document from being a kernel's schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator, SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from kernels_app.contract import TRAINING_TYPES
from kernels_app.schema.compiled import validator
from kernels_app.schema.document import PARAMS, defaults, escape, pointer_of, training_types
from kernels_app.schema.verdict import check_params
from kernels_app.schema.words import Problem

REFERENCES = ("$ref", "$dynamicRef")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a schema: a JSON pointer and a sentence."""

    pointer: str
    message: str


def faults(schema: Any) -> list[Fault]:
    """What keeps `schema` from being a kernel's schema; empty when it is one."""
    if not isinstance(schema, dict):
        return [Fault("", _("The schema must be a JSON object."))]
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return [Fault("/properties", _("The schema needs “properties”."))]
    found = [Fault(*fault) for fault in _refusals(schema)]
    for name in ("training_type", "model_type", PARAMS):
        if not isinstance(properties.get(name), dict):
            found.append(Fault(f"/properties/{name}", _("The section “%(name)s” is missing.") % {"name": name}))
    if found:
        return found
    if not training_types(schema):
        text = _("“training_type” needs a const or an enum of %(types)s.") % {"types": ", ".join(TRAINING_TYPES)}
        return [Fault("/properties/training_type", text)]
    try:
        Draft202012Validator.check_schema(validator(schema).schema)
    except SchemaError as error:
        return [Fault(pointer_of(error.absolute_path), error.message)]
    if lost := list(_lost_references(validator(schema).schema)):
        return lost
    return [_default_fault(problem) for problem in check_params(schema, defaults(schema), allow_missing=True)]


def _default_fault(problem: Problem) -> Fault:
    return Fault(f"/properties{problem.pointer}/default", _("The default contradicts the schema: ") + problem.message)


def _refusals(node: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """References that leave the document and patterns that re2 does not know, anywhere in the schema."""
    if depth > 40:
        yield pointer, _("The schema is nested too deeply.")
        return
    if isinstance(node, list):
        for n, value in enumerate(node):
            yield from _refusals(value, f"{pointer}/{n}", depth + 1)
    if not isinstance(node, dict):
        return
    for place, message in _refused_keywords(node):
        yield f"{pointer}/{place}", message
    for key, value in node.items():
        yield from _refusals(value, f"{pointer}/{escape(key)}", depth + 1)


def _refused_keywords(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in REFERENCES:
        if isinstance(node.get(key), str) and not node[key].startswith("#"):
            text = _("Only references within the schema are allowed; this is “%(ref)s”.")
            yield key, text % {"ref": node[key]}
    unusable = _("This pattern cannot be used (no look-around, no back-references).")
    if isinstance(node.get("pattern"), str) and not _is_safe(node["pattern"]):
        yield "pattern", unusable
    patterns = node.get("patternProperties")
    if isinstance(patterns, dict):
        for pattern, part in patterns.items():
            if isinstance(part, dict | bool) and not _is_safe(pattern):
                yield f"patternProperties/{escape(pattern)}", unusable
        if "unevaluatedProperties" in node:  # jsonschema would run these patterns on an engine that can hang
            yield "unevaluatedProperties", _("This cannot stand beside “patternProperties”.")


def _lost_references(schema: dict[str, Any]) -> Iterator[Fault]:
    """References to a place in the document where nothing is."""
    base = str(schema.get("$id", ""))
    resolver = Registry().with_resource(base, DRAFT202012.create_resource(schema)).resolver(base)
    for pointer, reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            yield Fault(pointer, _("The schema has nothing at “%(ref)s”.") % {"ref": reference})


def _references(node: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for n, value in enumerate(node):
            yield from _references(value, f"{pointer}/{n}")
    if isinstance(node, dict):
        for key, value in node.items():
            if key in REFERENCES and isinstance(value, str):
                yield f"{pointer}/{key}", value
            yield from _references(value, f"{pointer}/{escape(key)}")


def _is_safe(pattern: str) -> bool:
    try:
        re2.compile(pattern)
    except (re2.error, UnicodeEncodeError):
        return False
    return True
