"""The sections of a schema that the portal alone reads: operations, devices, what may vary, which metric counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from kernels_app.contract import OPERATIONS
from kernels_app.references import resolve
from kernels_app.schema.document import params_schema

RESERVED = ("live_model",)  # known, for later
GOALS = ("min", "max")

Found = tuple[str, str, str]  # pointer, sentence, how to mend it


def faults(schema: dict[str, Any]) -> Iterator[Found]:
    properties = schema["properties"]
    yield from _operations(properties.get("supported_operations"))
    yield from _devices(resolve(properties.get("supported_gpu_count"), schema))
    yield from _codes(resolve(properties["model_type"], schema))
    yield from _params(schema)
    yield from _metrics(schema.get("x-metrics", []))


def _operations(section: Any) -> Iterator[Found]:
    if section is None:
        return
    found = section.get("const") if isinstance(section, dict) else section
    names = [part.strip() for part in found.split(",")] if isinstance(found, str) else found
    pointer, mend = "/properties/supported_operations", _('Write for example {"const": "training, validation"}.')
    if not isinstance(names, list) or not names:
        yield pointer, _("These are no operations."), mend
        return
    for name in names:
        if name not in (*OPERATIONS, *RESERVED):
            text = _("“%(name)s” is no operation; there are %(list)s.")
            yield pointer, text % {"name": name, "list": ", ".join(OPERATIONS)}, mend


def _devices(section: dict[str, Any]) -> Iterator[Found]:
    low, high = section.get("minimum", 1), section.get("maximum", section.get("minimum", 1))
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in (low, high))
    if not whole or not 1 <= low <= high:
        text = _("The numbers of devices must be whole, from 1 on, the least no larger than the most.")
        yield "/properties/supported_gpu_count", text, _('Write for example {"minimum": 1, "maximum": 4}.')


def _codes(section: dict[str, Any]) -> Iterator[Found]:
    codes = section.get("enum", [section["const"]] if "const" in section else [])
    if any(not isinstance(code, str) or not code or any(map(str.isspace, code)) for code in codes):
        text = _("The codes of model types are texts without spaces.")
        yield "/properties/model_type", text, _("Leave the list out where any model type will do.")


def _params(schema: dict[str, Any]) -> Iterator[Found]:
    known = params_schema(schema).get("properties", {})
    varied = resolve(schema["properties"].get("batchable_params"), schema).get("properties", {})
    for name in varied if isinstance(varied, dict) else ():
        if name not in known:
            text = _("“%(name)s” may vary in a batch, but is no setting of training_params.")
            yield "/properties/batchable_params", text % {"name": name}, _("Check the spelling, or remove it.")


def _metrics(entries: Any) -> Iterator[Found]:
    mend = _('Write for example [{"file": "loss.csv", "column": "val_loss", "goal": "min", "primary": true}].')
    if not isinstance(entries, list):
        yield "/x-metrics", _("“x-metrics” is a list."), mend
        return
    for n, entry in enumerate(entries):
        named = isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("file", "column"))
        if not named or entry.get("goal") not in GOALS:
            yield f"/x-metrics/{n}", _("Each metric has “file”, “column” and “goal”, which is min or max."), mend
