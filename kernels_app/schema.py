"""A kernel's schema: is it one, what are its defaults, and does `model.json` satisfy it, in words for people.

The verdict is jsonschema's (draft 2020-12); nothing is ever fetched, and patterns run on re2, which cannot hang.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import re2
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from kernels_app.contract import TRAINING_TYPES

PARAMS = "training_params"
READ_ONLY = ("supported_operations", "supported_gpu_count", "batchable_params")  # read, never written into model.json
STRING_LIMIT = 10_000


@dataclass(frozen=True)
class Fault:
    """What is wrong with a schema: a JSON pointer and a sentence."""

    pointer: str
    message: str


@dataclass(frozen=True)
class Problem:
    """What is wrong with a value. `name`: the parameter it belongs to ("" for the document itself)."""

    pointer: str
    name: str
    message: str


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance[:STRING_LIMIT]):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})


def validator(schema: dict[str, Any]) -> Any:
    """A validator that fetches nothing; sections that are only read do not count."""
    kept = copy.deepcopy(schema)
    for name in READ_ONLY:
        kept.get("properties", {}).pop(name, None)
    types = kept.get("properties", {}).get("trainable_image_type")
    if isinstance(types, list):  # the original's bare array of suffixes
        kept["properties"]["trainable_image_type"] = {"type": "array", "items": {"enum": types}}
    return _Validator(kept, registry=Registry())


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
        return [Fault(_pointer(error.absolute_path), error.message)]
    if lost := list(_lost_references(validator(schema).schema)):
        return lost
    return [_default_fault(problem) for problem in check_params(schema, defaults(schema), allow_missing=True)]


def training_types(schema: dict[str, Any]) -> list[str]:
    section = schema["properties"]["training_type"]
    found = [section["const"]] if "const" in section else section.get("enum", [])
    return [code for code in found if code in TRAINING_TYPES]


def params_schema(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema.get("properties", {}).get(PARAMS, {})
    return resolve(found, schema)


def resolve(part: Any, root: dict[str, Any]) -> dict[str, Any]:
    """`part` with its own `$ref` (within the document) put in; {} where it is no schema."""
    seen = 0
    while isinstance(part, dict) and isinstance(part.get("$ref"), str) and seen < 20:
        target: Any = root
        for step in part["$ref"].removeprefix("#").strip("/").split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            target = target.get(step) if isinstance(target, dict) else None
        rest = {key: value for key, value in part.items() if key != "$ref"}
        part = {**target, **rest} if isinstance(target, dict) else rest
        seen += 1
    return part if isinstance(part, dict) else {}


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """The default of every parameter that has one (a const counts)."""
    found = {}
    for name, part in params_schema(schema).get("properties", {}).items():
        resolved = resolve(part, schema)
        if "default" in resolved:
            found[name] = copy.deepcopy(resolved["default"])
        elif "const" in resolved:
            found[name] = resolved["const"]
    return found


def check(schema: dict[str, Any], document: dict[str, Any]) -> list[Problem]:
    """Everything that is wrong with a `model.json`, a sentence each."""
    names = sorted(params_schema(schema).get("properties", {}))
    found: list[Problem] = []
    try:
        errors = sorted(validator(schema).iter_errors(document), key=lambda e: [str(p) for p in e.absolute_path])
    except RecursionError:
        return [Problem(f"/{PARAMS}", "", _("The kernel's schema refers to itself without end."))]
    for error in errors:
        for problem in _explain(error, names):
            if problem not in found:
                found.append(problem)
    return found


def check_params(schema: dict[str, Any], params: dict[str, Any], *, allow_missing: bool = False) -> list[Problem]:
    """What is wrong with the parameters alone."""
    types = training_types(schema)
    codes = resolve(schema["properties"]["model_type"], schema).get("enum") or ["MODEL"]
    document = {"training_type": types[0], "model_type": codes[0], PARAMS: params}
    found = [problem for problem in check(schema, document) if problem.pointer.startswith(f"/{PARAMS}")]
    return [p for p in found if not (allow_missing and p.name and p.name not in params)]


def title(part: dict[str, Any], name: str) -> str:
    """The parameter's title in the language of the request."""
    return str(_local(part).get("title") or part.get("title") or name.replace("_", " "))


def description(part: dict[str, Any]) -> str:
    return str(_local(part).get("description") or part.get("description") or "")


def _local(part: dict[str, Any]) -> dict[str, Any]:
    found = part.get(f"x-{(get_language() or 'en')[:2]}")
    return found if isinstance(found, dict) else {}


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
    for key, value in node.items():
        if key in ("$ref", "$dynamicRef") and isinstance(value, str) and not value.startswith("#"):
            yield (
                f"{pointer}/{key}",
                _("Only references within the schema are allowed; this is “%(ref)s”.") % {"ref": value},
            )
        if key == "pattern" and isinstance(value, str) and not _is_safe(value):
            yield f"{pointer}/{key}", _("This pattern cannot be used (no look-around, no back-references).")
        yield from _refusals(value, f"{pointer}/{_escape(key)}", depth + 1)


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
            if key == "$ref" and isinstance(value, str):
                yield f"{pointer}/$ref", value
            yield from _references(value, f"{pointer}/{_escape(key)}")


def _is_safe(pattern: str) -> bool:
    try:
        re2.compile(pattern)
    except re2.error:
        return False
    return True


def _explain(error: ValidationError, names: list[str]) -> Iterable[Problem]:
    path = list(error.absolute_path)
    pointer = _pointer(path)
    name = str(path[1]) if len(path) > 1 and path[0] == PARAMS else ""
    label = ".".join(str(part) for part in path[1:]) if name else ".".join(map(str, path))
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        for key in missing:
            where = ".".join(filter(None, [label if name else "", key]))
            yield Problem(f"{pointer}/{_escape(key)}", name or key, _("%(name)s is required.") % {"name": where})
    elif error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(known)):
            yield Problem(f"{pointer}/{_escape(key)}", name or key, _unknown(key, known))
    else:
        yield Problem(pointer, name, f"{label}: {_sentence(error)}" if label else _sentence(error))


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        text = _("“%(key)s” is not a setting of this kernel; did you mean “%(near)s”?")
        return text % {"key": key, "near": near[0]}
    return _("“%(key)s” is not a setting of this kernel.") % {"key": key}


def _sentence(error: ValidationError) -> str:
    """What is allowed and what was given."""
    value, given = error.validator_value, _shown(error.instance)
    sentences = {
        "minimum": _("must be at least %(limit)s; you gave %(given)s"),
        "exclusiveMinimum": _("must be more than %(limit)s; you gave %(given)s"),
        "maximum": _("must be at most %(limit)s; you gave %(given)s"),
        "exclusiveMaximum": _("must be less than %(limit)s; you gave %(given)s"),
        "multipleOf": _("must be a multiple of %(limit)s; you gave %(given)s"),
        "enum": _("must be one of %(limit)s; you gave %(given)s"),
        "const": _("must be %(limit)s; you gave %(given)s"),
        "type": _("must be %(limit)s; you gave %(given)s"),
        "minLength": _("must have at least %(limit)s characters; you gave %(given)s"),
        "maxLength": _("must have at most %(limit)s characters; you gave %(given)s"),
        "pattern": _("must match the pattern %(limit)s; you gave %(given)s"),
        "minItems": _("must have at least %(limit)s entries; you gave %(given)s"),
        "maxItems": _("must have at most %(limit)s entries; you gave %(given)s"),
        "uniqueItems": _("must not hold the same value twice; you gave %(given)s"),
    }
    sentence = sentences.get(str(error.validator), _("does not fit the schema (%(limit)s); you gave %(given)s"))
    limit = str(error.validator) if error.validator not in sentences else _limit(str(error.validator), value)
    return sentence % {"limit": limit, "given": given}


def _limit(keyword: str, value: Any) -> str:
    if keyword == "type":
        words = {
            "integer": _("a whole number"), "number": _("a number"), "string": _("a text"), "boolean": _("yes or no"),
            "array": _("a list"), "object": _("an object"), "null": _("nothing (null)"),
        }  # fmt: skip
        kinds = [value] if isinstance(value, str) else value
        return _(" or ").join(words.get(kind, kind) for kind in kinds)
    return ", ".join(map(_shown, value)) if isinstance(value, list) else _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return _("nothing (null)")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if isinstance(value, int | float) else f"“{value}”"
    return text if len(text) <= 80 else f"{text[:77]}…"


def _pointer(path: Iterable[Any]) -> str:
    return "".join(f"/{_escape(str(part))}" for part in path)


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
