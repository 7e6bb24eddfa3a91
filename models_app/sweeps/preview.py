"""What one parameter's inputs in the batch card come to, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from models_app.sweeps.axes import Anywhere, Axis, Listed, Stepped, plain, text_of

SHOWN = 5  # values before the last one
VALUE_MOST = 24  # characters of one


@dataclass(frozen=True)
class Preview:
    """`size`: how many values, None where they are endless."""

    size: int | None
    text: str

    @property
    def size_text(self) -> str:
        return f"{self.size:,}"


def preview(axis: Axis) -> Preview:
    """The first values and the last one: “1, 2, 3, 4, 5 … 100”."""
    if isinstance(axis, Anywhere):
        low, high = (text_of(plain(bound, is_whole=True)) for bound in (axis.low, axis.high))
        return Preview(None, f"{low} … {high}")
    size = axis.size or 0
    text = ", ".join(map(_short, islice(axis, SHOWN)))
    if size > SHOWN:
        text += f"{', ' if size == SHOWN + 1 else ' … '}{_short(_last(axis, size))}"
    return Preview(size, text)


def _last(axis: Axis, size: int) -> Any:
    """There may be very many before it."""
    if isinstance(axis, Listed):
        return axis.values[-1]
    if isinstance(axis, Stepped):
        return plain(axis.low + (size - 1) * axis.step, is_whole=axis.is_whole)
    return list(axis)[-1]


def _short(value: Any) -> str:
    text = text_of(value)
    return text if len(text) <= VALUE_MOST else f"{text[: VALUE_MOST - 1]}…"
