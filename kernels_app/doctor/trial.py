"""One run of a kernel on tiny data, as the portal starts any run: same folder, same launcher, same sandbox."""

from __future__ import annotations

import json
import os
import secrets
import stat
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs import bridge, hosts, limits, logs, runfolder
from jobs.launchers import local, put_down, sandbox
from jobs.launchers.errors import LaunchFailed, Lost
from kernels_app import launching, reporting
from kernels_app.contract import results, status
from kernels_app.contract.config import TrainingConfig
from kernels_app.contract.settings import ModelSettings
from kernels_app.doctor import tiny
from kernels_app.doctor.reads import Reads

LOOK = 0.05  # seconds between two looks at the program
LOG_LIMIT = 20 * 2**20  # bytes
GRAPH_LIMIT = 4 * 2**20  # bytes of a metrics file that are looked at: more is no graph of tiny data
STATUS_LIMIT = 2**20  # bytes, the last, of status_file
CONFIG, SETTINGS, BASE, RESUME = "training.json", "model.json", "base", "resume"  # what is watched for being read
FOLDERS = ("out", "images", "tmp", "etc", "dataset")
OURS = {"training.json", "model.json", "status.jsonl", *FOLDERS, *sandbox.KEPT_BACK}

Tick = Callable[[], None]  # called at each look; what it raises ends the run


@dataclass(frozen=True)
class Order:
    """What is run. `devices`: leased ones, by index."""

    kernel: Path
    training_type: str
    model_type: str
    params: dict[str, Any]
    suffixes: tuple[str, ...] = ()
    devices: tuple[int, ...] = ()
    image: str = ""  # of a container


@dataclass
class Run:
    """A run and what became of it. `code`: None where it could not be started or had to be killed for its time."""

    folder: Path
    operation: str
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    code: int | None = None
    asked: Counter[tiny.Place] = field(default_factory=Counter)  # what the operation has to answer for
    was_stopped: bool = False
    is_late: bool = False
    took: int = 0  # bytes of the disk, where it was killed because these were too many
    refusal: str = ""  # why it could not be started
    read: set[str] = field(default_factory=set)
    watched: bool = True
    strays: list[str] = field(default_factory=list)  # what it wrote outside its own folders
    grace_used: float = 0.0  # seconds from SIGTERM to its end

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def lines(self) -> list[bytes]:
        """What it appended to `status_file`, the last of it where that is a lot."""
        return [line for line in tail(self.folder / "status.jsonl", STATUS_LIMIT).splitlines() if line.strip()]

    @property
    def messages(self) -> list[status.StatusMessage]:
        return [one for line in self.lines if (one := status.parse(line, self.key))]

    @property
    def is_done(self) -> bool:
        return any(message.phase == "done" for message in self.messages)

    @property
    def error(self) -> str:
        return next((message.message for message in self.messages if message.phase == "error"), "")

    @property
    def went_well(self) -> bool:
        return (
            not self.error
            and not self.refusal
            and not self.is_late
            and not self.took
            and (self.code == 0 or self.is_done)
        )

    @property
    def metrics(self) -> list[Path]:
        """Its graphs; a link, a pipe or a folder is none."""
        folder = self.output / results.METRICS
        if any((self.output / part).is_symlink() for part in (results.METRICS, *results.METRICS.parents)):
            return []
        return [path for path in sorted(folder.glob("*.csv")) if _size(path) is not None]

    @property
    def last_words(self) -> str:
        """The last line of its log that says something."""
        lines = [line.text.strip() for line in logs.tail(self.folder / logs.NAME, 64 * 1024) if line.text.strip()]
        return lines[-1][:300] if lines else ""

    def has_begun(self) -> bool:
        """Whether it is in the middle of its work: it said so, or a graph has a row."""
        moves = any(message.phase == "ing" and message.percentage for message in self.messages)
        return moves or any(head(path, GRAPH_LIMIT).count(b"\n") > 1 for path in self.metrics)


def head(path: Path, most: int) -> bytes:
    """The first `most` bytes of a regular file; nothing of a link, a pipe or a folder, which nobody waits for."""
    return _bytes(path, 0, most)


def tail(path: Path, most: int) -> bytes:
    """The last `most` bytes, but for the line that they begin in the middle of."""
    start = max(0, (_size(path) or 0) - most)
    data = _bytes(path, start, most)
    return data[data.find(b"\n") + 1 :] if start else data


def _size(path: Path) -> int | None:
    """None where it is no regular file."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def _bytes(path: Path, start: int, most: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(fd, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return b""
        file.seek(start)
        return file.read(most) or b""


def prepare(order: Order, folder: Path, operation: str, base: Path | None = None) -> Run:
    """A new run folder."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    run = Run(folder, operation)
    tiny.make(folder / "dataset", order.training_type, operation, order.suffixes)
    run.asked = tiny.asked(folder / "dataset", order.training_type, operation)
    ModelSettings(order.training_type, order.model_type, order.params, list(order.suffixes)).write(folder / SETTINGS)
    write_config(run, order, base, resume=False)
    return run


def write_config(run: Run, order: Order, base: Path | None, *, resume: bool) -> None:
    folder, is_training = run.folder, run.operation == "training"
    TrainingConfig(
        project_key=run.key, model_id="1", validation_id="" if is_training else "1", operation=run.operation,
        dataset_path=str(folder / "dataset"), temp_path=str(folder / "tmp"), etc_path=str(folder / "etc"),
        base_model_path=str(base or ""), model_write_path=str(run.output),
        image_write_path="" if is_training else str(folder / "images"),
        training_config_file=str(folder / SETTINGS), status_file=str(folder / "status.jsonl"),
        gpu_count=len(order.devices) if launching.hosts.gpu_names() else 0, process_count=1, resume=resume,
    ).write(folder / CONFIG)  # fmt: skip


def go(
    run: Run, order: Order, tick: Tick, *, base: Path | None = None, stop_when: Callable[[], bool] = lambda: False
) -> Run:
    """Start it and see it to its end; `stop_when` it is so, it is asked to stop, with the usual grace."""
    before = _snapshot(order.kernel, run.folder)
    (run.folder / "status.jsonl").unlink(missing_ok=True)
    try:
        reporting.lend(order.kernel, run.folder, called=bridge.trial(), tick=tick, image=order.image)
        _watched_to_its_end(run, order, tick, base, stop_when)
    except reporting.NoBroker as error:
        run.refusal = str(error)
    finally:
        bridge.close(run.folder)
    for folder in (run.output, run.folder / "images"):
        runfolder.drop_links(folder)
    run.strays = _strays(run, before, _snapshot(order.kernel, run.folder))
    return run


def _watched_to_its_end(run: Run, order: Order, tick: Tick, base: Path | None, stop_when: Callable[[], bool]) -> None:
    readable = [base] if base else []
    launch = launching.launch(
        order.kernel, run.folder, key=run.key, devices=order.devices, readable=readable, image=order.image
    )
    with Reads() as reads:
        for path, name in _watched(run, base):
            reads.watch(path, name)
        run.watched = reads.works
        try:
            handle = local.start(launch, attempt=0, grace=settings.JOB_GRACE, log_limit=LOG_LIMIT, host=hosts.name())
            _follow(run, handle, tick, stop_when)
        except (LaunchFailed, Lost) as error:
            run.refusal = str(error)
        finally:
            put_down(run.folder)
        run.read = set(reads.seen())


def _watched(run: Run, base: Path | None) -> Sequence[tuple[Path, str]]:
    found = [(run.folder / CONFIG, CONFIG), (run.folder / SETTINGS, SETTINGS)]
    found += [(base, BASE)] if base else []
    resume = run.output / results.RESUME
    return [*found, (resume, RESUME)] if resume.is_file() else found


def _follow(run: Run, handle: dict[str, Any], tick: Tick, stop_when: Callable[[], bool]) -> None:
    began, asked = time.monotonic(), 0.0
    looked = began
    run.was_stopped = False
    with bridge.listening(run.folder) as post:
        while (code := local.poll(handle)) is None:
            tick()
            now = time.monotonic()
            if not asked and now - began > settings.TRAINPORTAL_DOCTOR_LIMIT:
                run.is_late = True
                local.kill(handle)
            elif settings.JOB_DISK_QUOTA and not run.took and now - looked > limits.USAGE_LOOK * settings.JOB_POLL:
                looked = now
                if (took := limits.usage(run.folder)) > settings.JOB_DISK_QUOTA:
                    run.took = took
                    local.kill(handle)
            elif not asked and stop_when():
                asked = now
                run.was_stopped = True
                local.stop(handle)
            time.sleep(LOOK)
        ended = time.monotonic()
        while not post.is_read():
            tick()
            time.sleep(LOOK)
    run.grace_used = ended - asked if asked else 0.0
    run.code = None if run.is_late or run.took else code


def _snapshot(kernel: Path, folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of what a run must leave alone: its program, its data."""
    found = {}
    for top, name in ((kernel, "kernel"), (folder / "dataset", "dataset"), (folder / "etc", "etc")):
        for path in top.rglob("*"):
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
                facts = path.stat()
                found[f"{name}/{path.relative_to(top).as_posix()}"] = (facts.st_size, facts.st_mtime_ns)
    return found


def _strays(run: Run, before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> list[str]:
    """What was written where nothing of it is kept. In a sandbox that went to a scratch folder in the run's name."""
    found = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    scratch = run.folder / "tmp" / sandbox.SCRATCH
    for top in (run.folder, scratch):
        for path in sorted(top.iterdir()) if top.is_dir() else ():
            is_hidden = top == run.folder and path.name.startswith(".")
            if (path.name not in OURS or (top == scratch and not _is_empty(path))) and not is_hidden:
                found.append(path.name)
    return found


def _is_empty(path: Path) -> bool:
    """As what a sandbox puts its mounts on."""
    return not any(path.iterdir()) if path.is_dir() else path.stat().st_size == 0


def raw_faults(run: Run) -> list[tuple[bytes, str]]:
    """Lines of `status_file` that are no message of this run, each with the reason's code."""
    name = "training" if run.operation == "training" else "validation"
    found = []
    for line in run.lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            found.append((line, "no_json"))
            continue
        if not isinstance(value, dict):
            found.append((line, "no_json"))
        elif value.get("project_key") != run.key:
            found.append((line, "other_key"))
        elif value.get("status") not in (f"{name}_ing", f"{name}_done", f"{name}_error"):
            found.append((line, "other_status"))
    return found
