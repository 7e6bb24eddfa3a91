"""Figures out of a confusion matrix: accuracy and macro F1, as scikit-learn defines them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NOTHING = "~"  # the row of what is nothing, the column of what was not found; no code can be this
Cell = tuple[str, str]  # truth, prediction


@dataclass
class Matrix:
    """How often each class was judged to be which. `classes` in their order, others that occur after them."""

    classes: list[str]
    cells: Counter[Cell] = field(default_factory=Counter)

    def add(self, truth: str, predicted: str, times: int = 1) -> None:
        self.cells[truth, predicted] += times
        for code in (truth, predicted):
            if code != NOTHING and code not in self.classes:
                self.classes.append(code)

    @property
    def right(self) -> int:
        return sum(n for (truth, predicted), n in self.cells.items() if truth == predicted)

    @property
    def objects(self) -> int:
        """How many there are in truth."""
        return sum(n for (truth, _predicted), n in self.cells.items() if truth != NOTHING)

    @property
    def predictions(self) -> int:
        return sum(n for (_truth, predicted), n in self.cells.items() if predicted != NOTHING)

    @property
    def accuracy(self) -> float | None:
        return self.right / self.objects if self.objects else None

    @property
    def macro_f1(self) -> float | None:
        """The mean F1 of the classes that occur, as truth or as prediction."""
        both = self.of_truth() + self.of_prediction()
        scores = [2 * self.cells[code, code] / both[code] for code in self.classes if both[code]]
        return sum(scores) / len(scores) if scores else None

    def of_truth(self) -> Counter[str]:
        """How many there are of each class."""
        return self._sums(0)

    def of_prediction(self) -> Counter[str]:
        """How often each class was said."""
        return self._sums(1)

    def _sums(self, side: int) -> Counter[str]:
        sums: Counter[str] = Counter()
        for cell, n in self.cells.items():
            sums[cell[side]] += n
        return sums

    def as_json(self) -> dict[str, object]:
        return {"classes": self.classes, "cells": [[*cell, n] for cell, n in self.cells.items() if n]}

    @classmethod
    def from_json(cls, found: Mapping[str, Sequence]) -> Matrix:  # type: ignore[type-arg]
        matrix = cls(list(found.get("classes", ())))
        for truth, predicted, n in found.get("cells", ()):
            matrix.add(truth, predicted, n)
        return matrix
