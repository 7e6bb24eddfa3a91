"""File locks that tell life from death: the kernel of the operating system drops them with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold `path` exclusively. Raises Busy at once where somebody else does. Not inherited by children."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(path.name) from error
        yield
    finally:
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether some process holds `path` now."""
    if not path.exists():
        return False
    try:
        with hold(path):
            return False
    except Busy:
        return True
