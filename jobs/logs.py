"""A job's log as a page shows it: by byte offset, made harmless to look at."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from jobs.enclosure.logcut import Cut, cut_of

NAME = "kernel.log"
CHUNK = 256 * 1024  # bytes a page gets at a time
OPENING = 64 * 1024  # bytes of the tail a page opens with

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def read(path: Path, start: int | None) -> tuple[str, int, int]:
    """Text from byte `start` (None: the tail), where it ends, and the size of the file, all in bytes.

    Ends at a whole line where there is one, so that no character or progress bar is cut in two. What was cut out of
    the middle is passed over, and said.
    """
    try:
        size, cut = path.stat().st_size, cut_of(path)
        at = max(0, size - OPENING) if start is None else min(max(start, 0), size)
        said = ""
        if cut and cut.at <= at < cut.until:
            at, said = cut.until, note(cut)
        with open_plain(path) as file:
            file.seek(at)
            data = file.read(min(CHUNK, cut.at - at) if cut and at < cut.at else CHUNK)
    except OSError:
        return "", 0, 0
    if start is None and at > 0:
        skipped = data.find(b"\n") + 1
        data, at = data[skipped:], at + skipped
    end = data.rfind(b"\n") + 1
    if end == 0 and (len(data) == CHUNK or (cut and at + len(data) == cut.at)):
        end = len(data)
    return said + clean(data[:end].decode("utf-8", "replace")), at + end, size


def parts(path: Path) -> Iterator[bytes]:
    """The whole log, chunk by chunk, what was cut out of it passed over, and said. Raises OSError at once."""
    return _parts(open_plain(path), cut_of(path))


def _parts(file: BinaryIO, cut: Cut | None) -> Iterator[bytes]:
    with file:
        if cut:
            yield file.read(cut.at)
            yield f"\n{note(cut)}".encode()
            file.seek(cut.until)
        while data := file.read(CHUNK):
            yield data


def note(cut: Cut) -> str:
    """The line that stands for what was cut out."""
    return _("… %(size)s were cut out here …") % {"size": filesizeformat(cut.lost)} + "\n"


def open_plain(path: Path) -> BinaryIO:
    """A regular file, to read: not one that a link of that name leads to, nor a pipe. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(fd, "rb")
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        file.close()
        raise FileNotFoundError(path)
    return file


def tail(path: Path, size: int) -> str:
    """The last `size` bytes as clean text, a last line without its end included."""
    try:
        with open_plain(path) as file:
            file.seek(max(0, path.stat().st_size - size))
            return clean(file.read(size).decode("utf-8", "replace"))
    except OSError:
        return ""


def clean(text: str) -> str:
    """Without escape sequences and control characters; of a bar drawn with carriage returns only the last state."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("", "\n".join(lines))
