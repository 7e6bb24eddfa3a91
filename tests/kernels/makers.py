"""Tiny data sets, drawn here, and runs of the real bundled kernels as the portal starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from kernels_app.bundled import packing
from kernels_app.contract.config import TrainingConfig
from kernels_app.contract.data import (
    ClSample,
    RcSample,
    Shape,
    ShapeSample,
    write_cl,
    write_files,
    write_labels,
    write_rc,
    write_shapes,
)
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusMessage, parse

from .forked import Ranks

KEY = "key-of-this-run"
COLOURS = {"RED": (220, 40, 40), "BLUE": (40, 60, 220), "GREEN": (40, 200, 60)}
LIMIT = 600  # seconds for one run, on a very busy machine


@dataclass(frozen=True)
class KernelRun:
    """One run folder, as the portal lays it out."""

    folder: Path
    operation: str

    @property
    def output(self) -> Path:
        return self.folder / "model"

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8")

    def messages(self) -> list[StatusMessage]:
        lines = (self.folder / "status.jsonl").read_bytes().splitlines()
        found = [parse(line, KEY) for line in lines]
        assert None not in found, "a line that is no status message"
        return [message for message in found if message]

    def metrics(self, name: str) -> list[list[str]]:
        lines = (self.output / "save/metrics" / f"{name}.csv").read_text().splitlines()
        return [line.split(",") for line in lines]

    def start(self, ranks: int = 1, *, by_command: bool = False) -> subprocess.Popen[bytes] | Ranks:
        """`by_command`: as the portal does, by its command line, with torchrun where there are ranks."""
        program = [str(self.folder / "kernel/train.py"), str(self.folder / "training.json")]
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
        argv = [sys.executable, *(torchrun if ranks > 1 else []), *program]
        known = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        known |= {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}  # the tests share their machine
        if not by_command:
            return Ranks(program, self.folder, known, ranks)
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(argv, cwd=self.folder, env=known, stdout=log, stderr=subprocess.STDOUT)

    def finish(self, ranks: int = 1, *, by_command: bool = False) -> int:
        """Run to the end; the exit code."""
        process = self.start(ranks, by_command=by_command)
        try:
            return process.wait(timeout=LIMIT)
        finally:
            process.terminate()  # where it has not ended

    def stop_after(self, steps: int, ranks: int = 1) -> int:
        """Run, ask it to stop after so many steps at least; the exit code."""
        process = self.start(ranks, by_command=ranks > 1)
        graph = self.output / "save/metrics/batch_loss.csv"
        _wait(lambda: graph.is_file() and graph.read_text().count("\n") > steps, self)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
        assert "done" not in [m.phase for m in self.messages()]
        return code

    def wait_for(self, words: str) -> None:
        """Until the log holds `words`."""
        _wait(lambda: words in self.log, self)

    def refusal(self) -> str:
        """Run; the sentence with which it ends."""
        assert self.finish() == 1, self.log
        last = self.messages()[-1]
        assert last.phase == "error"
        assert "Traceback" not in self.log
        return last.message


def make_run(
    folder: Path, kernel: str, dataset: Path, *, operation: str = "training", base: Path | None = None,
    resume: bool = False, ranks: int = 1, params: dict[str, Any],
) -> KernelRun:  # fmt: skip
    """A run folder with the packed kernel, its `training.json` and `model.json`."""
    packing.write_package(packing.package_files(kernel), folder / "kernel")
    for name in ("model", "temp", "etc", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ModelSettings(kernel.upper(), "PARTS", params).write(folder / "model.json")
    TrainingConfig(
        project_key=KEY, model_id="7", operation=operation, dataset_path=str(dataset), temp_path=str(folder / "temp"),
        etc_path=str(folder / "etc"), model_write_path=str(folder / "model"), image_write_path=str(folder / "images"),
        training_config_file=str(folder / "model.json"), status_file=str(folder / "status.jsonl"),
        base_model_path=str(base or ""), validation_id="" if operation == "training" else "3",
        process_count=ranks, resume=resume,
    ).write(folder / "training.json")  # fmt: skip
    return KernelRun(folder, operation)


def interrupted(folder: Path, kernel: str, dataset: Path, params: dict[str, Any], steps: int) -> KernelRun:
    """A training that is stopped as asked in the middle of an epoch, after `steps` steps, goes on, is killed, and goes
    on to its end."""
    run = make_run(folder, kernel, dataset, params=params)
    assert run.stop_after(steps) == 143, run.log
    with (run.output / "save/metrics/loss.csv").open("a") as file:
        file.write("99999,1,1\n")  # as if written after the last checkpoint

    run = make_run(folder, kernel, dataset, resume=True, params=params)
    process = run.start()
    run.wait_for("Epoch 3:")
    process.kill()
    process.wait(timeout=45)
    run = make_run(folder, kernel, dataset, resume=True, params=params)
    assert run.finish() == 0, run.log
    assert run.log.count("Going on in epoch") == 2
    return run


def assert_same_training(run: KernelRun, other: KernelRun) -> None:
    """Graphs, card and the exported model are equal to the last digit."""
    names = sorted(path.stem for path in (other.output / "save/metrics").glob("*.csv"))
    assert len(names) > 3
    for name in names:
        assert run.metrics(name) == other.metrics(name)
    for name in ("PARTS.json", "PARTS.onnx"):
        assert (run.output / name).read_bytes() == (other.output / name).read_bytes()


def _wait(is_so: Callable[[], bool], run: KernelRun) -> None:
    until = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < until, run.log
        time.sleep(0.02)


def still(kernel: str, params: dict[str, Any]) -> dict[str, Any]:
    """`params` without random changes of the images, in full precision."""
    changes = {"flip_horizontal": False, "flip_vertical": False, "brightness": 0, "contrast": 0, "shift": 0, "zoom": 0}
    known = schema(kernel)["properties"]["training_params"]["properties"]
    return params | {name: value for name, value in changes.items() if name in known} | {"amp": "off"}


def losses(run: KernelRun) -> list[float]:
    """Of the training, step for step where an epoch has no more than ten."""
    return [float(row[1]) for row in run.metrics("batch_loss")[1:]]


def run_predict(model: Path, images: list[str], *options: str) -> list[dict[str, Any]]:
    """What the `predict.py` beside an exported model says of images, where torch cannot be imported."""
    no_torch = "import sys, runpy; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; "
    argv = [sys.executable, "-c", no_torch + "runpy.run_path(sys.argv[0], run_name='__main__')"]
    asked = [*argv, str(model / "predict.py"), *options, *images]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def draw(path: Path, colour: str, n: int, *, size: int = 64) -> tuple[float, float, float, float]:
    """A picture of one coloured square on grey; the square's box."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (size, size * 3 // 4), (120 + n % 3, 120, 120))
    x, y, side = 4 + 5 * n % 20, 3 + 3 * n % 12, size // 3
    ImageDraw.Draw(image).rectangle((x, y, x + side, y + side), fill=COLOURS[colour])
    image.save(path)
    return x, y, x + side, y + side


def cl_dataset(folder: Path, classes: list[str], *, train: int = 8, held: int = 4) -> Path:
    """`train` and `held` pictures of each class; paths with a space in them."""
    write_labels(folder, classes)
    everything: list[ClSample] = []
    for split, count in (("train", train), ("validation", held)):
        samples = []
        for n in range(count):
            for name in classes:
                path = folder / "images/1" / f"{split} {name} {n}.png"
                draw(path, name, n)
                samples.append(ClSample(str(path), name))
        write_cl(folder, split, samples)
        everything += samples
    write_files(folder, everything[-2:])
    return folder


def rc_dataset(folder: Path, labels: list[str], *, train: int = 8, held: int = 4) -> Path:
    """`train` and `held` pictures of each colour; of every square each of `labels` is asked, true for its colour."""
    write_labels(folder, labels)
    samples: list[RcSample] = []
    for split, count in (("train", train), ("validation", held)):
        samples = []
        for n in range(count):
            for colour in labels:
                path = folder / "images/1" / f"{split} {colour} {n}.png"
                x1, y1, x2, y2 = draw(path, colour, n)
                samples += [RcSample(str(path), name, name == colour, x1, y1, x2 - x1, y2 - y1) for name in labels]
        write_rc(folder, split, samples)
    write_files(folder, [replace(sample, verdict=None) for sample in samples[-2:]])
    return folder


def od_dataset(folder: Path, classes: list[str], *, train: int = 8, held: int = 4) -> Path:
    """Pictures of 128 × 96 with one box each, and one of each split that is empty."""
    write_labels(folder, classes)
    paths = []
    for split, count in (("train", train), ("validation", held)):
        for n in range(count):
            path, name = folder / "images/1" / f"{split}-{n}.png", classes[n % len(classes)]
            x1, y1, x2, y2 = draw(path, name, n, size=128)
            box = Shape(name, "rectangle", ((x2, y2), (x1, y1)))  # drawn from the lower right
            shapes = (box,) if n else ()
            write_shapes(folder / split, ShapeSample(str(path), f"{split}{n}", 128, 96, shapes))
            paths.append(str(path))
    write_files(folder, [ClSample(path) for path in paths[-2:]])
    return folder


def seg_dataset(folder: Path, classes: list[str], *, train: int = 8, held: int = 4) -> Path:
    """Pictures with one square frame each, whose hole is no part of it; one of each split is empty. They are 128 × 96;
    the last to validate with stands upright and is twice as large."""
    write_labels(folder, classes)
    paths = []
    for split, count in (("train", train), ("validation", held)):
        for n in range(count):
            path, name = folder / "images/1" / f"{split}-{n}.png", classes[n % len(classes)]
            size = (192, 256) if (split, n) == ("validation", held - 1) else (128, 96)
            frame = draw_frame(path, name if n else None, n, size)
            shapes = (Shape(name, "polygon", frame),) if n else ()
            write_shapes(folder / split, ShapeSample(str(path), f"{split}{n}", *size, shapes))
            paths.append(str(path))
    write_files(folder, [ClSample(path) for path in paths[-2:]])
    return folder


def draw_frame(path: Path, colour: str | None, n: int, size: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    """A picture of one coloured frame on grey, or of none; the frame's corners: the outer square, then over a bridge
    the hole, the other way round. They are pixels of the frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scale, grey = max(size) // 128, (120 + n % 3, 120, 120)
    image = Image.new("RGB", size, grey)
    left, top = (6 + 7 * n % 30) * scale, (4 + 5 * n % 28) * scale
    right, bottom, width = left + 56 * scale, top + 56 * scale, 14 * scale
    if colour:
        pen = ImageDraw.Draw(image)
        pen.rectangle((left, top, right, bottom), fill=COLOURS[colour])
        pen.rectangle((left + width, top + width, right - width, bottom - width), fill=grey)
    image.save(path)
    x1, y1, x2, y2 = left + width - 1, top + width - 1, right - width + 1, bottom - width + 1
    outer = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return tuple((float(x), float(y)) for x, y in (*outer, (x1, y1), (x1, y2), (x2, y2), (x2, y1), (x1, y1)))


def schema(kernel: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packing.package_files(kernel)["model_schema.json"])
    return found
