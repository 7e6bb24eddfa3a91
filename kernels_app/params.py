"""Form fields out of a kernel's schema, and values back out of what was typed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from kernels_app import schema as schemas

PREFIX = "params."


@dataclass(frozen=True)
class ParamField:
    """One setting as the form shows it. `text`: what stands in the input; `kind`: which input that is."""

    name: str
    kind: str  # integer, number, string, boolean, enum, json
    title: str
    description: str
    text: str
    default: str
    hint: str
    unit: str
    required: bool
    advanced: bool
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def html_name(self) -> str:
        return PREFIX + self.name

    @property
    def is_changed(self) -> bool:
        return self.text != self.default


def fields(schema: dict[str, Any], texts: Mapping[str, str]) -> list[ParamField]:
    """The fields in the schema's order; `texts` by parameter name, the default where it says nothing."""
    section = schemas.params_schema(schema)
    required = set(section.get("required", []))
    found = []
    for name, part in section.get("properties", {}).items():
        resolved = schemas.resolve(part, schema)
        default = _default(resolved)
        found.append(_field(name, resolved, texts.get(name, default), default, name in required))
    return found


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Settings as the inputs show them."""
    return {name: to_text(value) for name, value in values.items()}


def typed(data: Mapping[str, str]) -> dict[str, str]:
    """What was typed, by parameter name, out of a request's data."""
    return {key.removeprefix(PREFIX): data[key] for key in data if key.startswith(PREFIX)}


def values(schema: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Settings out of what was typed. What is no value of its kind stays text, so that the check can quote it.

    An input that is not there at all has its default; an empty one means that the setting is absent. Names that the
    schema does not know are left out.
    """
    found: dict[str, Any] = {}
    for name, part in schemas.params_schema(schema).get("properties", {}).items():
        resolved = schemas.resolve(part, schema)
        text = texts.get(name, _default(resolved)).strip()
        if text:
            found[name] = _value(resolved, text)
    return found


def _default(part: Mapping[str, Any]) -> str:
    return to_text(part.get("default", part.get("const")))


def to_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def parse(text: str) -> Any:
    """A value out of JSON. What JSON cannot hold (NaN, 1e999) stays text, so that the check can quote it.

    Raises ValueError, RecursionError.
    """
    return json.loads(text, parse_constant=lambda name: name, parse_float=_finite)


def kind_of(part: Mapping[str, Any]) -> str:
    """Which input fits: what is none of the simple ones is typed as JSON."""
    if "enum" in part:
        return "enum" if all(isinstance(v, str | int | float | bool) for v in part["enum"]) else "json"
    kind = part.get("type")
    return kind if isinstance(kind, str) and kind in ("integer", "number", "string", "boolean") else "json"


def _finite(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _field(name: str, part: dict[str, Any], text: str, default: str, required: bool) -> ParamField:
    kind = kind_of(part)
    return ParamField(
        name=name,
        kind=kind,
        title=schemas.title(part, name),
        description=schemas.description(part),
        text=text,
        default=default,
        hint=_hint(part, default),
        unit=str(part.get("x-unit", "")),
        required=required,
        advanced=bool(part.get("x-advanced", False)),
        choices=tuple((to_text(v), to_text(v)) for v in part["enum"]) if kind == "enum" else (),
    )


def _hint(part: Mapping[str, Any], default: str) -> str:
    """Range and default, in one short line."""
    low, high = part.get("minimum"), part.get("maximum")
    limits = [
        (low is not None and high is not None, _("%(low)s to %(high)s")),
        (low is not None and high is None, _("at least %(low)s")),
        (low is None and high is not None, _("at most %(high)s")),
        ("exclusiveMinimum" in part, _("more than %(above)s")),
        ("exclusiveMaximum" in part, _("less than %(below)s")),
        (bool(default), _("default %(default)s")),
    ]
    words = {"true": _("Yes"), "false": _("No")}
    values = {
        "low": to_text(low),
        "high": to_text(high),
        "above": to_text(part.get("exclusiveMinimum")),
        "below": to_text(part.get("exclusiveMaximum")),
        "default": words.get(default, default) if part.get("type") == "boolean" else default,
    }
    return " · ".join(sentence % values for holds, sentence in limits if holds)


def _value(part: Mapping[str, Any], text: str) -> Any:
    kind = kind_of(part)
    if kind == "enum":
        return next((v for v in part["enum"] if to_text(v) == text), text)
    if kind == "string":
        return text
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        return text
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
