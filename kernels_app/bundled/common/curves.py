"""Precision over recall: what a score's threshold buys and what it costs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from kernels_app.contract.files import write_atomically

from .report import Report
from .start import Run

GRAPH = "precision_recall"
LEVELS = 101  # of recall: 0, 0.01, … 1, as COCO has them
MOST = 12  # curves: more cannot be told apart


def precision_at(scores: torch.Tensor, right: torch.Tensor, positives: int) -> list[float | None]:
    """The best precision at each level of recall or above. `scores` (n,), `right` (n,) bool; `positives` to be found.

    None where the recall is not reached, so that a curve ends there, and everywhere where nothing was to be found.
    """
    if positives == 0:
        return [None] * LEVELS
    order = scores.argsort(descending=True, stable=True)
    ranked = scores[order]
    hits = right[order].double().cumsum(0)
    last = torch.ones(len(ranked), dtype=torch.bool)  # of equal scores only the last is a threshold
    last[:-1] = ranked[1:] != ranked[:-1]
    return _at_levels((hits / positives)[last], (hits / torch.arange(1, len(hits) + 1))[last])


def precision_of_counts(right: torch.Tensor, wrong: torch.Tensor) -> list[float | None]:
    """As `precision_at`, where only counts by score were kept: `right` and `wrong` (bins,), the lowest scores first."""
    if not right.any():
        return [None] * LEVELS
    hits, misses = (counts.flip(0).double().cumsum(0) for counts in (right, wrong))
    return _at_levels(hits / hits[-1], hits / (hits + misses).clamp(min=1))


def _at_levels(recall: torch.Tensor, precision: torch.Tensor) -> list[float | None]:
    """The best precision at each level of recall or above, of thresholds in the order of falling scores."""
    best = precision.flip(0).cummax(0).values.flip(0) if len(precision) else precision
    places = torch.searchsorted(recall, torch.linspace(0, 1, LEVELS, dtype=torch.float64) - 1e-9)
    return [float(best[n]) if n < len(best) else None for n in places.tolist()]


def show(report: Report, curves: Mapping[str, Sequence[float | None]]) -> None:
    """As a graph of the training, once at its end; a run that comes here again writes it anew."""
    chosen = _chosen(curves)
    report.forget(GRAPH)
    for level, values in enumerate(zip(*chosen.values(), strict=True)):
        row = dict(zip(chosen, values, strict=True))
        report.row(GRAPH, ["recall", *chosen], recall=level / (LEVELS - 1), **row)


def write(run: Run, curves: Mapping[str, Sequence[float | None]]) -> None:
    """As a table of the results: `precision_recall.csv`, a row a level of recall, a column a class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["recall", *curves])
    for level, values in enumerate(zip(*curves.values(), strict=True)):
        writer.writerow([level / (LEVELS - 1), *("" if v is None else round(v, 4) for v in values)])
    write_atomically(Path(run.config.output) / f"{GRAPH}.csv", text.getvalue())


def _chosen(curves: Mapping[str, Sequence[float | None]]) -> dict[str, Sequence[float | None]]:
    """Those that say something, the first MOST of them; `recall` is the name of the x axis."""
    said = {name: values for name, values in curves.items() if any(v is not None for v in values)}
    return {f"{name} " if name == "recall" else name: said[name] for name in list(said)[:MOST]}
