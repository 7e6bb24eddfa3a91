"""An open file taken from another process: how a case holds a lock that is not its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

PIDFD_GETFD = 438


@contextlib.contextmanager
def taken_from(pid: int, name: str) -> Iterator[None]:
    """Hold what `pid` has open under this name as well, lock included."""
    theirs = next(int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.readlink().name == name)
    pidfd = os.pidfd_open(pid)
    mine = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, theirs, 0)
    os.close(pidfd)
    assert mine >= 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        os.close(mine)
