"""What every step of a run needs at hand: the run, the page, the device and its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from . import distributed
from .precision import Precision
from .report import Report
from .start import Run


@dataclass(frozen=True)
class Session:
    """`batch` images go through the model at once, in each rank."""

    run: Run
    report: Report
    device: torch.device
    precision: Precision
    batch: int

    def shares(self, count: int) -> list[list[int]]:
        """The indices of 0..count-1 that this rank works on, in batches."""
        return batched(distributed.share(count, self.run), self.batch)


def batched(indices: int | Sequence[int], batch: int) -> list[list[int]]:
    """`indices`, or as many as that, in lists of `batch`."""
    known = list(range(indices) if isinstance(indices, int) else indices)
    return [known[n : n + batch] for n in range(0, len(known), batch)]


def begin(run: Run, *, amp: str, batch: int, seed: int, is_dense: bool = False) -> Session:
    """Join the other ranks, seed the random numbers, choose the arithmetic. `is_dense`: few depthwise convolutions."""
    device = distributed.connect(run)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    session = Session(run, Report(run), device, Precision(amp, device, is_dense=is_dense), batch)
    run.log(f"Computing in {session.precision.name}")
    return session
