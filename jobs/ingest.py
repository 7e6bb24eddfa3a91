"""Reads what a running kernel writes: metrics and status lines, by byte offset, whole lines only.

The cursor moves in the transaction that stores what was read, so a row is stored once however often a reader dies or a
commit fails. Whatever a file holds, reading it raises nothing: what cannot be understood is counted.
"""

from __future__ import annotations

import bisect
import copy
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction

from jobs import clock, logmetrics, runfolder
from jobs.curves import storing, thinning
from jobs.curves.storing import Row
from jobs.metric_models import METRICS, NAME_LIMIT, WHOLE
from jobs.models import IngestCursor, Job, MetricCurve, storable
from kernels_app.contract import metrics, results, status

LOG = "log"  # the cursor of the log
CHUNK = 512 * 1024  # bytes read at a time
AT_ONCE = 64_000  # points stored in one transaction, roughly: six bytes may be a row of 64 curves
BLOCK = 1024  # bytes; past `WHOLE` the row counts that lies across the end of one: about one row of each
LINE_LIMIT = 256 * 1024  # bytes; what is longer than this without an end is no line
OWN = len(results.METRICS.parts)  # folders above a metrics file that the kernel makes
FILE_LIMIT = 100  # metrics files looked at
BUDGET = 2.0  # seconds of one step: whoever reads has other things to do, as to renew the lease
NO_FILE = -1  # the inode of none: whatever is there by that name is another file
TIMES = 200  # points whose times a file that was cut back keeps

Span = tuple[float, float]  # seconds since the job started
Store = Callable[[], dict[str, Any]]  # writes what was read; returns the job's fields that are new
Reader = Callable[[IngestCursor, list[bytes], Span], Store]  # understands lines that were written in that time


class Ingest:
    """Reads the files of one run. `guard` is called inside every transaction: it raises where the reader is fenced."""

    def __init__(self, job: Job, folder: Path, output: Path, guard: Callable[[], None]) -> None:
        self._job = job
        self._status = folder / "status.jsonl"
        self._metrics = output / results.METRICS
        self._log = folder / runfolder.LOG
        self._patterns = logmetrics.kept(folder)
        self._guard = guard
        self._cursors = {cursor.file: cursor for cursor in job.cursors.all()}
        self._looked = self._last_look()
        self._read_up_to: dict[str, float] = {}  # by file, where a step ended before the file did

    def step(self, *, final: bool = False) -> bool:
        """Read what is new; True where there is more, which the next step reads.

        `final`: the kernel is gone, so that a last line without its end counts too.
        """
        began, now = time.monotonic(), self._elapsed()
        files = {storable(path.name): path for path in sorted(self._metrics.glob("*.csv"))[:FILE_LIMIT]}
        whole = self._each_chunk("status", self._status, final, self._read_status, began, now)
        for name, path in files.items():
            if len(name) <= NAME_LIMIT:
                whole &= self._each_chunk(METRICS + name, path, final, self._read_metrics, began, now)
        if self._patterns:
            whole &= self._each_chunk(LOG, self._log, final, self._read_log, began, now)
        if whole:
            self._looked = now
        return not whole

    def _last_look(self) -> float:
        """When some reader last knew all that the files held: for the first one, now."""
        curves = storing.curves_of(self._job.pk)
        return max((curve.last_t or 0.0 for curve in curves), default=0.0) if curves else self._elapsed()

    def _elapsed(self) -> float:
        """Seconds since the job started."""
        return (clock.now() - self._job.started_at).total_seconds() if self._job.started_at else 0.0

    def _each_chunk(self, name: str, path: Path, final: bool, read: Reader, began: float, now: float) -> bool:
        """Store the new whole lines of `path`, chunk by chunk, each in a transaction with the cursor.

        False where time was up before the end of the file.
        """
        while True:
            known = self._cursors.get(name)
            cursor = copy.copy(known) if known else IngestCursor(job=self._job, file=name)
            found = _read(path, cursor)
            if found is None:
                return True
            inode, start, data, size, replaced = found
            most = AT_ONCE // (len(cursor.columns) or metrics.SERIES_LIMIT)
            lines, used = _whole_lines(data, most, final=final and start + len(data) >= size)
            if not used and not replaced:
                return True
            forget = self._forgetter(cursor) if replaced else None
            cursor.offset = start
            since = max(self._looked, self._read_up_to.get(name, 0.0))
            until = since + (now - since) * used / max(1, size - start)
            store = read(cursor, lines, (since, until))
            with transaction.atomic():
                self._guard()
                if not self._is_where(known, name):
                    continue
                if forget:
                    forget()
                cursor.inode, cursor.offset = inode, start + used
                news = store()
                cursor.save()
            self._cursors[name], self._read_up_to[name] = cursor, until  # only what is committed counts as read
            for field, value in news.items():
                setattr(self._job, field, value)
            if len(data) < CHUNK and len(lines) < most:
                return True
            if time.monotonic() - began > BUDGET:
                return False

    def _is_where(self, known: IngestCursor | None, name: str) -> bool:
        """Whether the database has the cursor where this reader left it. It has moved where the answer to a commit was
        lost: then what was read is stored already."""
        there = IngestCursor.objects.filter(job=self._job, file=name).first()
        place = (there.inode, there.offset, there.generation) if there else None
        if place == ((known.inode, known.offset, known.generation) if known else None):
            return True
        if there:
            self._cursors[name] = there
        else:
            self._cursors.pop(name, None)
        self._job.refresh_from_db(fields=["bad_lines"])
        return False

    def _forgetter(self, cursor: IngestCursor) -> Callable[[], None]:
        """The file was cut or replaced: its rows are read anew, but keep the times that they had."""
        cursor.columns, cursor.generation, cursor.bad_rows = [], cursor.generation + 1, 0
        if cursor.file == LOG:
            return self._forget_log
        if not cursor.file.startswith(METRICS):
            return lambda: None
        chart = _chart(cursor)
        longest = MetricCurve.objects.filter(job=self._job, chart=chart).order_by("-known").first()
        if longest:
            times = [[x, t] for x, _value, t in thinning.thinned(longest, TIMES).points]
            cursor.times = times if times == sorted(times) else []
        return lambda: storing.forget(self._job, chart)

    def _forget_log(self) -> None:
        """What is left of it is read anew."""
        for pattern in self._patterns:
            storing.forget(self._job, pattern.chart)

    def _read_metrics(self, cursor: IngestCursor, lines: list[bytes], span: Span) -> Store:
        found: list[tuple[float, list[float | None]]] = []
        end = cursor.offset
        for raw in lines:
            begin, end = end, end + len(raw) + 1
            if begin > WHOLE and begin // BLOCK == end // BLOCK:
                continue
            line = raw.decode("utf-8", "replace").strip()
            if not line:
                continue
            if not cursor.columns:
                cursor.columns = _columns(line)
                continue
            row = metrics.parse_row(line, len(cursor.columns))
            if row is None:
                cursor.bad_rows += 1
            else:
                found.append(row)
        rows = _timed(cursor, found, span)

        def store() -> dict[str, Any]:
            storing.append(self._job, _chart(cursor), cursor.columns, rows)
            return {}

        return store

    def _read_log(self, cursor: IngestCursor, lines: list[bytes], span: Span) -> Store:
        """Rows of the graphs that patterns draw out of the log. `columns` counts the rows of each, in their order."""
        counts = [int(n) for n in cursor.columns] or [0] * len(self._patterns)
        found: list[list[tuple[float, list[float | None]]]] = [[] for _pattern in self._patterns]
        for line in (part for whole in lines for part in whole.split(b"\r")):  # a progress bar is many lines
            for n, pattern in enumerate(self._patterns):
                if row := pattern.row(line, counts[n]):
                    counts[n] += 1
                    found[n].append(row)
        cursor.columns = counts

        def store() -> dict[str, Any]:
            for pattern, rows in zip(self._patterns, found, strict=True):
                storing.append(self._job, pattern.chart, pattern.columns, _timed(cursor, rows, span))
            return {}

        return store

    def _read_status(self, cursor: IngestCursor, lines: list[bytes], span: Span) -> Store:
        """The last word on progress counts; an error is final, and so is what it said."""
        news: dict[str, Any] = {}
        bad = 0
        for line in lines:
            message = status.parse(line, self._job.run_key)
            if message is None:
                bad += 1 if line.strip() else 0
            elif not (self._job.kernel_error or news.get("kernel_error")):
                news |= _heard(message)
        if bad:
            news["bad_lines"] = self._job.bad_lines + bad

        def store() -> dict[str, Any]:
            if news:
                Job.objects.filter(pk=self._job.pk).update(**news)
            return news

        return store


def reset(job: Job) -> None:
    """The run starts again from nothing: what was read of it is forgotten."""
    log = runfolder.log(job)
    with transaction.atomic():
        storing.forget_all(job)
        job.cursors.all().delete()
        if log.is_file():  # it goes on in the same file: what stands there already is of the run that is forgotten
            facts = log.stat()
            job.cursors.create(file=LOG, inode=facts.st_ino, offset=facts.st_size)


def distrust(job: Job) -> None:
    """What was read may not be what the files hold: whoever reads them next forgets it and reads them from the start.

    Nothing is forgotten before that, since it may be that nobody reads them again.
    """
    job.cursors.update(inode=NO_FILE)


def reset_status(job: Job) -> None:
    """The status file starts again; metrics go on."""
    job.cursors.filter(file="status").delete()


def _heard(message: status.StatusMessage) -> dict[str, Any]:
    """The job's fields after one message."""
    if message.phase == "error":
        return {"kernel_error": storable(message.message) or "The kernel reported an error without a message."}
    if message.phase == "done":
        return {"kernel_done": True}
    progress: dict[str, Any] = {"percentage": message.percentage or 0.0}
    return progress if message.step is None else progress | {"step": message.step}


def _read(path: Path, cursor: IngestCursor) -> tuple[int, int, bytes, int, bool] | None:
    """Inode, where the data begins, the data, the file's size, and whether the file is another one than before.

    None where there is no such regular file: a pipe or a link by that name is not followed, and never waited for.
    """
    try:
        fd = _open(path)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return None
        replaced = bool(cursor.inode) and (cursor.inode != found.st_ino or found.st_size < cursor.offset)
        start = 0 if replaced else cursor.offset
        start = _behind_hole(fd, start, found.st_size)
        file.seek(start)
        return found.st_ino, start, file.read(CHUNK), found.st_size, replaced


def _behind_hole(fd: int, start: int, size: int) -> int:
    """Where the next data is: a file may be said to have terabytes that were never written. Short holes are read."""
    try:
        data = os.lseek(fd, start, os.SEEK_DATA) if start < size else start
    except OSError:  # there is none behind it
        data = size
    return data if data - start > CHUNK else start


def _open(path: Path) -> int:
    """For reading. Neither a file nor a folder that is the kernel's to make may be a link: it could lead to other runs.
    Raises OSError."""
    own = OWN if path.parent.parts[-OWN:] == results.METRICS.parts else 0
    fd = os.open(path.parents[own], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in path.parts[-own - 1 : -1]:
        try:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    try:
        return os.open(path.name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    finally:
        os.close(fd)


def _columns(line: str) -> list[str]:
    """The names of a header line, each once: a second `loss` is `loss (2)`."""
    names: list[str] = []
    for name in metrics.parse_header(storable(line.lstrip("\ufeff"))):
        free, n = name[:NAME_LIMIT], 1
        while free in names:
            n += 1
            free = f"{name[: NAME_LIMIT - 5]} ({n})"
        names.append(free)
    return names


def _timed(cursor: IngestCursor, rows: list[tuple[float, list[float | None]]], span: Span) -> list[Row]:
    """Each row with its time: what was read before keeps its own, the others are spread evenly over the span."""
    since, until = span
    step = (until - since) / max(1, len(rows))
    times = cursor.times
    if not times:
        return [(x, round(since + n * step, 3), values) for n, (x, values) in enumerate(rows, 1)]
    xs = [x for x, _t in times]
    timed: list[Row] = []
    for n, (x, values) in enumerate(rows, 1):
        if times and x > xs[-1]:
            cursor.times = times = []
        t = times[bisect.bisect_left(xs, x)][1] if times else round(since + n * step, 3)
        timed.append((x, t, values))
    return timed


def _chart(cursor: IngestCursor) -> str:
    return Path(cursor.file).stem[:NAME_LIMIT]


def _whole_lines(data: bytes, most: int, *, final: bool) -> tuple[list[bytes], int]:
    """Lines of `data` that have their end, `most` of them, and how many bytes they take.

    A hopelessly long one is passed over.
    """
    end = len(data) if final else data.rfind(b"\n") + 1
    if not end and len(data) >= LINE_LIMIT:
        end = len(data)
    if not end:
        return [], 0
    lines = data[:end].split(b"\n", most)
    return lines[:most], end - (len(lines[most]) if len(lines) > most else 0)
