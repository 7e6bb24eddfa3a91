"""A bundled kernel, packed and run as the portal runs it, without the portal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.table import MeasurementFailed
from jobs.enclosure import tuning
from jobs.enclosure.memory import Memory
from kernels_app.bundled import packing
from kernels_app.contract.config import TrainingConfig
from kernels_app.contract.settings import ModelSettings

MODEL = "BENCH"
THREADS = str(os.cpu_count() or 1)
CLOCKED = Path(__file__).resolve().parent / "clocked.py"  # the kernel, and what it took
LOOK = 0.1  # seconds between two looks at a program that runs


@dataclass(frozen=True)
class Ended:
    """What a program and those that it started took. `memory`: bytes, the most at once, as the portal counts."""

    code: int
    seconds: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Spent:
    """Seconds of training, decoding included, and how many images they were spent on."""

    wall: float
    cpu: float
    images: int


@dataclass(frozen=True)
class Run:
    """A run folder."""

    kind: str
    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "model"

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    def scores(self) -> dict[str, float]:
        """Of the kept model on the validation data."""
        found: dict[str, float] = json.loads((self.output / f"{MODEL}.json").read_text(encoding="utf-8"))["validation"]
        return found

    def spent(self) -> Spent:
        """What the counted part of a training took: `clocked.py` and the reference loops write it down."""
        return Spent(**json.loads((self.folder / "spent.json").read_text(encoding="utf-8")))

    def start(self, program: Path | None = None) -> subprocess.Popen[bytes]:
        """The kernel, or another `program` in its place; that finds the kernel's modules. Only what has the kernel's
        work to do gets the portal's tuning of memory."""
        known = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        known |= tuning.ENVIRONMENT if program in (None, CLOCKED) else {"GOMP_SPINCOUNT": tuning.SPIN}
        known |= {"OMP_NUM_THREADS": THREADS, "PYTHONPATH": str(self.folder / "kernel")}
        argv = [sys.executable, str(program or self.folder / "kernel/train.py"), str(self.folder / "training.json")]
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(argv, cwd=self.folder, env=known, stdout=log, stderr=subprocess.STDOUT)

    def finish(self, program: Path | None = None) -> Ended:
        """Run to the end. Nothing else may run below this process meanwhile: its memory would count."""
        begun = time.monotonic()
        process, memory = self.start(program), Memory()
        try:
            while not (found := os.wait4(process.pid, os.WNOHANG))[0]:
                time.sleep(min(memory.look(), LOOK))
        except BaseException:  # the bench was told to end: nothing may go on behind its back
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(found[1])
        seconds, cpu = time.monotonic() - begun, found[2].ru_utime + found[2].ru_stime
        return Ended(process.returncode, seconds, cpu, memory.most)

    def succeed(self, program: Path | None = None) -> Ended:
        """As `finish`. Raises MeasurementFailed, with its last words, where it did not end well."""
        ended = self.finish(program)
        if ended.code:
            words = " | ".join(self.log.strip().splitlines()[-3:])
            raise MeasurementFailed(f"{(program or Path('the kernel')).name} ended with {ended.code}: {words}")
        return ended


def prepare(kind: str, dataset: Path, folder: Path, params: dict[str, Any], *, resume: bool = False) -> Run:
    """Lay out a training in `folder`; once more, with `resume`, for one that was interrupted."""
    packing.write_package(packing.package_files(kind), folder / "kernel")
    for name in ("model", "temp", "etc", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ModelSettings(kind.upper(), MODEL, params).write(folder / "model.json")
    TrainingConfig(
        project_key="bench", model_id="1", operation="training", dataset_path=str(dataset),
        temp_path=str(folder / "temp"), etc_path=str(folder / "etc"), model_write_path=str(folder / "model"),
        image_write_path=str(folder / "images"), training_config_file=str(folder / "model.json"),
        status_file=str(folder / "status.jsonl"), base_model_path="", validation_id="", process_count=1, resume=resume,
    ).write(folder / "training.json")  # fmt: skip
    return Run(kind, folder)
