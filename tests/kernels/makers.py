"""Tiny data sets, drawn here, and runs of the real bundled kernels as the portal starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

KEY = "key-of-this-run"
COLOURS = {"RED": (220, 40, 40), "BLUE": (40, 60, 220), "GREEN": (40, 200, 60)}
LIMIT = 150  # seconds for one run, on a busy machine


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

    def start(self, ranks: int = 1) -> subprocess.Popen[bytes]:
        program = [str(self.folder / "kernel/train.py"), str(self.folder / "training.json")]
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
        argv = [sys.executable, *(torchrun if ranks > 1 else []), *program]
        known = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        known |= {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}  # the tests share their machine
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(argv, cwd=self.folder, env=known, stdout=log, stderr=subprocess.STDOUT)

    def finish(self, ranks: int = 1) -> int:
        """Run to the end; the exit code."""
        return self.start(ranks).wait(timeout=LIMIT)


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
    """Pictures of 128 × 96 with one square frame each, whose hole is no part of it; one of each split is empty."""
    write_labels(folder, classes)
    paths = []
    for split, count in (("train", train), ("validation", held)):
        for n in range(count):
            path, name = folder / "images/1" / f"{split}-{n}.png", classes[n % len(classes)]
            shapes = (frame(path, name, n),) if n else (frame(path, None, n),)[1:]
            write_shapes(folder / split, ShapeSample(str(path), f"{split}{n}", 128, 96, shapes))
            paths.append(str(path))
    write_files(folder, [ClSample(path) for path in paths[-2:]])
    return folder


def frame(path: Path, colour: str | None, n: int) -> Shape:
    """A picture of one coloured frame on grey (of none without a `colour`), and its polygon: the outer square, then
    over a bridge the hole, the other way round. Points are pixel indices that belong to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (128, 96), (120 + n % 3, 120, 120))
    x, y, side, width = 6 + 7 * n % 56, 4 + 5 * n % 28, 56, 14
    if colour:
        pen = ImageDraw.Draw(image)
        pen.rectangle((x, y, x + side, y + side), fill=COLOURS[colour])
        hole = (x + width, y + width, x + side - width, y + side - width)
        pen.rectangle(hole, fill=(120 + n % 3, 120, 120))
    image.save(path)
    a, b, c, d = x, y, x + side, y + side
    e, f, g, h = x + width - 1, y + width - 1, x + side - width + 1, y + side - width + 1
    corners = ((a, b), (c, b), (c, d), (a, d), (a, b), (e, f), (e, h), (g, h), (g, f), (e, f))
    return Shape(colour or "", "polygon", tuple((float(x), float(y)) for x, y in corners))


def schema(kernel: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(packing.package_files(kernel)["model_schema.json"])
    return found
