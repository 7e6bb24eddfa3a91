"""Keeps a growing log below a size: its head and its tail stay, the middle is given back to the disk.

The middle becomes a hole in the file (`fallocate`), so that whoever appends never waits, offsets stay what they were,
and no line between is lost. Where the file system knows no holes the file is cut to its head, and a new tail grows.
"""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

BLOCK = 4096  # bytes; holes are made of whole blocks
PUNCH_HOLE, KEEP_SIZE = 2, 1
SUFFIX = ".cut"  # beside the log: what is not there any more


@dataclass(frozen=True)
class Cut:
    """Bytes `at` to `until` of the file hold nothing; `lost` bytes were there."""

    at: int
    until: int
    lost: int


def cut_of(log: Path) -> Cut | None:
    """What was cut out of a log; None where it is whole."""
    try:
        found = json.loads(_beside(log).read_text(encoding="utf-8"))
        return Cut(int(found["at"]), int(found["until"]), int(found["lost"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Cutter:
    """`limit`: bytes that the log may take, 0 for as many as it likes."""

    def __init__(self, log: Path, limit: int) -> None:
        self._log = log
        self._limit = max(limit, 16 * BLOCK) if limit else 0
        self._head = self._limit // 4 // BLOCK * BLOCK
        self._cut = cut_of(log) or Cut(self._head, self._head, 0)

    def look(self) -> None:
        """Cut where it has grown too large. Raises nothing: a log is no reason to end what writes it."""
        if not self._limit:
            return
        try:
            size = self._log.stat().st_size
            if size - (self._cut.until - self._cut.at) > self._limit:
                self._cut_to(size)
        except OSError:
            return

    def _cut_to(self, size: int) -> None:
        until = (size - self._limit // 2) // BLOCK * BLOCK
        at = min(self._cut.at, until)
        fd = os.open(self._log, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if _punch(fd, at, until - at):
                self._say(Cut(at, until, self._cut.lost + until - self._cut.until))
            else:
                os.ftruncate(fd, at)
                self._say(Cut(at, at, self._cut.lost + size - at))
        finally:
            os.close(fd)

    def _say(self, cut: Cut) -> None:
        draft = _beside(self._log).with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(cut)), encoding="utf-8")
        draft.replace(_beside(self._log))
        self._cut = cut


def _beside(log: Path) -> Path:
    return log.with_name(log.name + SUFFIX)


def _punch(fd: int, start: int, length: int) -> bool:
    """Make a hole; False where the file system knows none."""
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return bool(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, start, length) == 0)
