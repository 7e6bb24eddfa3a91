"""Encloses one program: stdlib only, started as `python -I -S shim.py FOLDER`, and outlives whoever started it.

Holds `kernel.lock` while any process of the program lives, writes `exit.json` when its leader ends, and on SIGTERM
sees to it that all of them end: SIGTERM to the leader, to the rest after a third of the grace (data loaders must not
die under a leader that still writes its checkpoint), SIGKILL to all that is left after the grace. As a child subreaper
it inherits whatever the program leaves behind, double forks and torchrun's ranks in their own sessions too. Meanwhile
it looks now and then how much memory all of them have.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ORDER = "launch.json"  # what to start
STARTED = "started.json"  # {"shim": [pid, birth], "leader": [pid, birth]}
EXIT = "exit.json"  # {"code": int, "at": seconds since the epoch, "peak_memory": bytes}
LOCK = "kernel.lock"
LOG = "kernel.log"
LEFTOVER_GRACE = 10.0  # seconds for what a leader that ended by itself left behind
BUSY = 75  # this program's exit code where another shim holds the lock
PR_SET_CHILD_SUBREAPER = 36
LOOK = (0.5, 5.0)  # seconds from one look at the memory to the next: more often while the program is young
LOOK_COST = 0.02  # seconds of CPU; a look that took n times as much is followed by a pause n times as long


def main(folder: Path) -> int:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return BUSY
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    awaited = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    order = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    try:
        leader = _start(order, folder, lock, awaited)
    except OSError as error:
        (folder / LOG).open("a").write(f"The program could not be started: {error}\n")
        write_json(folder / EXIT, {"code": 127, "at": time.time()})
        return 0
    write_json(
        folder / STARTED,
        {"shim": [os.getpid(), birth_of(os.getpid())], "leader": [leader, birth_of(leader)], "at": time.time()},
    )
    _watch(leader, folder, float(order["grace"]), awaited)
    return 0


def _start(order: dict[str, Any], folder: Path, lock: int, blocked: set[signal.Signals]) -> int:
    """The leader holds the lock as well, so that it stays held should this shim be killed."""
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            order["argv"],
            env=order["environment"],
            cwd=order["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock],
            preexec_fn=lambda: _before_exec(blocked),
        )
    return process.pid


def _before_exec(blocked: set[signal.Signals]) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    os.nice(10)


def _watch(leader: int, folder: Path, grace: float, awaited: set[signal.Signals]) -> None:
    """Until no process is left."""
    told: set[int] = set()  # who got SIGTERM: once is enough, a leader may be writing its checkpoint
    asked: float | None = None  # when somebody asked for the end
    ended: float | None = None  # when the leader ended
    memory = Memory()
    while True:
        code = _reap(leader)
        if code is not None:
            ended = time.monotonic()
            write_json(folder / EXIT, {"code": code, "at": time.time(), "peak_memory": memory.peak()})
        ending = asked is not None or ended is not None
        left = descendants(os.getpid()) if ending else [leader]
        if ended is not None and not left:
            return
        _press(left, told, asked, ended, grace)
        until = memory.look() if ended is None else LOOK[1]
        got = signal.sigtimedwait(awaited, 0.2 if ending else until)
        if got is not None and got.si_signo != signal.SIGCHLD and asked is None:
            asked = time.monotonic()
            told.update([leader] if ended is None else left)
            _signal(list(told), signal.SIGTERM)


def _press(left: list[int], told: set[int], asked: float | None, ended: float | None, grace: float) -> None:
    """Send what is due to those that are left: SIGTERM after a third of the grace, SIGKILL after all of it."""
    now = time.monotonic()
    limits = [
        start + limit for start, limit in ((asked, grace), (ended, min(LEFTOVER_GRACE, grace))) if start is not None
    ]
    if limits and now > min(limits):
        _signal(left, signal.SIGKILL)
    elif asked is not None and now > asked + grace / 3:
        _signal([pid for pid in left if pid not in told], signal.SIGTERM)
        told.update(left)


def _reap(leader: int) -> int | None:
    """Collect every child that ended; the leader's exit code if it was among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == leader:
            found = os.waitstatus_to_exitcode(status)


class Memory:
    """The most memory that the program's processes had together: what is lost when it is full, so no pages of files
    (libraries, a cache of images that is mapped), and what forked processes share counts once.

    A look every few seconds misses a rise between two of them. The system keeps each process's own highest resident
    size, files included: less the most of files that was seen, it tells how far the process once was above now. Such
    rises of different processes are added up, as ranks rise in step.
    """

    def __init__(self) -> None:
        self.most = 0
        self.files: dict[int, int] = {}  # the most of files that a process was seen with
        self.began = time.monotonic()
        self.due = self.began + LOOK[0]

    def look(self) -> float:
        """Look where it is time to. Returns seconds to the next look."""
        now = time.monotonic()
        if now >= self.due:
            before = time.process_time()
            pids = descendants(os.getpid())
            self.most = max(self.most, sum(self._of(pid, alone=len(pids) == 1) for pid in pids))
            usual = min(max((now - self.began) / 4, LOOK[0]), LOOK[1])
            self.due = now + usual * max(1.0, (time.process_time() - before) / LOOK_COST)
        return min(max(self.due - time.monotonic(), 0.0), LOOK[1])

    def peak(self) -> int:
        """Bytes. Of a program that was never looked at, the largest process that has ended, files included."""
        largest = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return max(self.most, largest - max(self.files.values(), default=0))

    def _of(self, pid: int, *, alone: bool) -> int:
        """Its part. Only `smaps_rollup` tells what is shared, but reading it takes 10 ms a GB."""
        has = _sizes(pid, "status")
        own = has.get("RssAnon", 0) + has.get("RssShmem", 0)
        files = self.files[pid] = max(self.files.get(pid, 0), has.get("RssFile", 0))
        rise = max(0, has.get("VmHWM", 0) - files - own)
        parts = {} if alone else _sizes(pid, "smaps_rollup")
        return rise + (parts["Pss_Anon"] + parts.get("Pss_Shmem", 0) if "Pss_Anon" in parts else own)


def _sizes(pid: int, name: str) -> dict[str, int]:
    """The lines `Name: N kB` of a file of /proc/PID, in bytes; nothing where the process is gone or not ours to see."""
    try:
        lines = Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {word[0].rstrip(":"): 1024 * int(word[1]) for word in words if len(word) == 3 and word[1].isdigit()}


def descendants(root: int) -> list[int]:
    """Every process below `root`, itself left out."""
    children: dict[int, list[int]] = {}
    for pid in processes():
        parent = _parent_of(pid)
        if parent is not None:
            children.setdefault(parent, []).append(pid)
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def session_of(pid: int) -> int | None:
    """The session that `pid` belongs to; None where it is gone or a zombie."""
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] != "Z" else None


def _parent_of(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def birth_of(pid: int) -> str:
    """When `pid` was started, in clock ticks since boot: tells it from a later process of the same number."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, behind the name (which may hold anything)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
