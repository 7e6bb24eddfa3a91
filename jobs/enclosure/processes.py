"""The processes of this machine, as /proc tells."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

Named = tuple[int, str]  # a process that is not mistaken for a later one of the same number: (pid, birth)


def named(pid: int) -> Named:
    return pid, birth_of(pid)


def birth_of(pid: int) -> str:
    """When `pid` was started: boot and clock ticks since it, which tells it from a later process of the same number.

    Empty where it is gone, or a zombie.
    """
    fields = _stat(pid)
    return f"{boot_id()}/{fields[19]}" if fields and fields[0] != "Z" else ""


def is_alive(process: object) -> bool:
    """Whether the process named by `[pid, birth]` lives; False for anything that names none."""
    match process:
        case [int(pid), str(birth)] if pid > 0 and birth:
            return birth_of(pid) == birth
    return False


def age_of(pid: int) -> float | None:
    """Seconds since `pid` was started, by a clock that nobody can set; None where it is gone."""
    fields = _stat(pid)
    if not fields:
        return None
    return max(0.0, _clock() - int(fields[19]) / os.sysconf("SC_CLK_TCK"))


def cpu_of(pid: int) -> int:
    """Clock ticks of CPU that `pid` has taken; 0 where it is gone."""
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


@cache
def boot_id() -> str:
    """Changes when the machine restarts."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def descendants(root: int) -> list[int]:
    """Every process below `root`, itself left out, parents before their children."""
    below = children()
    found: list[int] = []
    todo = [root]
    while todo:
        next_ones = below.get(todo.pop(0), [])
        found += next_ones
        todo += next_ones
    return found


def children() -> dict[int, list[int]]:
    """Of every process those that it started, or inherited, the oldest first."""
    found: dict[int, list[int]] = {}
    for pid in sorted(processes()):
        fields = _stat(pid)
        if fields:
            found.setdefault(int(fields[1]), []).append(pid)
    return found


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def holders(lock: Path) -> list[int]:
    """Who holds a lock of `jobs.locks`, which its descendants may hold as well; not who merely asks about it."""
    try:
        wanted = lock.stat()
    except OSError:
        return []
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                seen = fd.stat()
                if (seen.st_dev, seen.st_ino) != (wanted.st_dev, wanted.st_ino):
                    continue
                if "OFDLCK" in Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text(encoding="ascii"):
                    found.append(pid)
                    break
    return found


def name_of(pid: int) -> str:
    """Of the program that it runs, at most 15 characters; "" where it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def session_of(pid: int) -> int | None:
    """The session that `pid` belongs to; None where it is gone or a zombie."""
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] != "Z" else None


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, behind the name (which may hold anything)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def _clock() -> float:
    """Seconds since the boot, sleep included: what start times of processes count in."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
