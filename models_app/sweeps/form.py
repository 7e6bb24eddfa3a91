"""The batch card of the training form: a row for each parameter that may vary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from kernels_app import describe
from kernels_app import schema as schemas
from models_app.sweeps import axes
from models_app.sweeps.judge import Parameter, batchable
from models_app.sweeps.reading import LISTS, RANGE, Inputs

INPUTS = ("mode", "min", "max", "step", "count", "log", "values")


@dataclass(frozen=True)
class Choice:
    text: str
    label: str
    is_ticked: bool


@dataclass(frozen=True)
class AxisField:
    """One parameter as the card shows it, with its texts as typed.

    `kind`: integer, number, enum, boolean, string, json. `html`: by `mode`, `min`, … the name of the input.
    """

    name: str
    title: str
    kind: str
    hint: str
    unit: str
    mode: str
    html: dict[str, str]
    texts: dict[str, str]
    is_log: bool
    choices: tuple[Choice, ...] = ()

    @property
    def is_on(self) -> bool:
        return bool(self.mode)

    @property
    def is_number(self) -> bool:
        return self.kind in ("integer", "number")

    @property
    def modes(self) -> list[tuple[str, str]]:
        """What the switch offers: a key and its word."""
        ranges = [("range", _("Range"))] if self.is_number else []
        return [("", _("Off")), *ranges, ("list", _("List"))]

    @property
    def html_names(self) -> list[str]:
        """Every input that may have an error."""
        return [name for what, name in self.html.items() if what != "log"]


def axes_for_form(schema: dict[str, Any], data: Mapping[str, str]) -> list[AxisField]:
    """One for each parameter that may vary; none where the kernel lets none vary."""
    query = data if isinstance(data, QueryDict) else QueryDict()
    return [_field(parameter, Inputs(parameter, query)) for parameter in batchable(schema)]


def _field(parameter: Parameter, inputs: Inputs) -> AxisField:
    part, default = parameter.part, parameter.part.get("default")
    limits = describe.limits(part) if inputs.is_number else ""
    usual = _("default %(default)s") % {"default": describe.shown(default)} if default is not None else ""
    offered = LISTS + RANGE if inputs.is_number else LISTS
    return AxisField(
        name=parameter.name,
        title=parameter.title,
        kind=inputs.kind,
        hint=" · ".join(filter(None, [limits, usual])),
        unit=schemas.unit(part),
        mode=inputs.mode if inputs.mode in offered else "",
        html={what: inputs.name(what) for what in INPUTS},
        texts={what: inputs.text(what) for what in INPUTS},
        is_log=inputs.is_log,
        choices=_choices(inputs),
    )


def _choices(inputs: Inputs) -> tuple[Choice, ...]:
    if inputs.kind == "boolean":
        offered = [("true", _("Yes")), ("false", _("No"))]
    else:
        offered = [(axes.text_of(value), title) for value, title in axes.options(inputs.parameter.part)]
    return tuple(Choice(text, title, text in inputs.ticked) for text, title in offered)
