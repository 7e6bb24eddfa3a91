"""Encloses one program: stdlib only, started as `python -I -S shim.py FOLDER`, and outlives whoever started it.

Holds `kernel.lock` while any process of the program lives, writes `exit.json` when its leader ends, and on SIGTERM
sees to it that all of them end: SIGTERM to the leader, to the rest after a third of the grace (data loaders must not
die under a leader that still writes its checkpoint), SIGKILL to all that is left after the grace. As a child subreaper
it inherits whatever the program leaves behind, double forks and torchrun's ranks in their own sessions too. Meanwhile
it looks now and then how much memory all of them have, and keeps the log below its limit.

In a sandbox the leader is bubblewrap, and its only child the first process inside: neither is told to end, the program
below them is; and where bubblewrap is killed alone, the first process inside is the one whose end counts. Of a
container the leader is the client of docker or podman, see `jobs.enclosure.program`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # alone, without Django: what it is made of lies above
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from jobs import locks
from jobs.enclosure.logcut import Cutter
from jobs.enclosure.memory import Memory
from jobs.enclosure.processes import descendants, named, send
from jobs.enclosure.program import TOOL_LIMIT, Contained, Program
from jobs.enclosure.toolstate import ask

ORDER = "launch.json"  # what to start
STARTED = "started.json"  # {"shim": [pid, birth], "leader": [pid, birth], "init": [pid, birth] in a sandbox}
EXIT = "exit.json"  # {"code": int, "at": seconds since the epoch, "peak_memory": bytes}
LOCK = "kernel.lock"
LOG = "kernel.log"
LEFTOVER_GRACE = 10.0  # seconds for what a leader that ended by itself left behind
LOG_LOOK = 1.0  # seconds from one look at the log's size to the next
FILES = 65536  # open files at most
OOM_SCORE = 500  # when memory is short, a kernel goes before anything of the portal's own
RESERVE = 4096  # bytes set aside for `exit.json`
BUSY = 75  # this program's exit code where another shim holds the lock
PR_SET_CHILD_SUBREAPER = 36
_children: list[subprocess.Popen[bytes]] = []  # kept, else the module itself would collect what it started
AWAITED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


def main(folder: Path) -> int:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    if not locks.take(lock):
        return BUSY
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    order = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    ending = ExitFile(folder / EXIT)
    try:
        leader = _start(order, folder, lock)
        program = _program(order, folder, leader)
        started = {"shim": named(os.getpid()), "leader": named(leader), "at": time.time()}
        write_json(folder / STARTED, started | ({"init": named(program.init)} if program.init else {}))
    except OSError as error:
        _put_away(order)  # what nobody can be told of nobody could end
        with contextlib.suppress(OSError), (folder / LOG).open("a") as log:
            log.write(f"The program could not be started: {error}\n")
        ending.write({"code": 127, "at": time.time()})
        return 0
    _watch(program, ending, Cutter(folder / LOG, int(order.get("log_limit", 0))), float(order["grace"]))
    return 0


def _put_away(order: dict[str, Any]) -> None:
    """End whatever was started before the start failed, as on a disk that is full."""
    if words := order.get("container"):
        ask(words["remove"], order["environment"], TOOL_LIMIT)
    while left := descendants(os.getpid()):
        send(left, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


class ExitFile:
    """`exit.json`. Its bytes are set aside at the start, so that it can be written on a disk that is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}")
        self._draft.write_bytes(b" " * RESERVE)

    def write(self, value: dict[str, Any]) -> None:
        text = json.dumps(value).encode()
        with contextlib.suppress(OSError):  # somebody cleared it away
            self._draft.touch()
        with self._draft.open("r+b") as file:
            file.write(text.ljust(RESERVE))
        self._draft.replace(self._path)


def _program(order: dict[str, Any], folder: Path, leader: int) -> Program:
    if words := order.get("container"):
        log = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return Contained(leader, words, order["environment"], log)
    return Program(leader, is_sandboxed=bool(order.get("sandbox")))


def _start(order: dict[str, Any], folder: Path, lock: int) -> int:
    """The leader holds the lock as well, so that it stays held should this shim be killed."""
    program = order.get("program", "")
    if program.startswith("/") and not Path(program).exists():  # a sandbox would say so in words of its own
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    argv = [str(lock) if word == "{lock}" else word for word in order["argv"]]
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            argv,
            env=order["environment"],
            cwd=order["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock],
            preexec_fn=_before_exec,
        )
    _children.append(process)
    return process.pid


def _before_exec() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
    os.nice(10)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = FILES if most == resource.RLIM_INFINITY else min(most, FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")


def _watch(program: Program, ending: ExitFile, log: Cutter, grace: float) -> None:
    """Until no process is left."""
    told: set[int] = set()  # who got SIGTERM: once is enough, a leader may be writing its checkpoint
    asked: float | None = None  # when somebody asked for the end
    ended: float | None = None  # when the leader ended
    memory = Memory()
    while True:
        memory.aside = program.aside
        told |= memory.aside
        log.look()
        code = program.reap()
        if code is not None:
            ended = time.monotonic()
            if not program.is_lost:
                ending.write({"code": code, "at": time.time(), "peak_memory": memory.peak()})
        is_ending = asked is not None or ended is not None
        left = descendants(os.getpid()) if is_ending else [program.leader]
        if ended is not None and not left:
            program.close()
            return
        _press(program, left, told, asked, ended, grace)
        until = min(memory.look(), LOG_LOOK) if ended is None else LOG_LOOK
        got = signal.sigtimedwait(AWAITED, 0.2 if is_ending else until)
        if got is not None and got.si_signo != signal.SIGCHLD and asked is None:
            asked = time.monotonic()
            if ended is None:
                told.update(program.tell())
            else:
                late = [pid for pid in left if pid not in told]
                told.update(late)
                send(late, signal.SIGTERM)


def _press(
    program: Program, left: list[int], told: set[int], asked: float | None, ended: float | None, grace: float
) -> None:
    """Send what is due to those that are left: SIGTERM after a third of the grace, SIGKILL after all of it."""
    now = time.monotonic()
    limits = [
        start + limit for start, limit in ((asked, grace), (ended, min(LEFTOVER_GRACE, grace))) if start is not None
    ]
    if limits and now > min(limits):
        program.put_down(left, now - min(limits))
    elif asked is not None and now > asked + grace / 3:
        send([pid for pid in left if pid not in told], signal.SIGTERM)
        told.update(left)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
