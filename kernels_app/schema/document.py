"""What stands where in a kernel's schema. Nothing here judges."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from django.utils.translation import get_language

from kernels_app.contract import TRAINING_TYPES
from kernels_app.references import resolve

PARAMS = "training_params"
READ_ONLY = ("supported_operations", "supported_gpu_count", "batchable_params")  # read, never written into model.json


def training_types(schema: dict[str, Any]) -> list[str]:
    section = schema["properties"]["training_type"]
    found = [section["const"]] if "const" in section else section.get("enum")
    return [code for code in found if code in TRAINING_TYPES] if isinstance(found, list) else []


def params_schema(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema.get("properties", {}).get(PARAMS, {})
    return resolve(found, schema)


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """The default of every parameter that has one (a const counts)."""
    found = {}
    for name, part in params_schema(schema).get("properties", {}).items():
        resolved = resolve(part, schema)
        if "default" in resolved:
            found[name] = copy.deepcopy(resolved["default"])
        elif "const" in resolved:
            found[name] = copy.deepcopy(resolved["const"])
    return found


def title(part: dict[str, Any], name: str) -> str:
    """The parameter's title in the language of the request."""
    return str(_local(part).get("title") or part.get("title") or name.replace("_", " "))


def description(part: dict[str, Any]) -> str:
    return str(_local(part).get("description") or part.get("description") or "")


def unit(part: dict[str, Any]) -> str:
    return str(_local(part).get("unit") or part.get("x-unit") or "")


def _local(part: dict[str, Any]) -> dict[str, Any]:
    found = part.get(f"x-{(get_language() or 'en')[:2]}")
    return found if isinstance(found, dict) else {}


def pointer_of(path: Iterable[Any]) -> str:
    """The JSON pointer of a path."""
    return "".join(f"/{escape(str(part))}" for part in path)


def escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
