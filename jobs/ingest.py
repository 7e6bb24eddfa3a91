"""Reads what a running kernel writes: metrics and status lines, by byte offset, whole lines only.

The cursor moves in the transaction that stores what was read, so a row is stored once however often a reader dies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from jobs import clock
from jobs.models import IngestCursor, Job, MetricPoint
from kernels_app.contract import metrics, results, status

CHUNK = 4 * 1024 * 1024  # bytes read at a time
LINE_LIMIT = 256 * 1024  # bytes; what is longer than this without an end is no line
FILE_LIMIT = 100  # metrics files looked at
NAME_LIMIT = 100  # characters of a chart's or a curve's name


@dataclass
class News:
    """What the status lines said since the last look."""

    fields: dict[str, Any] = field(default_factory=dict)  # of the Job row
    bad_lines: int = 0


class Ingest:
    """Reads the files of one run. `guard` is called inside every transaction: it raises where the reader is fenced."""

    def __init__(self, job: Job, folder: Path, output: Path, guard: Callable[[], None]) -> None:
        self._job = job
        self._status = folder / "status.jsonl"
        self._metrics = output / results.METRICS
        self._guard = guard
        self._cursors = {cursor.file: cursor for cursor in job.cursors.all()}

    def step(self, *, final: bool = False) -> News:
        """Read what is new. `final`: the kernel is gone, so that a last line without its end counts too."""
        for path in sorted(self._metrics.glob("*.csv"))[:FILE_LIMIT]:
            self._each_chunk(f"metrics/{path.name}", path, final, self._store_metrics)
        news = News()
        self._each_chunk("status", self._status, final, lambda cursor, lines: self._read_status(lines, news))
        return news

    def _each_chunk(
        self, name: str, path: Path, final: bool, store: Callable[[IngestCursor, list[bytes]], None]
    ) -> None:
        """Hand whole new lines of `path` to `store`, chunk by chunk, each in a transaction with the cursor."""
        while True:
            cursor = self._cursors.get(name) or IngestCursor(job=self._job, file=name)
            try:
                file = path.open("rb")
            except OSError:
                return
            with file:
                found = os.fstat(file.fileno())
                replaced = cursor.inode and (cursor.inode != found.st_ino or found.st_size < cursor.offset)
                start = 0 if replaced else cursor.offset
                file.seek(start)
                data = file.read(CHUNK)
            lines, used = _whole_lines(data, final=final and start + len(data) >= found.st_size)
            if not used and not replaced:
                return
            with transaction.atomic():
                self._guard()
                if replaced:
                    self._forget(cursor)
                cursor.inode, cursor.offset = found.st_ino, start + used
                store(cursor, lines)
                cursor.save()
            self._cursors[name] = cursor
            if len(data) < CHUNK:
                return

    def _forget(self, cursor: IngestCursor) -> None:
        """The file was cut or replaced: its rows are read anew, in the same transaction."""
        cursor.columns, cursor.generation, cursor.bad_rows = [], cursor.generation + 1, 0
        if cursor.file.startswith("metrics/"):
            MetricPoint.objects.filter(job=self._job, chart=_chart(cursor)).delete()

    def _store_metrics(self, cursor: IngestCursor, lines: list[bytes]) -> None:
        elapsed = (clock.now() - self._job.started_at).total_seconds() if self._job.started_at else 0.0
        points: list[MetricPoint] = []
        for line in (raw.decode("utf-8-sig", "replace").strip() for raw in lines):
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

    def _points(
        self, cursor: IngestCursor, elapsed: float, x: float, values: list[float | None]
    ) -> Iterable[MetricPoint]:
        chart = _chart(cursor)
        return (
            MetricPoint(job=self._job, chart=chart, series=series, x=x, t=elapsed, value=value)
            for series, value in zip(cursor.columns[1:], values, strict=True)
        )

    def _read_status(self, lines: list[bytes], news: News) -> None:
        """The last word on progress counts; an error is final, and so is what it said."""
        for line in lines:
            message = status.parse(line, self._job.run_key)
            if message is None:
                news.bad_lines += 1 if line.strip() else 0
            elif not self._job.kernel_error:
                self._hear(message, news)
        if news.bad_lines:
            news.fields["bad_lines"] = self._job.bad_lines + news.bad_lines
        if news.fields:
            Job.objects.filter(pk=self._job.pk).update(**news.fields)
            for name, value in news.fields.items():
                setattr(self._job, name, value)
            news.bad_lines = 0

    def _hear(self, message: status.StatusMessage, news: News) -> None:
        if message.phase == "error":
            self._job.kernel_error = message.message or "The kernel reported an error without a message."
            news.fields["kernel_error"] = self._job.kernel_error
        elif message.phase == "done":
            news.fields["kernel_done"] = True
        else:
            news.fields["percentage"] = message.percentage if message.percentage is not None else 0.0
            if message.step is not None:
                news.fields["step"] = message.step


def reset(job: Job) -> None:
    """The run starts again from nothing: what was read of it is forgotten."""
    with transaction.atomic():
        job.points.all().delete()
        job.cursors.all().delete()


def reset_status(job: Job) -> None:
    """The status file starts again; metrics go on."""
    job.cursors.filter(file="status").delete()


def _chart(cursor: IngestCursor) -> str:
    return Path(cursor.file).stem[:NAME_LIMIT]


def _whole_lines(data: bytes, *, final: bool) -> tuple[list[bytes], int]:
    """Lines of `data` that have their end, and how many bytes they take; a hopelessly long one is passed over."""
    end = len(data) if final else data.rfind(b"\n") + 1
    if not end and len(data) >= LINE_LIMIT:
        end = len(data)
    return data[:end].split(b"\n") if end else [], end
