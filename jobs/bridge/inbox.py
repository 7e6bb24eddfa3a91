"""Writes what came over the broker into `status.jsonl`, each message once, whenever a reader dies.

A message is written first and acknowledged after that, so one who dies in between gets it again. A journal beside the
file says what is being written; whoever comes next looks which of it is there, and passes over it when the broker
brings it once more.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from jobs.bridge.lines import line_of
from jobs.launchers.shim import write_json

LOOKED_AT = 16 * 2**20  # bytes of status.jsonl behind the place where a batch was begun

Message = tuple[bytes, bool]  # its body, and whether the broker brought it to somebody before


class Inbox:
    """`status`: the file; `journal`: another one beside it that no kernel writes."""

    def __init__(self, status: Path, journal: Path) -> None:
        self._status, self._journal = status, journal
        self._again: Counter[str] = Counter()  # written already, and perhaps not acknowledged
        self.load()

    def load(self) -> None:
        """After a connection or a reader was lost: what of the last batch stands in the file."""
        try:
            found = json.loads(self._journal.read_text(encoding="utf-8"))
            again, batch, offset = Counter(found["again"]), Counter(found["batch"]), int(found["offset"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        written = Counter(map(_digest, self._lines_from(offset)))
        self._again = again + (batch & written)

    def take(self, messages: Sequence[Message]) -> None:
        """Write them. Raises OSError where that cannot be; then none of them may be acknowledged."""
        again, fresh = self._again.copy(), list[bytes]()
        for body, came_before in messages:
            line = line_of(body)
            if came_before and again[_digest(line)] > 0:
                again[_digest(line)] -= 1
            else:
                fresh.append(line)
        fd = _open(self._status)
        try:
            offset = os.fstat(fd).st_size
            self._note(self._again, map(_digest, fresh), offset)
            _append(fd, fresh, offset)
        finally:
            os.close(fd)
        self._left = +again

    def confirmed(self) -> None:
        """The broker knows that they are here, and brings them no more."""
        self._again = self._left
        self._note(self._again, (), 0)

    def _note(self, again: Counter[str], batch: Iterable[str], offset: int) -> None:
        write_json(self._journal, {"again": dict(again), "batch": Counter(batch), "offset": offset})

    def _lines_from(self, offset: int) -> list[bytes]:
        """Whole ones."""
        try:
            fd = os.open(self._status, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return []
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return []
            file.seek(offset)
            return file.read(LOOKED_AT).split(b"\n")[:-1]


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:32]


def _open(path: Path) -> int:
    """For appending. A link, a pipe or a folder in its place is not written into."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no regular file", path.name)
    return fd


def _append(fd: int, lines: list[bytes], size: int) -> None:
    """All of them on the disk, or OSError. Half a line that somebody left does not spoil the first."""
    if not lines:
        return
    start = b"" if not size or os.pread(fd, 1, size - 1) == b"\n" else b"\n"
    data = start + b"\n".join(lines) + b"\n"
    done = 0
    while done < len(data):
        done += os.write(fd, data[done:])
    os.fdatasync(fd)
