"""The values that one parameter takes in a batch: listed, in even steps, or anywhere in a range.

Numbers are fractions until the end, so that 0.1 + 0.1 + 0.1 is 0.3.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from kernels_app import schema as schemas

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
NUMBER_LENGTH = 60  # characters
MAGNITUDE = 300  # powers of ten, either way: what a float holds with room to reckon
DIGITS = 6  # significant ones of a value that was reckoned, not typed


class Axis(Protocol):
    """`size`: how many values there are, None where they are endless. `is_log`: spread over powers."""

    @property
    def size(self) -> int | None: ...

    @property
    def is_log(self) -> bool: ...

    def __iter__(self) -> Iterator[Any]:
        """Every value in order; none where they are endless."""

    def draw(self, source: random.Random) -> Any:
        """One of them by chance."""


@dataclass(frozen=True)
class Listed:
    """Values that stand there one by one."""

    values: tuple[Any, ...]
    is_log: bool = False

    @property
    def size(self) -> int | None:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def draw(self, source: random.Random) -> Any:
        return source.choice(self.values)


@dataclass(frozen=True)
class Stepped:
    """`low`, `low + step` … up to `high`: reckoned one by one, since there may be very many."""

    low: Fraction
    high: Fraction
    step: Fraction
    is_whole: bool
    is_log: bool = False

    @property
    def size(self) -> int | None:
        return math.floor((self.high - self.low) / self.step) + 1

    def __iter__(self) -> Iterator[Any]:
        return (self._at(n) for n in range(self.size or 0))

    def draw(self, source: random.Random) -> Any:
        last = (self.size or 1) - 1
        if not self.is_log:
            return self._at(source.randint(0, last))
        near = (Fraction(_between(self.low, self.high, source.random(), is_log=True)) - self.low) / self.step
        return self._at(min(max(round(near), 0), last))

    def _at(self, n: int) -> Any:
        return plain(self.low + n * self.step, is_whole=self.is_whole)


@dataclass(frozen=True)
class Anywhere:
    """Any number from `low` to `high`: only for drawing."""

    low: Fraction
    high: Fraction
    is_log: bool = False
    size: int | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def draw(self, source: random.Random) -> Any:
        exact = _between(self.low, self.high, source.random(), is_log=self.is_log)
        found = rounded(exact, _digits_for(self.low, self.high))
        return min(max(found, float(self.low)), float(self.high))


def spaced(low: Fraction, high: Fraction, count: int, *, grid: Fraction | None, is_log: bool) -> list[Any]:
    """`count` values from `low` to `high`, evenly or by powers; on `grid` (a number for whole ones: fewer fit then)."""
    parts = [n / (count - 1) for n in range(1, count - 1)] if count > 1 else []
    if grid is None:
        digits = _digits_for(low, high) if is_log else 12
        inner = [rounded(_between(low, high, part, is_log=is_log), digits) for part in parts]
        return unique([float(low), *inner, *([float(high)] if count > 1 else [])])
    first, last = snapped(low, grid, up=True), snapped(high, grid, up=False)
    exact = [Fraction(_between(low, high, part, is_log=is_log)) for part in parts]
    near = [min(max(math.floor(value / grid + Fraction(1, 2)) * grid, first), last) for value in exact]
    whole = grid.denominator == 1
    return unique([plain(value, is_whole=whole) for value in [first, *near, *([last] if count > 1 else [])]])


def powers(low: Fraction, high: Fraction, factor: Fraction, *, grid: Fraction | None, most: int) -> list[Any] | None:
    """`low`, `low × factor` … up to `high`; None where there are more than `most`."""
    if (math.log(float(high)) - math.log(float(low))) / math.log1p(float(factor - 1)) > most:
        return None
    exact = [low]
    while (value := exact[-1] * factor) <= high:
        exact.append(value)
    if grid is None:
        return unique([rounded(float(value), 12) for value in exact])
    near = [math.floor(value / grid + Fraction(1, 2)) * grid for value in exact]
    return unique([plain(value, is_whole=grid.denominator == 1) for value in near])


def number(text: str) -> Fraction | None:
    """The number that stands there, exactly; None where it is none or beyond all reason."""
    if len(text) > NUMBER_LENGTH or not NUMBER.fullmatch(text):
        return None
    exponent = text.lower().partition("e")[2]
    if exponent and len(exponent.lstrip("+-0")) > 4:
        return None
    value = Decimal(text)
    return Fraction(value) if not value or abs(value.adjusted()) <= MAGNITUDE else None


def plain(value: Fraction, *, is_whole: bool) -> int | float:
    """As JSON has it."""
    return int(value) if is_whole and value.denominator == 1 else float(value)


def snapped(value: Fraction, grid: Fraction, *, up: bool) -> Fraction:
    """The next multiple of `grid`."""
    return (math.ceil(value / grid) if up else math.floor(value / grid)) * grid


def rounded(value: float, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}")


def unique(values: Sequence[Any]) -> list[Any]:
    """Each value once, in order; true is not 1."""
    found: dict[str, Any] = {}
    for value in values:
        found.setdefault(as_key(value), value)
    return list(found.values())


def as_key(value: Any) -> str:
    """Equal for what a kernel would see as the same value: 1 and 1.0, but not true."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value)) if is_number and abs(value) < 2**53 else json.dumps(value, sort_keys=True)


def text_of(value: Any) -> str:
    """A value as a form and a table show it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return json.dumps(value, ensure_ascii=False)


def grid_of(part: dict[str, Any]) -> Fraction | None:
    """The distance of the values that a number may have, where it may not have all."""
    step = part.get("multipleOf")
    given = number(repr(step)) if isinstance(step, int | float) and not isinstance(step, bool) else None
    if given is not None and given > 0:
        return given
    return Fraction(1) if kind_of(part) == "integer" else None


def kind_of(part: dict[str, Any]) -> str:
    """`enum`, `boolean`, `integer`, `number`, `string` or `json`; a type that may also be null is its own kind."""
    if options(part):
        return "enum"
    given = part.get("type")
    kinds = [kind for kind in (given if isinstance(given, list) else [given]) if kind != "null"]
    return str(kinds[0]) if kinds in (["boolean"], ["integer"], ["number"], ["string"]) else "json"


def options(part: dict[str, Any]) -> list[tuple[Any, str]]:
    """The values of an enum, or of a `oneOf` of constants, with their titles."""
    if isinstance(part.get("enum"), list):
        return [(value, text_of(value)) for value in part["enum"]]
    cases = part.get("oneOf")
    if isinstance(cases, list) and cases and all(isinstance(case, dict) and "const" in case for case in cases):
        return [(case["const"], schemas.title(case, text_of(case["const"]))) for case in cases]
    return []


def _between(low: Fraction, high: Fraction, part: float, *, is_log: bool) -> float:
    if is_log:
        first, last = math.log(float(low)), math.log(float(high))
        return math.exp(first + (last - first) * part)
    return float(low + (high - low) * Fraction(part).limit_denominator(10**9))


def _digits_for(low: Fraction, high: Fraction) -> int:
    """Few, that names stay short, but more in a narrow range."""
    widest = max(abs(low), abs(high))
    return DIGITS if not widest or (high - low) / widest > Fraction(1, 1000) else 12
