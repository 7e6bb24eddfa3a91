"""Reads what a running kernel writes: metrics and status lines, by byte offset, whole lines only.

The cursor moves in the transaction that stores what was read, so a row is stored once however often a reader dies or a
commit fails. Whatever a file holds, reading it raises nothing: what cannot be understood is counted.
"""

from __future__ import annotations

import copy
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.db import transaction

from jobs import clock
from jobs.models import IngestCursor, Job, MetricPoint, storable
from kernels_app.contract import metrics, results, status

CHUNK = 4 * 1024 * 1024  # bytes read at a time
LINE_LIMIT = 256 * 1024  # bytes; what is longer than this without an end is no line
FILE_LIMIT = 100  # metrics files looked at
NAME_LIMIT = 100  # characters of a chart's or a curve's name

Store = Callable[[IngestCursor, list[bytes]], dict[str, Any]]  # returns the job's fields that are new


class Ingest:
    """Reads the files of one run. `guard` is called inside every transaction: it raises where the reader is fenced."""

    def __init__(self, job: Job, folder: Path, output: Path, guard: Callable[[], None]) -> None:
        self._job = job
        self._status = folder / "status.jsonl"
        self._metrics = output / results.METRICS
        self._guard = guard
        self._cursors = {cursor.file: cursor for cursor in job.cursors.all()}

    def step(self, *, final: bool = False) -> None:
        """Read what is new. `final`: the kernel is gone, so that a last line without its end counts too."""
        for path in sorted(self._metrics.glob("*.csv"))[:FILE_LIMIT]:
            name = storable(path.name)
            if len(name) <= NAME_LIMIT:
                self._each_chunk(f"metrics/{name}", path, final, self._store_metrics)
        self._each_chunk("status", self._status, final, self._store_status)

    def _each_chunk(self, name: str, path: Path, final: bool, store: Store) -> None:
        """Hand whole new lines of `path` to `store`, chunk by chunk, each in a transaction with the cursor."""
        while True:
            known = self._cursors.get(name)
            cursor = copy.copy(known) if known else IngestCursor(job=self._job, file=name)
            found = _read(path, cursor)
            if found is None:
                return
            inode, start, data, size, replaced = found
            lines, used = _whole_lines(data, final=final and start + len(data) >= size)
            if not used and not replaced:
                return
            with transaction.atomic():
                self._guard()
                if replaced:
                    self._forget(cursor)
                cursor.inode, cursor.offset = inode, start + used
                news = store(cursor, lines)
                cursor.save()
            self._cursors[name] = cursor  # only what is committed counts as read
            for field, value in news.items():
                setattr(self._job, field, value)
            if len(data) < CHUNK:
                return

    def _forget(self, cursor: IngestCursor) -> None:
        """The file was cut or replaced: its rows are read anew, in the same transaction."""
        cursor.columns, cursor.generation, cursor.bad_rows = [], cursor.generation + 1, 0
        if cursor.file.startswith("metrics/"):
            MetricPoint.objects.filter(job=self._job, chart=_chart(cursor)).delete()

    def _store_metrics(self, cursor: IngestCursor, lines: list[bytes]) -> dict[str, Any]:
        elapsed = (clock.now() - self._job.started_at).total_seconds() if self._job.started_at else 0.0
        points: list[MetricPoint] = []
        for line in (storable(raw.decode("utf-8-sig", "replace")).strip() for raw in lines):
            if not line:
                continue
            if not cursor.columns:
                cursor.columns = [name[:NAME_LIMIT] for name in metrics.parse_header(line)]
                continue
            row = metrics.parse_row(line, len(cursor.columns))
            if row is None:
                cursor.bad_rows += 1
                continue
            points += self._points(cursor, elapsed, *row)
        MetricPoint.objects.bulk_create(points, batch_size=5000)
        return {}

    def _points(
        self, cursor: IngestCursor, elapsed: float, x: float, values: list[float | None]
    ) -> Iterable[MetricPoint]:
        chart = _chart(cursor)
        return (
            MetricPoint(job=self._job, chart=chart, series=series, x=x, t=elapsed, value=value)
            for series, value in zip(cursor.columns[1:], values, strict=True)
        )

    def _store_status(self, cursor: IngestCursor, lines: list[bytes]) -> dict[str, Any]:
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
        if news:
            Job.objects.filter(pk=self._job.pk).update(**news)
        return news


def reset(job: Job) -> None:
    """The run starts again from nothing: what was read of it is forgotten."""
    with transaction.atomic():
        job.points.all().delete()
        job.cursors.all().delete()


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
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return None
        replaced = bool(cursor.inode) and (cursor.inode != found.st_ino or found.st_size < cursor.offset)
        start = 0 if replaced else cursor.offset
        file.seek(start)
        return found.st_ino, start, file.read(CHUNK), found.st_size, replaced


def _chart(cursor: IngestCursor) -> str:
    return Path(cursor.file).stem[:NAME_LIMIT]


def _whole_lines(data: bytes, *, final: bool) -> tuple[list[bytes], int]:
    """Lines of `data` that have their end, and how many bytes they take; a hopelessly long one is passed over."""
    end = len(data) if final else data.rfind(b"\n") + 1
    if not end and len(data) >= LINE_LIMIT:
        end = len(data)
    return data[:end].split(b"\n") if end else [], end
