"""How far a training is, and what its learning rate is there: a matter of the position only, so it resumes."""

from __future__ import annotations

import math
import time

import torch

from . import distributed, stop

WARM_UP = 0.1  # part of the run in which the rate rises
LAST = 0.02  # what is left of the rate at the end


class Clock:
    """Position 0..1 in a run of `steps`, or in `max_minutes` where those are over sooner (0 = no limit)."""

    def __init__(self, steps: int, max_minutes: float, elapsed: float = 0.0) -> None:
        self._steps, self._limit = max(1, steps), max_minutes * 60
        self._begun = time.monotonic() - elapsed

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        return time.monotonic() - self._begun

    def look(self, step: int) -> tuple[float, bool]:
        """(position, asked to stop), the same on every rank."""
        seconds = self.elapsed if self._limit else 0.0
        both = distributed.average(torch.tensor([seconds, float(stop.asked())]))
        position = step / self._steps
        if self._limit:
            position = max(position, float(both[0]) / self._limit)
        return position, bool(both[1])


def rate(position: float) -> float:
    """The part of the learning rate to use: a linear warm-up, then half a cosine."""
    if position < WARM_UP:
        return LAST + (1 - LAST) * position / WARM_UP
    along = min(1.0, (position - WARM_UP) / (1 - WARM_UP))
    return LAST + (1 - LAST) * (1 + math.cos(math.pi * along)) / 2


def shuffled(count: int, batch: int, *, seed: int, epoch: int, rank: int, world: int) -> list[list[int]]:
    """The batches of one rank in one epoch: equally many in every rank, the same again for the same seed."""
    order = torch.randperm(count, generator=generator(seed, epoch, 0)).tolist()
    order = (order * world)[: count + -count % world]
    mine = order[rank::world]
    return [mine[n : n + batch] for n in range(0, len(mine), batch)]


def generator(*numbers: int) -> torch.Generator:
    """Random numbers that depend on `numbers` (seed, epoch, step, rank) and on nothing that happened before."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % (2**63 - 1)
    return torch.Generator().manual_seed(seed)
