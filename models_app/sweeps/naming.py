"""Names for the trainings of a batch: the common stem, and only what varies (`valve lr_0.01_bs_4`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from models_app.sweeps.axes import as_key, text_of

NAME_MOST = 200  # characters of a model's name
TAIL_MOST = 120  # of what varies
VALUE_MOST = 24  # of one value
WORDS = re.compile(r"[^\W_]+", re.UNICODE)


def names(stem: str, points: Sequence[dict[str, Any]]) -> list[str]:
    """One name a point, all different, of at most 200 characters."""
    varied = varying(points)
    short = abbreviations(varied)
    found: dict[str, None] = {}
    for point in points:
        tail = "_".join(f"{short[name]}_{_value(point[name])}" for name in varied)
        wanted, number = _joined(stem, tail[:TAIL_MOST]), 1
        while wanted in found:
            number += 1
            wanted = _joined(stem, f"{tail[:TAIL_MOST]}.{number}" if tail else str(number))
        found[wanted] = None
    return list(found)


def varying(points: Sequence[dict[str, Any]]) -> list[str]:
    """The parameters that have more than one value."""
    names = list(points[0]) if points else []
    return [name for name in names if len({as_key(point[name]) for point in points}) > 1]


def abbreviations(names: Sequence[str]) -> dict[str, str]:
    """Initials where a name has several words (`learning_rate`: `lr`); itself where they would not be its alone."""
    short = {name: _initials(name) for name in names}
    taken = [*short.values(), *names]
    return {name: text if taken.count(text) == 1 else name[:VALUE_MOST] for name, text in short.items()}


def _initials(name: str) -> str:
    words = WORDS.findall(name)
    return "".join(word[0] for word in words) if len(words) > 1 else name


def _value(value: Any) -> str:
    return re.sub(r"\s+", "-", text_of(value))[:VALUE_MOST]


def _joined(stem: str, tail: str) -> str:
    if not tail:
        return stem[:NAME_MOST]
    return f"{stem[: NAME_MOST - len(tail) - 1].rstrip()} {tail}"
