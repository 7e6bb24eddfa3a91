"""A bundled kernel, packed and run as the portal runs it, without the portal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels_app.bundled import packing
from kernels_app.contract.config import TrainingConfig
from kernels_app.contract.settings import ModelSettings

MODEL = "BENCH"
THREADS = str(os.cpu_count() or 1)


@dataclass(frozen=True)
class Ended:
    """What a process took. `memory`: bytes, the most that was resident at once."""

    code: int
    seconds: float
    cpu: float
    memory: int


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

    def images_per_second(self) -> float:
        """Of the training steps, decoding included: as the kernel itself says in its log."""
        return float(re.findall(r"([\d.]+) images/s in training", self.log)[-1])

    def start(self, program: Path | None = None) -> subprocess.Popen[bytes]:
        known = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        known |= {"OMP_NUM_THREADS": THREADS, "GOMP_SPINCOUNT": "3000", "PYTHONPATH": str(self.folder / "kernel")}
        argv = [sys.executable, str(program or self.folder / "kernel/train.py"), str(self.folder / "training.json")]
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(argv, cwd=self.folder, env=known, stdout=log, stderr=subprocess.STDOUT)

    def finish(self, program: Path | None = None) -> Ended:
        """Run to the end."""
        begun = time.monotonic()
        process = self.start(program)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds, cpu = time.monotonic() - begun, used.ru_utime + used.ru_stime
        return Ended(process.returncode, seconds, cpu, used.ru_maxrss * 1024)


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
