"""File locks that tell life from death: the kernel of the operating system drops them with the last process.

Open-file-description locks: a child that inherits the open file holds the lock as well, and `is_held` asks without
taking, so that nobody who asks can be in the way of somebody who takes. Stdlib only: the shim uses them too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FLOCK = "hhqqi4x"  # l_type, l_whence, l_start, l_len, l_pid


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def hold(path: Path, given: int | None = None) -> Iterator[int]:
    """Hold `path` exclusively; the open file. Raises Busy at once where somebody else does. Not inherited by children.

    `given`: the file, open and locked already by whoever started this process.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644) if given is None else given
    try:
        os.set_inheritable(fd, False)
        if not take(fd):
            raise Busy(path.name)
        yield fd
    finally:
        os.close(fd)


def say(fd: int, text: str) -> None:
    """Write into a file that is held, for whoever wants to know who holds it."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def take(fd: int) -> bool:
    """Lock an open file until its last copy is closed, in whatever process; False where somebody else has it."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def is_held(path: Path) -> bool:
    """Whether some process holds `path` now."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        found = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)
    finally:
        os.close(fd)
