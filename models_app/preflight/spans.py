"""From ... to ..., and how both ends are told from what was before."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

GB = 2**30


@dataclass(frozen=True)
class Span:
    """Seconds, from the quickest to the slowest of what came before."""

    low: float
    high: float

    def times(self, factor: float) -> Self:
        return replace(self, low=self.low * factor, high=self.high * factor)

    @property
    def is_wide(self) -> bool:
        """Whether both ends are worth saying."""
        return self.high > 1.3 * self.low and self.least < self.most

    @property
    def middle(self) -> float:
        return self.rounded((self.low + self.high) / 2)

    @property
    def least(self) -> float:
        return self.rounded(self.low)

    @property
    def most(self) -> float:
        return self.rounded(self.high)

    def rounded(self, seconds: float) -> float:
        """No more exact than it is: 5 s, minutes, 10 minutes, hours."""
        return _to(5 if seconds < 90 else 60 if seconds < 3600 else 600 if seconds < 86400 else 3600, seconds)


@dataclass(frozen=True)
class Size(Span):
    """Bytes, from the least to the most."""

    def rounded(self, size: float) -> float:
        """10 MB, a tenth of a GB, whole GB."""
        return _to(10 * 2**20 if size < GB else GB / 10 if size < 10 * GB else GB, size)


def _to(step: float, value: float) -> float:
    return max(step, round(value / step) * step)


def line(shares: Sequence[float], values: Sequence[float]) -> tuple[float, float] | None:
    """Slope and start of the line through the runs; None where they differ too little, or it makes no sense."""
    if not shares or max(shares) <= 2 * min(shares):
        return None
    slope, start = statistics.linear_regression(shares, values)
    return (slope, start) if slope > 0 and start >= 0 else None


def around(slope: float, start: float, shares: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Both ends where the share is 1: as wide as the runs lie around the line."""
    off = [value / (start + slope * share) for share, value in zip(shares, values, strict=True)]
    return (start + slope) * min(off), (start + slope) * max(off)
