"""Graphs out of the log of a program that knows no metrics files: patterns, each of which draws a graph.

Patterns run on re2, which cannot hang. A named group is a curve, but for `step`, which is the x axis; without it the
matches are counted. Without named groups the first group is the one curve, called as the graph.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import re2
from django.utils.translation import gettext as _

from jobs.metric_models import NAME_LIMIT

FILE = "log_metrics.json"  # in the run folder: the patterns, as the kernel's package has them
NAME = re.compile(r"[\w][\w .-]{0,63}")
MOST = 20  # patterns of one kernel
LONGEST = 1000  # bytes of a pattern
LINE = 4096  # bytes of a line that is looked at
STEP = "step"


@dataclass(frozen=True)
class Pattern:
    """One graph. `curves`: the group of each curve by its name; `step`: the group of x, 0 where matches are counted."""

    chart: str
    expression: Any = field(repr=False)
    curves: dict[str, int]
    step: int

    @property
    def columns(self) -> list[str]:
        return [STEP, *self.curves]

    def row(self, line: bytes, count: int) -> tuple[float, list[float | None]] | None:
        """x and a value a curve, where the line says some; `count`: how many did before."""
        found = self.expression.search(line[:LINE])
        if not found:
            return None
        values = [_number(found.group(place)) for place in self.curves.values()]
        x = _number(found.group(self.step)) if self.step else float(count + 1)
        return None if x is None or all(value is None for value in values) else (x, values)


def faults(entries: Any) -> list[str]:
    """What is wrong with `[[metrics]]` of a kernel.toml, a sentence each."""
    if not isinstance(entries, list) or len(entries) > MOST:
        return [_("[[metrics]] must be tables of name and regex, %(n)d at most") % {"n": MOST}]
    found = []
    for n, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or set(entry) != {"name", "regex"}:
            found.append(_("[[metrics]] %(n)d must have name and regex, and nothing else") % {"n": n})
        elif not isinstance(entry["name"], str) or not NAME.fullmatch(entry["name"]):
            text = _("[[metrics]] %(n)d: name must be a short text of letters, digits, spaces, dots and dashes")
            found.append(text % {"n": n})
        elif why := _bad(entry["regex"]):
            found.append(_("[[metrics]] %(n)d: regex %(why)s") % {"n": n, "why": why})
    names = [str(entry.get("name")) for entry in entries if isinstance(entry, dict)]
    twice = sorted({name for name in names if names.count(name) > 1})
    return found or [_("[[metrics]]: %(name)s is there twice") % {"name": name} for name in twice]


def patterns(entries: Any) -> tuple[Pattern, ...]:
    """Those that can be used."""
    return _patterns(json.dumps(entries)) if entries and not faults(entries) else ()


def keep(folder: Path, entries: Any) -> None:
    """Put the patterns into the run folder, where whoever reads the run finds them."""
    if patterns(entries):
        (folder / FILE).write_text(json.dumps(entries), encoding="utf-8")


def kept(folder: Path) -> tuple[Pattern, ...]:
    try:
        return patterns(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ()


@lru_cache(maxsize=64)
def _patterns(text: str) -> tuple[Pattern, ...]:
    return tuple(_pattern(entry["name"], entry["regex"]) for entry in json.loads(text))


def _pattern(chart: str, regex: str) -> Pattern:
    """Raises re2.error."""
    expression = re2.compile(regex.encode())
    named = {name.decode(): int(place) for name, place in expression.groupindex.items()}
    step = named.pop(STEP, 0)
    first = next((n for n in range(1, expression.groups + 1) if n != step), 0)
    in_order = dict(sorted(named.items(), key=lambda item: item[1]))
    return Pattern(chart, expression, in_order or ({chart: first} if first else {}), step)


def _bad(regex: Any) -> str:
    if not isinstance(regex, str) or not regex or len(regex.encode("utf-8", "replace")) > LONGEST:
        return _("must be a text of %(n)d bytes at most") % {"n": LONGEST}
    try:
        curves = _pattern("", regex).curves
    except (re2.error, UnicodeEncodeError):
        return _("cannot be used (no look-around, no back-references)")
    if any(len(name) > NAME_LIMIT for name in curves):
        return _("has a group whose name is longer than %(n)d characters") % {"n": NAME_LIMIT}
    return "" if curves else _("needs a group around the number: loss=([0-9.]+)")


def _number(text: bytes | None) -> float | None:
    try:
        value = float(text.decode()) if text else math.nan
    except (ValueError, UnicodeDecodeError):
        return None
    return value if math.isfinite(value) else None
