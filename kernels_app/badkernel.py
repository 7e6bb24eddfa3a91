"""What a runner has to know of packages: a module of its own, so that no training waits for the reader of schemas."""

from __future__ import annotations

from pathlib import Path


class BadKernel(Exception):
    """A package that is no kernel; the message says what is wrong with it."""


def bytes_of(path: Path) -> bytes | None:
    """A file of a package; None where it is not there, or is no plain file."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None
