"""How good a kernel is on the quickstart data with its default settings, and what that takes: seed after seed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.kernels import datasets, runs
from bench.options import Options
from bench.table import MeasurementFailed, Row, say


@dataclass(frozen=True)
class Goal:
    """`score`: its name in `<model_type>.json`, and the least it should be; `seconds`: the most, on 2 quiet cores."""

    score: str
    least: float
    seconds: float


GOALS = {
    "cl": Goal("accuracy", 0.92, 180),
    "rc": Goal("accuracy", 0.95, 120),
    "od": Goal("map50", 0.80, 360),
    "seg": Goal("iou", 0.82, 240),
}
NAMES = {"accuracy": "accuracy", "map50": "mAP50", "iou": "IoU"}


def run(kind: str, options: Options, seeds: int) -> tuple[list[Row], list[str]]:
    """The figures, and what could not be measured."""
    say(f"{kind}, quality …")
    try:
        with tempfile.TemporaryDirectory(prefix="bench-kernels-") as folder:
            return _measured(kind, Path(folder), options, seeds), []
    except MeasurementFailed as error:
        return [], [f"{kind}, quality: {error}"]


def _measured(kind: str, folder: Path, options: Options, seeds: int) -> list[Row]:
    goal, data = GOALS[kind], datasets.quickstart(kind, folder / "data")
    found: list[float] = []
    took: list[runs.Ended] = []
    for seed in range(seeds):
        params: dict[str, Any] = {"seed": seed} | ({"epochs": 1} if options.quick else {})
        made = runs.prepare(kind, data, folder / f"seed-{seed}", params)
        took.append(made.succeed())
        found.append(made.scores()[goal.score])
        say(f"  seed {seed}: {NAMES[goal.score]} {found[-1]:.4f} in {took[-1].seconds:.0f} s")
    return _rows(f"{kind}, quickstart", goal, found, took)


def _rows(name: str, goal: Goal, found: list[float], took: list[runs.Ended]) -> list[Row]:
    title = NAMES[goal.score]
    seeds = [Row(f"{name}: {title}, seed {seed}", value, "") for seed, value in enumerate(found)]
    return [
        *seeds,
        Row(f"{name}: {title}, mean", sum(found) / len(found), "", goal.least, is_least=True),
        Row(f"{name}: {title}, most less least", max(found) - min(found), ""),
        Row(f"{name}: whole training, wall time, longest", max(one.seconds for one in took), "s", goal.seconds),
        Row(f"{name}: whole training, CPU time, longest", max(one.cpu for one in took), "s"),
        Row(f"{name}: whole training, peak memory", round(max(one.memory for one in took) / 2**20), "MB"),
    ]
