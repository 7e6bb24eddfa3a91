"""Runs a program on this machine, below a shim that outlives the runner and keeps the exit code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_noop as _

from jobs import hosts, locks
from jobs.enclosure import processes
from jobs.kinds import Launch
from jobs.launchers import container, sandbox, shim
from jobs.launchers.errors import LaunchFailed, Lost
from jobs.said import Said

NAME = "local"
START_LIMIT = 30.0  # seconds for the shim to say that it started the program


def find(folder: Path, attempt: int | None = None) -> dict[str, Any] | None:
    """The handle of a program that was started in `folder` for this very attempt (None: any), alive or ended."""
    order = _read(folder / shim.ORDER)
    if order is None or (attempt is not None and order.get("attempt") != attempt):
        return None
    started = locks.is_held(folder / shim.LOCK) or (folder / shim.EXIT).exists() or _runs_alone(order)
    return _handle(folder, order.get("sandbox", "")) if started else None


def start(launch: Launch, *, attempt: int, grace: float, log_limit: int = 0, host: str = "") -> dict[str, Any]:
    """Start the program below `launch.folder`."""
    clear(launch.folder)
    words: dict[str, list[str]] = {}
    if launch.image:
        enclosed = container.needed().name
        program, words = container.enclose(launch, attempt)
        container.remove({"container": words})  # one of that name, though no order tells of it: it was lost with it
    else:
        enclosed = sandbox.name()
        program = sandbox.enclose(launch) if enclosed else launch
    order = {
        "argv": program.argv,
        "program": program.argv[0] if words else launch.argv[0],
        "container": words,
        "environment": program.environment,
        "sandbox": enclosed,
        "cwd": str(launch.folder),
        "grace": grace,
        "attempt": attempt,
        "oom_kills": hosts.oom_kills(),
        "log_limit": log_limit,
        "host": host,
    }
    shim.write_json(launch.folder / shim.ORDER, order)
    with (launch.folder / "shim.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", shim.__file__, str(launch.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
    _await_start(launch.folder, process)
    return _handle(launch.folder, enclosed)


def poll(handle: dict[str, Any]) -> int | None:
    """The exit code once the last process is gone."""
    folder = Path(handle["folder"])
    if locks.is_held(folder / shim.LOCK):
        return None
    ended = _read(folder / shim.EXIT)
    if ended is None:
        order = _read(folder / shim.ORDER) or {}
        is_running, code = container.state_of(order) if order.get("container") else (False, None)
        if is_running:
            return None
        if code is not None and _is_of_this_boot(folder):  # nobody else is left to write it down
            shim.write_json(folder / shim.EXIT, {"code": code, "at": time.time()})
            with contextlib.suppress(LaunchFailed):  # it ended; the next start in this folder asks again
                container.remove(order)
            return code
        raise Lost(Said(_("the program was gone without an exit code, as after a power cut or when memory ran out")))
    return int(ended["code"])


def age(handle: dict[str, Any]) -> float | None:
    """Seconds since it was started, by a clock that nobody can set; None where it is gone."""
    started = _read(Path(handle["folder"]) / shim.STARTED) or {}
    for who in ("shim", "leader", "init"):  # of a container whose watchers were killed nobody knows it
        if processes.is_alive(started.get(who)):
            return processes.age_of(started[who][0])
    return None


def peak_memory(handle: dict[str, Any]) -> int | None:
    """Bytes at most; None where nobody knows: it runs, it was lost, or an older shim started it."""
    found = (_read(Path(handle["folder"]) / shim.EXIT) or {}).get("peak_memory")
    return found if isinstance(found, int) and 0 < found < 2**63 else None


def stop(handle: dict[str, Any]) -> None:
    """SIGTERM through the shim, which sees to the rest; to the program itself where the shim is gone."""
    started = _read(Path(handle["folder"]) / shim.STARTED) or {}
    if processes.is_alive(started.get("shim")):
        processes.send([started["shim"][0]], signal.SIGTERM)
    elif processes.is_alive(started.get("init")):  # of a sandbox: what it started is the program
        processes.send(processes.children().get(started["init"][0], [])[:1], signal.SIGTERM)
    elif processes.is_alive(started.get("leader")) and "init" not in started:
        processes.send([started["leader"][0]], signal.SIGTERM)
    elif _runs_alone(order := _read(Path(handle["folder"]) / shim.ORDER) or {}):
        container.stop(order)


def kill(handle: dict[str, Any]) -> None:
    """SIGKILL to the leader, all below it, and the rest of its session; the shim, if it lives, sweeps what is left.

    Where the shim died before it could say whom it started: to whoever holds the lock.
    """
    folder = Path(handle["folder"])
    if not (folder / shim.STARTED).exists():
        holders = processes.holders(folder / shim.LOCK)
        processes.send({*holders, *(pid for root in holders for pid in processes.descendants(root))}, signal.SIGKILL)
    started = _read(Path(handle["folder"]) / shim.STARTED) or {}
    order = _read(Path(handle["folder"]) / shim.ORDER) or {}
    if order.get("container"):
        container.kill(order)
    roots = [started[who][0] for who in ("leader", "init") if processes.is_alive(started.get(who))]
    below = [pid for root in roots for pid in processes.descendants(root)]
    leader, birth = started.get("leader", (0, ""))
    rest = processes.processes() if birth.startswith(processes.boot_id()) else []
    session = [pid for pid in rest if processes.session_of(pid) == leader]
    processes.send({*roots, *below, *session}, signal.SIGKILL)
    if processes.is_alive(started.get("shim")):  # one that was stopped would hold the lock for ever
        processes.send([started["shim"][0]], signal.SIGCONT)


def clear(folder: Path) -> None:
    """Forget an earlier start, so that the program can be started again in the same folder."""
    if locks.is_held(folder / shim.LOCK):
        raise LaunchFailed("the program of the last start still lives")
    if (order := _read(folder / shim.ORDER) or {}).get("container"):
        container.remove(order)
    for name in (shim.STARTED, shim.EXIT, shim.ORDER):
        (folder / name).unlink(missing_ok=True)
    for draft in folder.glob(f".{shim.EXIT}.*"):  # set aside by a shim that was killed
        draft.unlink(missing_ok=True)


def end_unwatched(folder: Path) -> bool:
    """Kill the container of a start that nobody watches any more; where it runs no more, forget the start. Whether it
    may still run."""
    order = _read(folder / shim.ORDER) or {}
    if container.state_of(order)[0]:
        container.kill(order)
        return True
    try:
        clear(folder)
    except LaunchFailed:
        return True
    return False


def _is_of_this_boot(folder: Path) -> bool:
    """Whether the last start was in this boot: of an earlier one no tool knows how its containers ended."""
    started = _read(folder / shim.STARTED) or {}
    return str((started.get("shim") or (0, ""))[1]).startswith(processes.boot_id())


def _runs_alone(order: dict[str, Any]) -> bool:
    """Whether it is a container that goes on though nobody is left below whom it ran."""
    return bool(order.get("container")) and container.state_of(order)[0]


def _handle(folder: Path, enclosed: str) -> dict[str, Any]:
    return {"launcher": NAME, "folder": str(folder), "sandbox": enclosed}


def _await_start(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for the shim's word. It says `exit.json` at once where the program cannot be started at all.

    One that is busy found another at work, started by a runner that died a moment ago: its word counts as well.
    """
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if (folder / shim.STARTED).exists() or (folder / shim.EXIT).exists():
            return
        if process.poll() not in (None, shim.BUSY) and not (folder / shim.EXIT).exists():
            said = _last_line(folder / "shim.log")
            raise LaunchFailed(f"the shim ended with exit code {process.returncode}" + (f": {said}" if said else ""))
        time.sleep(0.01)
    process.kill()  # it must not start the program behind our back
    process.wait()
    if not locks.is_held(folder / shim.LOCK):
        raise LaunchFailed("the shim did not start the program in time")


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        return "".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-1:])[:500]
    return ""


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
