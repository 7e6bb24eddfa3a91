from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings

from tests.faults.stub import points


class StubConfig(AppConfig):
    name = "tests.faults.stub"
    label = "faults_stub"

    def ready(self) -> None:
        points.arm()
        _stub_gpus()
        _shift_clock()
        if sys.argv[1:2] == ["worker"]:
            _wrap_the_tick()
        if os.environ.get("FAULTS_ABLATION") == "locks":
            _without_locks()


def folder() -> Path:
    return settings.TRAINPORTAL_HOME / "faults"


def _stub_gpus() -> None:
    """As many GPUs as the case says, now: no test machine has any."""
    from jobs import hosts

    def names() -> tuple[str, ...]:
        count = _number(folder() / f"gpus-{settings.TRAINPORTAL_HOST_NAME}", _number(folder() / "gpus", 0))
        return tuple(f"Stub GPU {n}" for n in range(int(count)))

    hosts.gpu_names = names  # type: ignore[assignment]


def _shift_clock() -> None:
    """The one function that time comes from, shifted by as many seconds as the case says."""
    from jobs import clock

    real = clock.now

    def shifted() -> datetime:
        return real() + timedelta(seconds=_number(folder() / "clock", 0))

    clock.now = shifted


def _wrap_the_tick() -> None:
    """The worker that a file's cases share does nothing while `rest-<host>` is there, and says that it does nothing.

    `canary` sets how often the task queue is proven alive, from now on.
    """
    from jobs.management.commands.worker import Worker

    tick, host = Worker.tick, settings.TRAINPORTAL_HOST_NAME

    def tick_or_rest(self: Worker) -> None:
        settings.JOB_CANARY = _number(folder() / "canary", settings.JOB_CANARY)
        if (folder() / f"rest-{host}").exists():
            (folder() / f"rests-{host}").touch()
        else:
            tick(self)

    Worker.tick = tick_or_rest  # type: ignore[method-assign]


def _without_locks() -> None:
    """The ablation: nobody sees whether a runner lives, and whoever takes over does not see whether its kernel does.

    The suite has to notice what comes of it. (A runner sees the kernel that it started itself, or nothing would come to
    anything.)
    """
    from jobs import locks
    from jobs.launchers import local, shim

    clear, is_held = local.clear, locks.is_held
    has_started = False

    def forget(folder: Path) -> None:
        nonlocal has_started
        clear(folder)
        (folder / shim.LOCK).unlink(missing_ok=True)  # the next shim locks another file
        has_started = True

    def seen(path: Path) -> bool:
        return path.name == shim.LOCK and has_started and is_held(path)

    locks.take = lambda fd: True
    locks.is_held = seen
    local.clear = forget


def _number(path: Path, usual: float) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return usual
