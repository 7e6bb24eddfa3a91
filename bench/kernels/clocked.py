"""Runs a kernel as it is, and notes in `spent.json` what decoding the training images and the steps on them took.

Started in a run folder, in the kernel's place. What is not counted: imports, the linear probe, judging the validation
images, checkpoints, the export; a plain training program has these too, or would. CPU seconds are those of the whole
process, of all its threads, while the counted work went on.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

from kernels_app.bundled.common import course, images


class Spent:
    """Wall and CPU seconds."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.mark()

    def mark(self) -> None:
        self._since = time.monotonic(), time.process_time()

    def add(self) -> None:
        """What went by since the mark, or since it was last added."""
        wall, cpu = self._since
        self.mark()
        self.wall, self.cpu = self.wall + self._since[0] - wall, self.cpu + self._since[1] - cpu


def main() -> None:
    spent = Spent()
    filled: list[images.ImageStore] = []
    fill, epochs, step = images.ImageStore.fill, course.Course.epochs, course.Course.step

    def clocked_fill(self: Any, *given: Any) -> None:
        spent.mark()
        fill(self, *given)
        if not filled:  # the training images come first, then those for validation
            spent.add()
        filled.append(self)

    def clocked_epochs(self: Any) -> Any:
        for epoch in epochs(self):
            spent.mark()
            yield epoch
        about = {"wall": spent.wall, "cpu": spent.cpu, "images": self.state.seen}
        Path("spent.json").write_text(json.dumps(about), encoding="utf-8")

    def clocked_step(self: Any, loss: Any) -> None:
        step(self, loss)
        spent.add()

    images.ImageStore.fill = clocked_fill  # type: ignore[assignment,method-assign]
    course.Course.epochs, course.Course.step = clocked_epochs, clocked_step  # type: ignore[method-assign]
    program = str(Path("kernel/train.py").resolve())
    sys.argv[0], sys.path[:0] = program, [str(Path(program).parent)]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
