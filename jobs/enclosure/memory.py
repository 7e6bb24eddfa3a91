"""How much memory a program's processes have together, looked at now and then."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from jobs.enclosure.processes import descendants

LOOK = (0.5, 5.0)  # seconds from one look at the memory to the next: more often while the program is young
LOOK_COST = 0.02  # seconds of CPU; a look that took n times as much is followed by a pause n times as long


class Memory:
    """The most memory that the program's processes had together: what is lost when it is full, so no pages of files
    (libraries, a cache of images that is mapped), and what forked processes share counts once.

    A look every few seconds misses a rise between two of them. The system keeps each process's own highest resident
    size, files included: less the most of files that was seen, it tells how far the process once was above now. Such
    rises of different processes are added up, as ranks rise in step.
    """

    def __init__(self) -> None:
        self.most = 0
        self.aside: set[int] = set()  # processes that are not the program's
        self.files: dict[int, int] = {}  # the most of files that a process was seen with
        self.began = time.monotonic()
        self.due = self.began + LOOK[0]

    def look(self) -> float:
        """Look where it is time to. Returns seconds to the next look."""
        now = time.monotonic()
        if now >= self.due:
            before = time.process_time()
            pids = [pid for pid in descendants(os.getpid()) if pid not in self.aside]
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
