"""How much a run of the bench does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`quick`: few repetitions, to see that the bench works. `real`: the bundled CL kernel where a bench can use it."""

    quick: bool = False
    real: bool = False

    def count(self, usual: int, few: int) -> int:
        """How often something is repeated."""
        return few if self.quick else usual
