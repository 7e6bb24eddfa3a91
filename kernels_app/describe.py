"""A kernel's schema as a table that people read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from kernels_app import schema as schemas


@dataclass(frozen=True)
class Parameter:
    """One row. `range` and `default` are texts; `default` is None where there is none."""

    name: str
    title: str
    kind: str
    range: str
    default: str | None
    unit: str
    description: str
    is_required: bool
    is_advanced: bool
    is_batchable: bool


def parameters(schema: dict[str, Any]) -> list[Parameter]:
    """The training parameters in the schema's own order, in the language of the request."""
    root = schemas.params_schema(schema)
    required = root.get("required", [])
    batchable = schemas.resolve(schema.get("properties", {}).get("batchable_params"), schema).get("properties", {})
    found = []
    for name, part in root.get("properties", {}).items():
        resolved = schemas.resolve(part, schema)
        found.append(
            Parameter(
                name=name,
                title=schemas.title(resolved, name),
                kind=kind(resolved),
                range=limits(resolved),
                default=shown(resolved["default"]) if "default" in resolved else None,
                unit=schemas.unit(resolved),
                description=schemas.description(resolved),
                is_required=name in required,
                is_advanced=bool(resolved.get("x-advanced")),
                is_batchable=name in batchable,
            )
        )
    return found


def operations(names: list[str]) -> list[str]:
    """What a kernel can be asked for, in words."""
    words = {"training": _("training"), "validation": _("validation"), "inference": _("inference")}
    words["preprocessing"] = _("preprocessing")
    return [words.get(name, name) for name in names]


def kind(part: dict[str, Any]) -> str:
    """What kind of value it takes, in a word."""
    words = {
        "integer": _("whole number"),
        "number": _("number"),
        "string": _("text"),
        "boolean": _("yes or no"),
        "array": _("list"),
        "object": _("group"),
        "null": _("nothing"),
    }
    given = part.get("type")
    if "enum" in part:
        return _("choice")
    if isinstance(given, list):
        return _(" or ").join(words.get(str(one), str(one)) for one in given)
    return words.get(str(given), _("any value")) if given else _("any value")


def limits(part: dict[str, Any]) -> str:
    """What is allowed: "1 to 1,000", "more than 0, at most 1", "auto, off, bf16"; "" where all is."""
    if "const" in part:
        return _("always %(value)s") % {"value": shown(part["const"])}
    if isinstance(part.get("enum"), list):
        return ", ".join(shown(value) for value in part["enum"])
    low, high = part.get("minimum"), part.get("maximum")
    above, below = part.get("exclusiveMinimum"), part.get("exclusiveMaximum")
    texts = []
    if low is not None and high is not None and above is None and below is None:
        texts.append(_("%(low)s to %(high)s") % {"low": shown(low), "high": shown(high)})
    else:
        texts += [_("at least %(n)s") % {"n": shown(low)}] if low is not None else []
        texts += [_("more than %(n)s") % {"n": shown(above)}] if above is not None else []
        texts += [_("at most %(n)s") % {"n": shown(high)}] if high is not None else []
        texts += [_("less than %(n)s") % {"n": shown(below)}] if below is not None else []
    if part.get("multipleOf") is not None:
        texts.append(_("in steps of %(n)s") % {"n": shown(part["multipleOf"])})
    return ", ".join(texts + _lengths(part))


def as_json(schema: dict[str, Any]) -> str:
    """The whole document, indented, Korean as Korean."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def shown(value: Any) -> str:
    """A value in words; numbers exact, with separators."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return value or _("empty")
    return json.dumps(value, ensure_ascii=False)


def _lengths(part: dict[str, Any]) -> list[str]:
    texts = {
        "minLength": _("length at least %(n)s"),
        "maxLength": _("length at most %(n)s"),
        "minItems": _("number of entries at least %(n)s"),
        "maxItems": _("number of entries at most %(n)s"),
    }
    found = [text % {"n": shown(part[key])} for key, text in texts.items() if isinstance(part.get(key), int)]
    if isinstance(part.get("pattern"), str):
        found.append(_("matches %(pattern)s") % {"pattern": part["pattern"]})
    return found
