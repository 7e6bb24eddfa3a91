"""The processes of the bench's portal: found by its home, which no other process names."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

KERNEL = "kernel"
ROLES = {  # by what stands in the command line
    "gunicorn": "web",
    "qcluster": "task queue",
    "shim.py": "shim",
    "runner": "runner",
    "worker": "worker",
}
PORTAL = tuple(ROLES.values())


def of(home: Path) -> dict[psutil.Process, str]:
    """Every living process of this portal, and what it is. The bench itself is none of them."""
    found = {}
    for process in psutil.process_iter():
        role = _role(process, str(home)) if process.pid != os.getpid() else ""
        if role:
            found[process] = role
    return found


def _role(process: psutil.Process, home: str) -> str:
    try:
        words, environment = process.cmdline(), process.environ()
    except psutil.Error:
        return ""
    if environment.get("TRAINPORTAL_HOME") != home and not any(home in word for word in words):
        return ""
    if environment.get("TRAINING_CONFIG", "").startswith(home):
        return KERNEL
    names = {Path(word).name for word in words[:5]}
    return next((role for mark, role in ROLES.items() if mark in names), "other")


class CpuMeter:
    """CPU seconds of each process so far, own time only: a child's time would count twice, and the kernel's too.

    `read` often: of a process that ended, what it took since the last reading is lost.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: dict[psutil.Process, str] = {}
        self._seconds: dict[psutil.Process, float] = {}

    def look(self) -> None:
        """Find the processes; slower than `read`."""
        self._known |= of(self._home)
        self.read()

    def read(self) -> dict[str, float]:
        """CPU seconds by role."""
        for process in self._known:
            try:
                times = process.cpu_times()
                self._seconds[process] = times.user + times.system
            except psutil.Error:
                continue
        total: dict[str, float] = {}
        for process, seconds in self._seconds.items():
            role = self._known[process]
            total[role] = total.get(role, 0.0) + seconds
        return total


def spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """CPU seconds by role between two readings."""
    return {role: seconds - before.get(role, 0.0) for role, seconds in after.items()}


def end(found: Sequence[psutil.Process], patience: float) -> None:
    """SIGTERM to those given, SIGKILL to those that are left after so many seconds."""
    _signal(found, signal.SIGTERM)
    _gone, alive = psutil.wait_procs(found, timeout=patience)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def kill_all(home: Path) -> None:
    """Whatever of this portal still lives, runners and kernels too; twice, for what was started in between."""
    for _ in range(2):
        left = list(of(home))
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=5)


def _signal(found: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in found:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
