"""Kernels that write nonsense: it is read to the end, what is sound in it counts once, the rest is counted."""

from __future__ import annotations

import contextlib
import os

import psutil
import pytest

from jobs.ingest import BLOCK
from jobs.metric_models import WHOLE
from jobs.models import State
from tests.faults.invariants import points

ROWS = int(os.environ.get("FAULTS_ROWS", "100000"))  # the soak draws ten million once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


def test_f36_status_lines_that_are_none_are_counted_and_change_nothing(portal):
    """Not JSON, of another run, 1 MB long, NaN, 1e9, -5, too deep, binary."""
    portal.tend()
    job = portal.until(portal.train(steps=3, behaviour="bad_status"), State.SUCCEEDED)
    assert job.bad_lines >= 8
    assert (job.percentage, job.step) == (100, 3)


def test_f37_metrics_that_are_none_are_passed_over_and_the_good_rows_are_there_once(portal):
    """NaN, inf, text, 70 columns, header alone, no end of line, replaced, cut, CRLF, a mark in front, UTF-16, links."""
    portal.expects_rows = False
    portal.tend()
    job = portal.until(portal.train(steps=2, behaviour="bad_metrics", pause=0.4), State.SUCCEEDED)
    found = {}
    for chart, series, x, value in points(job):
        found.setdefault(f"{chart}/{series}", []).append((x, value))
    assert found["gaps/a"] == [(1, None), (2, None), (3, 4)]
    assert found["crlf/a"] == [(1, 2), (2, 3)]
    assert found["unended/a"] == [(1, 1), (2, 2)]
    assert found["replaced/b"] == [(5, 6)]
    assert "replaced/a" not in found
    assert len([name for name in found if name.startswith("wide/")]) == 64
    assert not [name for name in found if name.startswith(("header", "link"))]


def test_f38_rows_without_number_at_once_are_read_with_little_memory(portal):
    portal.expects_rows = False
    portal.tend()
    job = portal.train(steps=2, behaviour="many_rows", rows=ROWS)
    runner = portal.wait("the runner", lambda: portal.runner_of(job))
    most = 0

    def has_ended() -> bool:
        nonlocal most
        with contextlib.suppress(psutil.Error):
            most = max(most, psutil.Process(runner).memory_info().rss)
        job.refresh_from_db()
        return not job.is_active

    portal.wait("the end", has_ended, patience=300)
    assert job.state == State.SUCCEEDED
    assert job.points.filter(chart="many").count() == kept_of(ROWS)
    assert most < 250 * 2**20


def kept_of(rows: int) -> int:
    """How many of the rows of that file become points: all of its first 32 MB, then those across a block's end."""
    kept, end = 0, len("step,a\n")
    for n in range(rows):
        begin, end = end, end + len(f"{n},{n / 7}\n")
        kept += begin <= WHOLE or begin // BLOCK != end // BLOCK
    return kept
