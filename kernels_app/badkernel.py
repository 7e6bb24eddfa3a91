"""What a runner has to know of packages: a module of its own, so that no training waits for the reader of schemas."""

from __future__ import annotations

from pathlib import Path

from django.utils.translation import gettext as _

LARGEST = 8 * 2**20  # bytes of a file that is read as a whole


class BadKernel(Exception):
    """A package that is no kernel; the message says what is wrong with it."""


def bytes_of(path: Path) -> bytes | None:
    """A file of a package; None where it is not there, or is no plain file. Raises BadKernel where it is huge."""
    if not path.is_file() or path.is_symlink():
        return None
    if path.stat().st_size > LARGEST:
        raise BadKernel(_("%(file)s is larger than %(n)d MB.") % {"file": path.name, "n": LARGEST // 2**20})
    return path.read_bytes()
