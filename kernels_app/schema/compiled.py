"""A schema made ready once, for all requests that meet it: compiling costs more than checking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from kernels_app.schema.document import READ_ONLY


@dataclass(frozen=True, eq=False)
class Compiled:
    """`document`: a copy of the schema that nobody changes. `validator`: for all of `model.json`."""

    document: dict[str, Any]
    validator: Any


def compiled(schema: dict[str, Any]) -> Compiled:
    """The schema made ready; the same object as long as the schema says the same."""
    return _compiled(json.dumps(schema))


def validator(schema: dict[str, Any]) -> Any:
    """A validator that fetches nothing; sections that are only read do not count."""
    return compiled(schema).validator


@lru_cache(maxsize=64)
def _compiled(text: str) -> Compiled:
    kept = json.loads(text)
    for name in READ_ONLY:
        kept.get("properties", {}).pop(name, None)
    types = kept.get("properties", {}).get("trainable_image_type")
    if isinstance(types, list):  # the original's bare array of suffixes
        kept["properties"]["trainable_image_type"] = {"type": "array", "items": {"enum": types}}
    return Compiled(json.loads(text), _Validator(kept, registry=Registry()))


def _multiple_of(validator: Any, factor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """jsonschema's own; a whole number that is too large for its floats is reckoned exactly."""
    try:
        yield from _USUAL["multipleOf"](validator, factor, instance, schema) or ()
    except OverflowError:
        if Fraction(instance) % Fraction(repr(factor)):
            yield ValidationError(f"{instance!r} is not a multiple of {factor!r}")


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text, in linear time."""
    return bool(_expression(pattern).search(text.encode("utf-8", "replace")))


def extras(section: Any, instance: dict[str, Any]) -> list[str]:
    """The names that neither `properties` nor `patternProperties` of a section know."""
    known, patterns = section.get("properties", {}), section.get("patternProperties", {})
    return [key for key in instance if key not in known and not any(matches(one, key) for one in patterns)]


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> Any:
    return re2.compile(pattern.encode("utf-8", "replace"))


def _pattern(validator: Any, pattern: str, instance: Any, _section: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, parts: Any, instance: Any, _section: Any) -> Iterator[ValidationError]:
    for pattern, part in parts.items() if isinstance(instance, dict) else ():
        for key, value in instance.items():
            if matches(pattern, key):
                yield from validator.descend(value, part, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, section: Any) -> Iterator[ValidationError]:
    found = extras(section, instance) if isinstance(instance, dict) else []
    if isinstance(allowed, dict):
        for key in found:
            yield from validator.descend(instance[key], allowed, path=key)
    elif not allowed and found:
        yield ValidationError(f"{found!r} are not known")


_USUAL = Draft202012Validator.VALIDATORS
_Validator = extend(
    Draft202012Validator,
    {
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)
