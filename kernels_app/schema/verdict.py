"""Does a `model.json` satisfy its kernel's schema, and what is said where it does not."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from kernels_app.references import resolve
from kernels_app.schema.compiled import compiled
from kernels_app.schema.document import PARAMS, params_schema, training_types
from kernels_app.schema.explain import Words
from kernels_app.schema.words import Label, Problem

MOST = 200  # problems of one document: who mends these sees the next
MISSING = ("required", "dependentRequired")


def check(schema: dict[str, Any], document: dict[str, Any], label: Label | None = None) -> list[Problem]:
    """Everything that is wrong with a `model.json`, a sentence each, in the order of the schema's parameters.

    `label`: names a setting for who sees no keys, such as `fields.labels`."""
    ready = compiled(schema)
    words = Words(ready.document, document, label)
    try:
        every = (problem for error in ready.validator.iter_errors(document) for problem in words.of(error))
        found = list(islice(every, MOST))
    except RecursionError:
        return [Problem(f"/{PARAMS}", "", _("The kernel's schema refers to itself without end."))]
    order = {name: n for n, name in enumerate(params_schema(ready.document).get("properties", {}))}
    found.sort(key=lambda problem: (order.get(_top(problem.pointer), len(order)), problem.pointer))
    return list(dict.fromkeys(found))


def check_params(
    schema: dict[str, Any], params: dict[str, Any], *, allow_missing: bool = False, label: Label | None = None
) -> list[Problem]:
    """What is wrong with the parameters alone."""
    types = training_types(schema)
    codes = resolve(schema["properties"]["model_type"], schema).get("enum") or ["MODEL"]
    document = {"training_type": types[0], "model_type": codes[0], PARAMS: params}
    found = [problem for problem in check(schema, document, label) if problem.pointer.startswith(f"/{PARAMS}")]
    return [p for p in found if not (allow_missing and p.keyword in MISSING and _top(p.pointer) not in params)]


def _top(pointer: str) -> str:
    """The name of the parameter that a pointer leads into, or "" where it is none."""
    parts = pointer.split("/")
    return parts[2].replace("~1", "/").replace("~0", "~") if len(parts) > 2 and parts[1] == PARAMS else ""
