"""What keeps a document from being a kernel's schema: where, what, and how to mend it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator, SchemaError
from referencing.exceptions import Unresolvable

from kernels_app import jsontext
from kernels_app.contract import TRAINING_TYPES
from kernels_app.schema import effort, sections
from kernels_app.schema.compiled import validator
from kernels_app.schema.document import PARAMS, defaults, escape, pointer_of, training_types
from kernels_app.schema.verdict import check_params
from kernels_app.schema.words import Problem

REFERENCES = ("$ref", "$dynamicRef")
DEPTH = 40


@dataclass(frozen=True)
class Fault:
    """What is wrong with a schema: a JSON pointer and a sentence; what to do about it, and its line in the text."""

    pointer: str
    message: str
    mend: str = dataclasses.field(default="", compare=False)
    line: int = dataclasses.field(default=0, compare=False)

    def __str__(self) -> str:
        where = _("line %(n)d, %(pointer)s") % {"n": self.line, "pointer": self.pointer or "/"} if self.line else ""
        return " ".join(part for part in (f"{where or self.pointer or '/'}: {self.message}", self.mend) if part)


def faults_of_text(text: str) -> tuple[Any, list[Fault]]:
    """The document that a text is (None where it is none), and what is wrong with it, each with its line."""
    found = jsontext.read(text)
    if found.error:
        return None, [Fault("", found.error.message, "", found.error.line)]
    return found.value, [dataclasses.replace(fault, line=found.line_of(fault.pointer)) for fault in faults(found.value)]


def faults(schema: Any) -> list[Fault]:
    """What keeps `schema` from being a kernel's schema; empty when it is one."""
    if not isinstance(schema, dict):
        return [Fault("", _("The schema must be a JSON object."), _("Begin it with { and end it with }."))]
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        text = _("Describe training_type, model_type and training_params below “properties”.")
        return [Fault("/properties", _("The schema needs “properties”."), text)]
    found = [*_refusals(schema), *_unevaluated(schema)]
    for name in ("training_type", "model_type", PARAMS):
        if not isinstance(properties.get(name), dict):
            text = _("Add it as an object below “properties”.")
            found.append(Fault(f"/properties/{name}", _("The section “%(name)s” is missing.") % {"name": name}, text))
    if found:
        return found
    if not training_types(schema):
        text = _("“training_type” needs a const or an enum of %(types)s.") % {"types": ", ".join(TRAINING_TYPES)}
        return [Fault("/properties/training_type", text, _('Write for example {"const": "OD"}.'))]
    try:
        Draft202012Validator.check_schema(validator(schema).schema)
    except SchemaError as error:
        mend = _("Look this keyword up in JSON Schema, draft 2020-12.")
        return [Fault(pointer_of(error.absolute_path), error.message, mend)]
    found = list(_lost_references(validator(schema).schema))
    found = found or [Fault(*fault) for fault in effort.faults(validator(schema).schema)]
    found += [Fault(*fault) for fault in sections.faults(schema)]
    if found:
        return found
    return [_default_fault(problem) for problem in check_params(schema, defaults(schema), allow_missing=True)]


def _default_fault(problem: Problem) -> Fault:
    mend = _("Change the default, or allow it.")
    text = _("The default contradicts the schema: ") + problem.message
    name = problem.pointer.split("/")[2] if problem.pointer.count("/") > 1 else ""
    place = f"/properties/{name}/default" if name else ""
    return Fault(f"/properties/{PARAMS}{place}", text, mend)


def _refusals(node: Any, pointer: str = "", depth: int = 0) -> Iterator[Fault]:
    """References that leave the document and patterns that re2 does not know, anywhere in the schema."""
    if depth > DEPTH:
        yield Fault(pointer, _("The schema is nested too deeply."), _("Move parts of it to “$defs” and refer to them."))
        return
    if isinstance(node, list):
        for n, value in enumerate(node):
            yield from _refusals(value, f"{pointer}/{n}", depth + 1)
    if not isinstance(node, dict):
        return
    for place, message, mend in _refused_keywords(node):
        yield Fault(f"{pointer}/{place}", message, mend)
    if pointer and isinstance(node.get("$id"), str):
        yield Fault(f"{pointer}/$id", _("“$id” may stand at the top alone."), _("Remove it."))
    for key, value in node.items():
        yield from _refusals(value, f"{pointer}/{escape(key)}", depth + 1)


def _refused_keywords(node: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in REFERENCES:
        if isinstance(node.get(key), str) and not node[key].startswith("#"):
            text = _("Only references within the schema are allowed; this is “%(ref)s”.")
            yield key, text % {"ref": node[key]}, _("Copy what it leads to into “$defs” and refer to #/$defs/….")
    unusable = _("This pattern cannot be used (no look-around, no back-references).")
    mend = _("Write it without these, or list the allowed values as an enum.")
    if isinstance(node.get("pattern"), str) and not _is_safe(node["pattern"]):
        yield "pattern", unusable, mend
    patterns = node.get("patternProperties")
    if isinstance(patterns, dict):
        for pattern, part in patterns.items():
            if isinstance(part, dict | bool) and not _is_safe(pattern):
                yield f"patternProperties/{escape(pattern)}", unusable, mend


def _unevaluated(schema: dict[str, Any]) -> Iterator[Fault]:
    """jsonschema would run the patterns that such a rule finds, wherever they are, on an engine that can hang."""
    places = list(_places(schema))
    if any(isinstance(node.get("patternProperties"), dict) for _pointer, node in places):
        for pointer, node in places:
            if "unevaluatedProperties" in node:
                text = _("This cannot stand in a schema with “patternProperties”.")
                yield Fault(f"{pointer}/unevaluatedProperties", text, _("Use “additionalProperties” instead."))


def _places(node: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document, as deep as one is looked into."""
    if isinstance(node, dict):
        yield pointer, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children if depth <= DEPTH else ():
        yield from _places(value, f"{pointer}/{escape(str(key))}", depth + 1)


def _lost_references(schema: dict[str, Any]) -> Iterator[Fault]:
    """References to a place in the document where nothing is."""
    resolver = effort.resolver_of(schema)
    for pointer, reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            text = _("The schema has nothing at “%(ref)s”.") % {"ref": reference}
            yield Fault(pointer, text, _("Check the spelling, or add that part."))


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
