"""One parameter's inputs in the batch card: read into an axis, or into sentences that say what is allowed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from kernels_app import fields, schema
from models_app.model_json import is_keepable
from models_app.sweeps import axes
from models_app.sweeps.axes import Anywhere, Axis, Listed, Stepped
from models_app.sweeps.judge import Judge, Parameter

PREFIX = "batch."
RANGE, LISTS = ("range",), ("list",)
LIST_MOST = 1000  # values of one parameter that are kept one by one
STEPS_MOST = 10**9  # steps of one range
SAID = 3  # complaints of one list; more do not help


@dataclass
class Problems:
    """(input, sentence) of what is wrong."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, label: str, sentence: str, **values: str) -> None:
        """`label`: what the input is called; `sentence`: what it must be or lacks."""
        self.found.append((name, schema.about(label, sentence % values if values else sentence)))


@dataclass(frozen=True)
class Inputs:
    """What stands in one parameter's inputs."""

    parameter: Parameter
    data: QueryDict

    def name(self, what: str) -> str:
        return f"{PREFIX}{self.parameter.name}.{what}"

    def text(self, what: str) -> str:
        return self.data.get(self.name(what), "").strip()

    @property
    def mode(self) -> str:
        return self.text("mode")

    @property
    def is_fresh(self) -> bool:
        """Whether nobody has seen these inputs yet."""
        return self.name("mode") not in self.data

    @cached_property
    def kind(self) -> str:
        return axes.kind_of(self.parameter.part)

    @property
    def is_number(self) -> bool:
        return self.kind in ("integer", "number")

    @property
    def is_log(self) -> bool:
        return bool(self.parameter.part.get("x-log")) if self.is_fresh else bool(self.text("log"))

    def label(self, what: str, path: Sequence[Any] = ()) -> str:
        """One of the inputs as the card names it: "Learning rate › From". `path`: into the value that stands in it."""
        return fields.joined([self.parameter.title, boxes()[what], *fields.entries(path)])

    def say(self, problems: Problems, what: str, sentence: str, **values: str) -> None:
        """What is wrong with one input."""
        problems.add(self.name(what), self.label(what), sentence, **values)

    def judged(self, what: str, judge: Judge, value: Any) -> list[str]:
        """What the schema says of a value out of one input."""
        return list(judge.complaints(self.parameter.name, value, lambda path: self.label(what, path[2:])))

    @property
    def ticked(self) -> list[str]:
        return self.data.getlist(self.name("values"))


def boxes() -> dict[str, str]:
    """What the inputs of a parameter are called."""
    return {
        "min": _("From"), "max": _("To"), "step": _("Step"), "count": _("How many"), "values": _("Values"),
    }  # fmt: skip


def quoted(text: str) -> str:
    """What stands in an input as every complaint quotes it: a number as it is, any other text in quotes."""
    return text if axes.number(text) is not None else schema.shown(text)


# --- lists -----------------------------------------------------------------------------------------------------------


def read_list(inputs: Inputs, judge: Judge, problems: Problems) -> Axis | None:
    """The values that stand there, each once; None where one of them is wrong."""
    texts = inputs.ticked if inputs.kind in ("enum", "boolean") else _parts(inputs)
    if not texts:
        inputs.say(problems, "values", _("must have at least one value"))
        return None
    if len(texts) > LIST_MOST:
        inputs.say(problems, "values", _("may list at most %(most)s values"), most=f"{LIST_MOST:,}")
        return None
    parsed = [_value(inputs, text) for text in texts]
    if not all(map(is_keepable, parsed)):
        inputs.say(problems, "values", _("holds characters that cannot be kept"))
        return None
    values = axes.unique(parsed)
    wrong = [sentence for value in values for sentence in inputs.judged("values", judge, value)]
    problems.found += [(inputs.name("values"), sentence) for sentence in wrong[:SAID]]
    return None if wrong else Listed(tuple(values), _is_spread(inputs, values))


def _is_spread(inputs: Inputs, values: list[Any]) -> bool:
    """Whether a list of numbers is better drawn by powers."""
    is_positive = all(isinstance(value, int | float) and value > 0 for value in values)
    return bool(inputs.parameter.part.get("x-log")) and is_positive


def _parts(inputs: Inputs) -> list[str]:
    """Between commas or line ends; JSON, which has commas of its own, one a line."""
    text = inputs.text("values")
    lines = text.splitlines() if inputs.kind == "json" else text.replace("\n", ",").split(",")
    return [part.strip() for part in lines if part.strip()]


def _value(inputs: Inputs, text: str) -> Any:
    """What is no value of its kind stays text, so that the check can quote it."""
    if inputs.kind == "enum":
        return next(
            (value for value, _title in axes.options(inputs.parameter.part) if axes.text_of(value) == text), text
        )
    if inputs.kind == "string":
        return text
    if inputs.is_number and (exact := axes.number(text)) is not None:
        is_whole = inputs.kind == "integer" or not set(".eE") & set(text)
        return axes.plain(exact, is_whole=is_whole)
    try:
        return json.loads(text, parse_constant=str, parse_int=_int, parse_float=_float)
    except (ValueError, RecursionError):
        return text


def _int(text: str) -> int | str:
    return int(text) if len(text) <= axes.NUMBER_LENGTH else text


def _float(text: str) -> float | str:
    return float(text) if axes.number(text) is not None else text


# --- ranges ----------------------------------------------------------------------------------------------------------


def read_range(inputs: Inputs, judge: Judge, problems: Problems, is_drawn: bool) -> Axis | None:
    """The values from min to max; None where they cannot be told. `is_drawn`: they need no step then."""
    before = len(problems.found)
    low, high = (_bound(inputs, what, judge, problems) for what in ("min", "max"))
    if low is None or high is None:
        return None
    if low > high:
        text = _("must be at least “%(box)s” (%(limit)s); you gave %(given)s")
        limit, given = inputs.text("min"), inputs.text("max")
        inputs.say(problems, "max", text, box=boxes()["min"], limit=limit, given=given)
    if inputs.is_log and low <= 0:
        text = _("must be more than 0 on a log scale; you gave %(given)s")
        inputs.say(problems, "min", text, given=inputs.text("min"))
    if inputs.text("step") and inputs.text("count"):
        inputs.say(problems, "count", _("must be empty while “%(box)s” is filled in"), box=boxes()["step"])
    if len(problems.found) > before:
        return None
    return _between(inputs, problems, low, high, is_drawn)


def _between(inputs: Inputs, problems: Problems, low: Fraction, high: Fraction, is_drawn: bool) -> Axis | None:
    grid = axes.grid_of(inputs.parameter.part)
    if inputs.text("count"):
        return _counted(inputs, problems, low, high, grid)
    if inputs.text("step"):
        return _stepped(inputs, problems, low, high, grid)
    if low == high:
        return Listed((axes.plain(low, is_whole=inputs.kind == "integer"),))
    if grid is not None:
        return _even(inputs, problems, low, high, grid)
    if is_drawn:
        return Anywhere(low, high, inputs.is_log)
    inputs.say(problems, "step", _("or “%(box)s” is needed"), box=boxes()["count"])
    return None


def _bound(inputs: Inputs, what: str, judge: Judge, problems: Problems) -> Fraction | None:
    text = inputs.text(what)
    exact = axes.number(text)
    if exact is None:
        sentence = _("must be a number; you gave %(given)s") if text else _("is empty: a number is needed")
        inputs.say(problems, what, sentence, given=quoted(text))
        return None
    value = axes.plain(exact, is_whole=True if inputs.kind == "integer" else exact.denominator == 1)
    wrong = inputs.judged(what, judge, value)
    problems.found += [(inputs.name(what), sentence) for sentence in wrong]
    return None if wrong else exact


def _counted(inputs: Inputs, problems: Problems, low: Fraction, high: Fraction, grid: Fraction | None) -> Axis | None:
    text = inputs.text("count")
    count = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0
    if not 1 <= count <= LIST_MOST:
        sentence = _("must be a whole number from %(low)s to %(high)s; you gave %(given)s")
        inputs.say(problems, "count", sentence, low="1", high=f"{LIST_MOST:,}", given=quoted(text))
        return None
    return Listed(tuple(axes.spaced(low, high, count, grid=grid, is_log=inputs.is_log)), inputs.is_log)


def _stepped(inputs: Inputs, problems: Problems, low: Fraction, high: Fraction, grid: Fraction | None) -> Axis | None:
    """On a log scale the step is a factor."""
    text = inputs.text("step")
    step = axes.number(text)
    if inputs.is_log:
        if step is None or step <= 1:
            sentence = _("must be a factor above 1 on a log scale; you gave %(given)s")
            inputs.say(problems, "step", sentence, given=quoted(text))
            return None
        found = axes.powers(low, high, step, grid=grid, most=LIST_MOST)
        if found is None:
            inputs.say(problems, "step", _("makes more than %(most)s values"), most=f"{LIST_MOST:,}")
        return Listed(tuple(found), is_log=True) if found else None
    if step is None or step <= 0:
        inputs.say(problems, "step", _("must be a number above 0; you gave %(given)s"), given=quoted(text))
        return None
    if grid is not None and (step / grid).denominator != 1:
        sentence = _("must be a multiple of %(limit)s; you gave %(given)s")
        inputs.say(problems, "step", sentence, limit=_shown(grid), given=text)
        return None
    return _even(inputs, problems, low, high, step)


def _even(inputs: Inputs, problems: Problems, low: Fraction, high: Fraction, step: Fraction) -> Axis | None:
    if (high - low) / step >= STEPS_MOST:
        inputs.say(problems, "step", _("makes more than %(most)s values"), most=f"{STEPS_MOST:,}")
        return None
    return Stepped(low, high, step, inputs.kind == "integer", inputs.is_log)


def _shown(value: Fraction) -> str:
    return axes.text_of(axes.plain(value, is_whole=True))
