"""A job's log as a page shows it: by byte offset, line by line, made harmless to look at."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from jobs.enclosure.logcut import Cut, cut_of

NAME = "kernel.log"
CHUNK = 256 * 1024  # bytes a page gets at a time
OPENING = 64 * 1024  # bytes of the tail a page opens with
LONGEST = 16 * 1024  # characters of one line
BACKLOG = 4 * CHUNK  # bytes; a page that follows and is further behind goes on at the tail
SCAN = 8 * 1024 * 1024  # bytes that one search looks through
HITS = 500  # lines that one search shows

ERROR, WARNING = "error", "warning"
LEVELS = {ERROR: (ERROR,), WARNING: (ERROR, WARNING)}  # what a filter for a level lets through

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_STRANGE = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")  # what no text has much of
_IS_ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL|SEVERE)\b|^(?:[\w.]+: )?(?:error|fatal|fatal error|Error|Fatal): |"
    r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt)\b"
)
_IS_WARNING = re.compile(r"\bWARN(?:ING)?\b|\b\w*Warning: |^(?:[\w.]+: )?[Ww]arning: ")
_RANK = re.compile(r"^\[rank\d+\]:\s?")  # torchrun writes it before what a rank says
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Line:
    """`at`: where it begins in the file, in bytes. `level`: "error", "warning" or nothing."""

    at: int
    text: str
    level: str = ""


@dataclass(frozen=True)
class Part:
    """A stretch of the file. `end`: where the next one begins; `rest`: a last line that has no end yet, as it stands.

    `skipped`: bytes that were passed over before it, because the reader was too far behind.
    """

    lines: list[Line]
    start: int
    end: int
    size: int
    rest: str = ""
    skipped: int = 0

    @property
    def text(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)


def read(path: Path, start: int | None, *, most: int = CHUNK) -> Part:
    """Whole lines from byte `start` (None: the tail), so that no character or progress bar is cut in two.

    A line that fills all of it without an end is passed over in pieces; what was cut out of the middle is passed over,
    and said.
    """
    try:
        size, cut = path.stat().st_size, cut_of(path)
        at = max(0, size - OPENING) if start is None else min(max(start, 0), size)
        at, said = _past(cut, at)
        data = _bytes(path, at, most)
    except OSError:
        return Part([], 0, 0, 0)
    is_cut = cut is not None and at < cut.at <= at + len(data)
    if cut and is_cut:
        data = data[: cut.at - at]
    if start is None and at > 0 and b"\n" in data and not said:
        skipped = data.find(b"\n") + 1
        data, at = data[skipped:], at + skipped
    end = data.rfind(b"\n") + 1
    if end == 0 and (len(data) == most or is_cut):
        end = len(data)
    rest = data[end:] if at + len(data) >= size else b""
    return Part([*said, *_lines(data[:end], at)], at, at + end, size, _rest(rest))


def parts(path: Path) -> Iterator[bytes]:
    """The whole log, chunk by chunk, what was cut out of it passed over, and said. Raises OSError at once."""
    return _parts(open_plain(path), cut_of(path))


def kept(path: Path) -> int:
    """Bytes of the log without what was cut out of it; 0 where there is none."""
    try:
        size, cut = path.stat().st_size, cut_of(path)
    except OSError:
        return 0
    return size - (cut.until - cut.at) if cut else size


def open_plain(path: Path) -> BinaryIO:
    """A regular file, to read: not one that a link of that name leads to, nor a pipe. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(fd, "rb")
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        file.close()
        raise FileNotFoundError(path)
    return file


def follow(path: Path, start: int) -> Part:
    """As `read`, for a page that shows what is added; one that is far behind goes on at the tail."""
    try:
        behind = path.stat().st_size - start
    except OSError:
        behind = 0
    if behind <= BACKLOG:
        return read(path, start)
    tail = read(path, None)
    return Part(tail.lines, tail.start, tail.end, tail.size, tail.rest, skipped=tail.start - start)


def around(path: Path, at: int) -> Part:
    """The lines before and after byte `at`, as much as one page shows."""
    before = min(max(at, 0), OPENING)
    start = line_start(path, at - before)
    return read(path, start, most=CHUNK)


def line_start(path: Path, at: int) -> int:
    """Where the line begins that byte `at` is in; `at` itself where that is further away than a page shows."""
    if at <= 0:
        return 0
    cut = cut_of(path)
    at = _past(cut, at)[0]
    since = max(0, at - OPENING, cut.until if cut and cut.until <= at else 0)
    try:
        before = _bytes(path, since, at - since)
    except OSError:
        return 0
    return at - len(before) + before.rfind(b"\n") + 1 if b"\n" in before else at - min(at, len(before))


def tail(path: Path, size: int) -> list[Line]:
    """The lines of the last `size` bytes, a last one without its end included."""
    try:
        at = _past(cut_of(path), max(0, path.stat().st_size - size))[0]
        data = _bytes(path, at, size)
    except OSError:
        return []
    if at > 0:
        cut = data.find(b"\n") + 1
        data, at = data[cut:], at + cut
    return list(_lines(data, at))


def search(path: Path, text: str, level: str, since: int) -> tuple[list[Line], int | None]:
    """Lines from byte `since` that hold `text`, whatever its case, and are of this level or worse.

    And where to search on, None at the end of the file.
    """
    found: list[Line] = []
    at, wanted, levels = since, text.casefold(), LEVELS.get(level)
    while at < since + SCAN:
        part = read(path, at)
        for line in part.lines:
            if wanted in line.text.casefold() and (levels is None or line.level in levels):
                found.append(line)
                if len(found) == HITS:
                    return found, line.at + 1
        if part.end == at:
            return found, None
        at = part.end
    return found, at


def clean(text: str) -> str:
    """Without escape sequences and control characters; of a bar drawn with carriage returns only the last state."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("", "\n".join(lines))


def _past(cut: Cut | None, at: int) -> tuple[int, list[Line]]:
    """Where to read on where `at` is in what was cut out, and the line that stands for it."""
    if cut and cut.at <= at < cut.until:
        return cut.until, [Line(cut.at, _note(cut))]
    return at, []


def _note(cut: Cut) -> str:
    return _("… %(size)s were cut out here …") % {"size": filesizeformat(cut.lost)}


def _parts(file: BinaryIO, cut: Cut | None) -> Iterator[bytes]:
    with file:
        if cut:
            yield file.read(cut.at)
            yield f"\n{_note(cut)}\n".encode()
            file.seek(cut.until)
        while data := file.read(CHUNK):
            yield data


def _bytes(path: Path, at: int, count: int) -> bytes:
    with open_plain(path) as file:
        file.seek(at)
        return file.read(count)


def _lines(data: bytes, at: int) -> Iterator[Line]:
    """The lines of `data`, which begins at byte `at`. All of a traceback is an error."""
    inside = False
    for raw in data.removesuffix(b"\n").split(b"\n") if data else []:
        text = _shown(raw)
        said = _RANK.sub("", text)
        inside = inside or said.startswith(_TRACEBACK)
        yield Line(at, text, ERROR if inside else _level(said))
        inside = inside and (not said or said.startswith((" ", _TRACEBACK)))
        at += len(raw) + 1


def _shown(raw: bytes) -> str:
    """One line, fit to look at: what is no text is only named."""
    text = raw.decode("utf-8", "replace")
    if len(_STRANGE.findall(text[:LONGEST])) > 0.1 * min(len(text), LONGEST) + 2:
        return _("[%(n)d bytes that are no text]") % {"n": len(raw)}
    shown = clean(text)
    if len(shown) <= LONGEST:
        return shown
    return shown[:LONGEST] + " " + _("[cut: the line has %(n)d characters]") % {"n": len(shown)}


def _rest(raw: bytes) -> str:
    return _shown(raw[-LONGEST:]) if raw else ""


def _level(text: str) -> str:
    head = text[:400]
    if _IS_ERROR.search(head):
        return ERROR
    return WARNING if _IS_WARNING.search(head) else ""
