"""A batch as the form asks for it: which parameters vary, over which values, all of them or some by chance.

Inputs, for each parameter that may vary: `batch.<name>.mode` ("", "range", "list"), `.min`, `.max`, `.step`, `.count`,
`.log`, `.values`; and `batch_random`, `batch_seed`, `batch_keep`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice, product
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from models_app.sweeps.axes import Axis, as_key
from models_app.sweeps.form import AxisField, axes_for_form
from models_app.sweeps.judge import Judge, batchable
from models_app.sweeps.naming import names
from models_app.sweeps.preview import Preview, preview
from models_app.sweeps.reading import LISTS, PREFIX, RANGE, Inputs, Problems, quoted, read_list, read_range

__all__ = ["PREFIX", "AxisField", "SweepPlan", "axes_for_form", "names"]

FIELDS = ("batch_random", "batch_seed", "batch_keep")
LARGEST = 10**9  # of the whole numbers of those fields
POINTS = 10_000  # that are ever made at once, whatever is asked for
TRIES = 50  # for each point that is drawn, to find one that is not there yet


@dataclass(frozen=True)
class SweepPlan:
    """`axes`: by parameter the values it takes. `random`: how many points are drawn, None for all of them.

    `problems`: (input, sentence) of what is wrong; `texts`: what stands in `FIELDS`.
    """

    axes: dict[str, Axis] = field(default_factory=dict)
    random: int | None = None
    seed: int = 0
    keep_best: int | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)
    modes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, schema: dict[str, Any], data: QueryDict) -> SweepPlan:
        """The plan out of a form's data, whatever that holds."""
        problems = Problems()
        texts = {name: data.get(name, "").strip() for name in FIELDS}
        drawn = _whole(problems, "batch_random", texts["batch_random"], least=1)
        modes = {}
        axes: dict[str, Axis] = {}
        judge = Judge(schema) if (parameters := batchable(schema)) else None
        for parameter in parameters:
            inputs = Inputs(parameter, data)
            if judge is None or inputs.mode not in LISTS + RANGE:
                continue
            modes[parameter.name] = inputs.mode
            is_range = inputs.mode in RANGE and inputs.is_number
            is_drawn = bool(texts["batch_random"])
            axis = read_range(inputs, judge, problems, is_drawn) if is_range else read_list(inputs, judge, problems)
            if axis is not None:
                axes[parameter.name] = axis
        keep = _whole(problems, "batch_keep", texts["batch_keep"], least=1)
        seed = _whole(problems, "batch_seed", texts["batch_seed"], least=0) or 0
        plan = cls(axes, drawn, seed, keep, problems.found if modes else [], modes, texts)
        return plan._with_too_few() if modes else plan

    @property
    def is_on(self) -> bool:
        """Whether anything shall vary, rightly said or not."""
        return bool(self.modes)

    @property
    def count(self) -> int:
        """How many trainings it is; 0 while a parameter's values are not known."""
        if not self.axes or len(self.axes) < len(self.modes):
            return 0
        return self.random if self.random is not None else self.size or 0

    @property
    def size(self) -> int | None:
        """How many different trainings the ranges hold; None where they are endless."""
        found = 1
        for axis in self.axes.values():
            if axis.size is None:
                return None
            found *= axis.size
        return found

    @property
    def count_text(self) -> str:
        """The count as a person reads it."""
        return f"{self.count:,}" if self.count < 10**15 else f"{Decimal(self.count):.1e}"

    @property
    def factors(self) -> str:
        """“3 × 4”, where several parameters vary and all combinations run."""
        sizes = [axis.size for axis in self.axes.values()]
        if self.random is not None or len(sizes) < 2 or not self.count:
            return ""
        return " × ".join(f"{size:,}" for size in sizes)

    @property
    def previews(self) -> dict[str, Preview]:
        """By parameter the values that it takes, as far as they are known and right."""
        return {name: preview(axis) for name, axis in self.axes.items()}

    def points(self) -> list[dict[str, Any]]:
        """What varies, for each training; never more than POINTS, so look at `count` first."""
        if not self.count:
            return []
        found = self._drawn() if self.random is not None else self._all()
        return list(islice(found, POINTS))

    def _all(self) -> Iterator[dict[str, Any]]:
        """Every combination, the last parameter's values first."""
        kept = [list(islice(axis, POINTS)) for axis in self.axes.values()]
        return (dict(zip(self.axes, values, strict=True)) for values in product(*kept))

    def _drawn(self) -> Iterator[dict[str, Any]]:
        """Different points by chance, the same ones for the same seed; in the end whatever is left of them."""
        source = random.Random(self.seed)  # noqa: S311 (a draw that can be repeated, no secret)
        wanted = min(self.random or 0, POINTS)
        seen: set[str] = set()
        for _try in range(TRIES * wanted):
            if len(seen) == wanted:
                return
            point = {name: axis.draw(source) for name, axis in self.axes.items()}
            if (key := as_key(point)) not in seen:
                seen.add(key)
                yield point
        for point in self._all():
            if len(seen) == wanted:
                return
            if (key := as_key(point)) not in seen:
                seen.add(key)
                yield point

    def _with_too_few(self) -> SweepPlan:
        """It complains where more points shall be drawn than there are."""
        size = self.size
        if self.random is not None and size is not None and len(self.axes) == len(self.modes) and self.random > size:
            text = _("These ranges hold only %(size)s different trainings; you asked for %(given)s.")
            sentence = text % {"size": f"{size:,}", "given": f"{self.random:,}"}
            self.problems.append(("batch_random", sentence))
        return self


def _whole(problems: Problems, name: str, text: str, *, least: int) -> int | None:
    """The whole number in one of FIELDS; None where nothing, or nothing of use, stands there."""
    if not text:
        return None
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
    if least <= value <= LARGEST:
        return value
    labels = {"batch_random": _("Draw at random"), "batch_seed": _("Seed"), "batch_keep": _("Keep the best")}
    sentence = _("must be a whole number from %(low)s to %(high)s; you gave %(given)s")
    limits = {"low": f"{least:,}", "high": f"{LARGEST:,}"}
    problems.add(name, f"“{labels[name]}”", sentence, **limits, given=quoted(text))
    return None
