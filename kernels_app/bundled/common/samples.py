"""Samples of OD and SEG that nobody has labelled: those of an inference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kernels_app.contract.data import ShapeSample


def unlabelled(paths: Sequence[str]) -> list[ShapeSample]:
    """Samples without shapes. The id is the file's name, numbered where another one has it already."""
    taken: set[str] = set()
    samples = []
    for path in paths:
        name = stem = Path(path).stem
        number = 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        samples.append(ShapeSample(path, name, 0, 0))
    return samples
