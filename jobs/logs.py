"""A job's log as a page shows it: by byte offset, made harmless to look at."""

from __future__ import annotations

import re
from pathlib import Path

NAME = "kernel.log"
CHUNK = 256 * 1024  # bytes a page gets at a time
OPENING = 64 * 1024  # bytes of the tail a page opens with

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def read(path: Path, start: int | None) -> tuple[str, int, int]:
    """Text from byte `start` (None: the tail), where it ends, and the size of the file, all in bytes.

    Ends at a whole line where there is one, so that no character or progress bar is cut in two.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            at = max(0, size - OPENING) if start is None else min(max(start, 0), size)
            file.seek(at)
            data = file.read(CHUNK)
    except OSError:
        return "", 0, 0
    if start is None and at > 0:
        skipped = data.find(b"\n") + 1
        data, at = data[skipped:], at + skipped
    end = data.rfind(b"\n") + 1
    if end == 0 and len(data) == CHUNK:
        end = len(data)
    return clean(data[:end].decode("utf-8", "replace")), at + end, size


def tail(path: Path, size: int) -> str:
    """The last `size` bytes as clean text, a last line without its end included."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return clean(file.read(size).decode("utf-8", "replace"))
    except OSError:
        return ""


def clean(text: str) -> str:
    """Without escape sequences and control characters; of a bar drawn with carriage returns only the last state."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("", "\n".join(lines))
