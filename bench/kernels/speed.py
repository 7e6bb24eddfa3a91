"""How quickly a kernel trains, beside a plain loop with the same model, data and batch: pair after pair in one run.

Counted on both sides: all epochs from the first image opened to the last step, so the kernel's decoding of the training
images too; by wall time, and by CPU time, which does not depend on what else the machine does.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.kernels import datasets, runs
from bench.options import Options
from bench.table import MeasurementFailed, Row, median, say
from kernels_app.bundled import packing

HERE = Path(__file__).resolve().parent
# What both do alike: flips across and no other changes; and nothing that ends a training early.
ALIKE: dict[str, Any] = {
    "flip_horizontal": True,
    "flip_vertical": False,
    "brightness": 0,
    "contrast": 0,
    "patience": 1000,
}
ALSO: dict[str, dict[str, Any]] = {"cl": {"probe_epochs": 0}, "rc": {"probe_epochs": 0, "shift": 0}, "seg": {"zoom": 0}}
EPOCHS = {"cl": 4, "rc": 4, "od": 2, "seg": 2}  # on the small images of quickstart, where decoding hardly counts
PLATES = {
    "cl": 48,
    "rc": 6,
    "od": 16,
    "seg": 16,
}  # of 5 megapixels, and as many epochs as by default; RC: 8 regions each


@dataclass(frozen=True)
class Case:
    """`goal`: how many times as quick as the plain loop the kernel should be."""

    name: str
    data: Path
    params: dict[str, Any]
    goal: float


@dataclass(frozen=True)
class Side:
    """One training of a pair."""

    spent: runs.Spent
    memory: int

    @property
    def speed(self) -> float:
        """Images a second."""
        return self.spent.images / self.spent.wall

    @property
    def cost(self) -> float:
        """CPU seconds an image."""
        return self.spent.cpu / self.spent.images

    def __str__(self) -> str:
        return f"{self.speed:.2f} images/s, {1000 * self.cost:.1f} ms of CPU an image"


Pair = tuple[Side, Side]  # the kernel, the plain loop


def run(kind: str, options: Options, pairs: int) -> tuple[list[Row], list[str]]:
    """The figures of each case, and what could not be measured."""
    rows, failed = [], []
    for make in (_quickstart, _png, _jpeg):
        with tempfile.TemporaryDirectory(prefix="bench-kernels-") as folder:
            try:
                case = make(kind, Path(folder) / "data", options)
                say(f"{kind}, {case.name} …")
                rows += table_rows(kind, case, _pairs(kind, case, Path(folder), pairs))
            except MeasurementFailed as error:
                failed.append(f"{kind}, speed: {error}")
    return rows, failed


def _quickstart(kind: str, folder: Path, options: Options) -> Case:
    epochs = options.count(EPOCHS[kind], 1)
    return Case("quickstart", datasets.quickstart(kind, folder), {"epochs": epochs}, goal=1.0)


def _png(kind: str, folder: Path, options: Options) -> Case:
    return _large(kind, folder, options, "png")


def _jpeg(kind: str, folder: Path, options: Options) -> Case:
    return _large(kind, folder, options, "jpg")


def _large(kind: str, folder: Path, options: Options, form: str) -> Case:
    train = options.count(PLATES[kind], 4)
    epochs = options.count(_default(kind, "epochs"), 2)
    data = datasets.drawn(kind, folder, train=train, held=2, form=form)
    return Case(f"5 MP {form.upper()}", data, {"epochs": epochs}, goal=1.5)


def _default(kind: str, name: str) -> Any:
    schema = json.loads(packing.package_files(kind)["model_schema.json"])
    return schema["properties"]["training_params"]["properties"][name]["default"]


def _pairs(kind: str, case: Case, folder: Path, count: int) -> list[Pair]:
    """Each in the other order than the last."""
    pairs = []
    for n in range(count):
        sides = {plain: one(kind, case, folder / f"{n}-{plain}", plain=plain) for plain in (n % 2 == 1, n % 2 == 0)}
        pairs.append((sides[False], sides[True]))
        kernel, other = pairs[-1]
        say(f"  pair {n + 1}: kernel {kernel}; plain loop {other}")
    return pairs


def one(kind: str, case: Case, folder: Path, *, plain: bool) -> Side:
    """One training of the kernel, or of the plain loop."""
    made = runs.prepare(kind, case.data, folder, ALIKE | ALSO.get(kind, {}) | case.params)
    ended = made.succeed(HERE / "reference" / f"{kind}.py" if plain else runs.CLOCKED)
    return Side(made.spent(), ended.memory)


def table_rows(kind: str, case: Case, pairs: list[Pair]) -> list[Row]:
    name = f"{kind}, {case.name}"

    def ratio(value: Callable[[Side], float]) -> list[float]:
        return [value(kernel) / value(plain) for kernel, plain in pairs]

    def middle(which: int, value: Callable[[Side], float]) -> float:
        return median([value(pair[which]) for pair in pairs])

    walls, cpus = ratio(lambda side: side.speed), ratio(lambda side: 1 / side.cost)
    sides = [
        Row(f"{name}: {who}, {what}", middle(which, value), unit)
        for what, value, unit in (
            ("wall time", lambda side: side.speed, "images/s"),
            ("CPU time", lambda side: 1000 * side.cost, "ms/image"),
            ("peak memory", lambda side: round(side.memory / 2**20), "MB"),
        )
        for which, who in enumerate(("kernel", "plain loop"))
    ]
    return [
        *sides,
        Row(f"{name}: kernel / plain loop by wall time", median(walls), "x", case.goal, is_least=True),
        Row(f"{name}: least of these pairs", min(walls), "x"),
        Row(f"{name}: most of these pairs", max(walls), "x"),
        Row(f"{name}: kernel / plain loop by CPU time", median(cpus), "x", case.goal, is_least=True),
    ]
