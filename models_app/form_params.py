"""The hyperparameters of the training form: as fields or as JSON, two views of one value, and what they start from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from kernels_app import fields, jsontext, schema
from kernels_app.models import Kernel
from models_app.models import Preset
from projects_app.models import ModelType, Project

VIEW, TEXT = "params_view", "params_json"  # "json" or nothing; the text of the JSON view
LONGEST, MOST_LINES = 100_000, 5_000  # of the text
LISTS = (fields.EXTRA_KEY, fields.EXTRA_VALUE)
UNKNOWN = ("additionalProperties", "unevaluatedProperties")  # rules that a setting breaks by its name


@dataclass(frozen=True)
class Place:
    """Where a complaint about the settings belongs: an input's name and, in the JSON view, its line from 1."""

    name: str
    line: int | None = None


@dataclass(frozen=True)
class Params:
    """What the form says of the settings. `problems`: what could not be read at all, it blocks the start.

    `rows`: the names of the settings without a field, as the page lists them."""

    kernel_schema: dict[str, Any]
    values: dict[str, Any]
    problems: list[schema.Problem] = field(default_factory=list)
    text: str = ""
    source: jsontext.JsonText | None = None  # None in the view of fields
    rows: tuple[str, ...] = ()

    @property
    def is_json(self) -> bool:
        return self.source is not None

    @property
    def is_unreadable(self) -> bool:
        """The JSON text is none: nothing can be said of the settings in it."""
        return self.source is not None and bool(self.problems)

    @property
    def lines(self) -> range:
        """The numbers of the lines of the text."""
        return range(1, min(self.text.count("\n"), MOST_LINES) + 2)

    def place(self, pointer: str, inputs: Sequence[fields.Field] = (), keyword: str = "") -> Place:
        """Of what `pointer` (in model.json) points to; `inputs`: what the page has, `keyword`: the broken rule."""
        if self.source is None:
            return Place(next(_covering(inputs, pointer), "") or self._row(pointer, keyword) or "params")
        fault = self.source.error
        return Place(TEXT, fault.line if fault else self.source.line_of_setting(pointer))

    def _row(self, pointer: str, keyword: str) -> str:
        """The input among the other settings, the last of that name: its name where that is wrong, else its value."""
        name = _top(pointer)
        found = [n for n, key in enumerate(self.rows) if key == name]
        if not found or not pointer.startswith(f"/{schema.PARAMS}/"):
            return ""
        is_name = keyword in UNKNOWN and pointer == schema.pointer_of((schema.PARAMS, name))
        return f"{fields.EXTRA_KEY if is_name else fields.EXTRA_VALUE}_{found[-1]}"


def row_places(rows: Sequence[Any]) -> list[str]:
    """Every input among the other settings that has room for a complaint."""
    return [f"{name}_{n}" for n in range(len(rows)) for name in LISTS]


def read(kernel_schema: dict[str, Any], data: QueryDict) -> Params:
    """What was typed, in whichever view."""
    if data.get(VIEW) == "json":
        return _read_text(kernel_schema, str(data.get(TEXT, "")))
    found = fields.decode(kernel_schema, data)
    return Params(kernel_schema, found.values, list(found.problems), rows=tuple(data.getlist(fields.EXTRA_KEY)))


def _read_text(kernel_schema: dict[str, Any], text: str) -> Params:
    if len(text) > LONGEST or text.count("\n") > MOST_LINES:
        long = jsontext.read(" " * 2)
        problem = schema.Problem(
            "", "", _("This is too long for settings: 100,000 characters and 5,000 lines at most.")
        )
        return Params(kernel_schema, {}, [problem], text, long)
    source = jsontext.read(text or "{}")
    if source.error:
        return Params(kernel_schema, {}, [schema.Problem("", "", source.error.message)], text, source)
    try:
        return Params(kernel_schema, jsontext.settings_of(source.value), [], text, source)
    except ValueError as error:
        return Params(kernel_schema, {}, [schema.Problem("", "", str(error))], text, source)


def _covering(inputs: Sequence[fields.Field], pointer: str) -> Iterator[str]:
    for one in inputs:
        yield from _covering(one.children, pointer)
        if one.covers(pointer):
            yield one.html_name


def complaints(found: Params) -> list[schema.Problem]:
    """What the schema says of the settings, in the names of the view that they are in."""
    label = None if found.is_json else fields.labels(found.kernel_schema)
    return schema.check_params(found.kernel_schema, found.values, label=label)


def as_text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False)


def put(data: QueryDict, kernel_schema: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Write `values` into the form's data, in the view that it is in."""
    if data.get(VIEW) == "json":
        data[TEXT] = as_text(values)
        return
    clear(data)
    for name, texts in fields.encode(kernel_schema, values).items():
        data.setlist(name, texts)


def clear(data: QueryDict) -> None:
    """Take every input of a setting out; what is set aside stays."""
    for name in list(data):
        if name.startswith((fields.PREFIX, fields.MODE)) or name in LISTS:
            del data[name]


def has_any(data: Mapping[str, Any]) -> bool:
    return any(name.startswith((fields.PREFIX, fields.MODE)) or name in (TEXT, *LISTS) for name in data)


def starting(project: Project, kernel: Kernel, model_type: ModelType | None) -> dict[str, Any]:
    """The schema's defaults, overlaid by the project's preset as far as it fits this version of the kernel."""
    found = fields.decode(kernel.schema, fields.fill_defaults(kernel.schema, QueryDict(mutable=True))).values
    preset = preset_of(project, kernel, model_type)
    return _fitting(kernel.schema, found | preset.params, found) if preset else found


def preset_of(project: Project, kernel: Kernel, model_type: ModelType | None) -> Preset | None:
    if model_type is None:
        return None
    found = Preset.objects.filter(project=project, kernel_name=kernel.name, model_type=model_type)
    return found.select_related("saved_by").first()


def _fitting(kernel_schema: dict[str, Any], wanted: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """`wanted` without the settings that break the schema; these are as `usual`."""
    bad = {_top(problem.pointer) for problem in schema.check_params(kernel_schema, wanted, allow_missing=True)}
    return {name: value for name, value in wanted.items() if name not in bad} | {
        name: usual[name] for name in bad if name in usual
    }


def _top(pointer: str) -> str:
    parts = pointer.removeprefix(f"/{schema.PARAMS}").split("/")
    return parts[1].replace("~1", "/").replace("~0", "~") if len(parts) > 1 else ""


def show_as(data: QueryDict, kernel_schema: dict[str, Any], view: str) -> str:
    """Change the view; what is wrong where it cannot be changed without losing what was typed."""
    found = read(kernel_schema, data)
    if found.problems:
        return _("This cannot be shown the other way while it cannot be read: mend it first.")
    if view == "json":
        put_aside(data, dict(aside_values(data)) | fields.decode(kernel_schema, data).aside)
    data[VIEW] = view
    if view != "json":
        data.pop(TEXT, None)
    else:
        clear(data)
    put(data, kernel_schema, found.values)
    return ""


def change_kernel(data: QueryDict, before: Kernel, after: Kernel) -> None:
    """Another kernel: what was typed and fits stays, what stood at the old default takes the new one, the rest is
    set aside. A JSON text that cannot be read stays as it is."""
    if data.get(VIEW) == "json":
        found = read(before.schema, data)
        if found.problems:
            return
        as_fields = data.copy()
        as_fields.pop(VIEW, None)
        put(as_fields, before.schema, found.values)
        moved = fields.move(before.schema, after.schema, as_fields)
        after_move = fields.decode(after.schema, _query(moved.data))
        data[TEXT] = as_text(after_move.values)
        put_aside(data, moved.aside | after_move.aside)
        return
    else:
        moved = fields.move(before.schema, after.schema, data)
        clear(data)
        for name, texts in moved.data.items():
            data.setlist(name, texts)
    put_aside(data, moved.aside)


def put_aside(data: QueryDict, aside: Mapping[str, Any]) -> None:
    data.setlist(fields.ASIDE_KEY, list(aside))
    data.setlist(fields.ASIDE_VALUE, [json.dumps(value, ensure_ascii=False) for value in aside.values()])


def aside(data: QueryDict) -> list[tuple[str, str]]:
    """(name, JSON text) of what is set aside."""
    return list(zip(data.getlist(fields.ASIDE_KEY), data.getlist(fields.ASIDE_VALUE), strict=False))


def aside_values(data: QueryDict) -> Iterator[tuple[str, Any]]:
    for name, text in aside(data):
        found = jsontext.read(text)
        if not found.error:
            yield name, found.value


def extras(data: QueryDict) -> list[tuple[str, str]]:
    """(name, JSON text) of the settings that the schema has no field for."""
    return list(zip(data.getlist(fields.EXTRA_KEY), data.getlist(fields.EXTRA_VALUE), strict=False))


def _query(lists: Mapping[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, texts in lists.items():
        data.setlist(name, texts)
    return data
