"""Curves as CSV, row by row, however long they are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from jobs.curves import levels
from jobs.metric_models import MetricCurve


def chart_rows(curves: Sequence[MetricCurve]) -> Iterator[list[Any]]:
    """A chart as its metrics file had it: x and a column a curve."""
    yield [curves[0].x_name, *(curve.series for curve in curves)]
    pages = [levels.points(curve, 0, curve.last_id) for curve in curves]
    for found in zip(*pages, strict=False):
        for row in zip(*found, strict=False):
            yield [plain(row[0][1]), *(plain(value) for _id, _x, _t, value in row)]


def plain(value: float | None) -> str:
    """A number as people write it: 3, not 3.0; nothing for a gap."""
    if value is None:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def answer(name: str, rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download that is never whole in memory."""
    writer = csv.writer(_Echo())
    response = StreamingHttpResponse((writer.writerow(row) for row in rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text
