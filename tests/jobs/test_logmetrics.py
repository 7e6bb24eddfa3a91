"""Graphs out of the log of a program that knows no metrics files."""

from __future__ import annotations

import time

import pytest

from jobs import ingest, logmetrics, runfolder
from jobs.models import Job, MetricPoint

ENTRIES = [
    {"name": "loss", "regex": r"loss[=: ]+([0-9.e+-]+|nan)"},
    {"name": "accuracy", "regex": r"epoch (?P<step>\d+).*top1 (?P<top1>[\d.]+)(?: top5 (?P<top5>[\d.]+))?"},
]


@pytest.fixture
def job(script_kind, project, alice) -> Job:
    job = Job.submit(project=project, kind="script", title="s", created_by=alice)
    runfolder.output(job).mkdir(parents=True)
    logmetrics.keep(runfolder.of(job), ENTRIES)
    return job


@pytest.fixture
def step(job):
    return lambda **how: ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None).step(**how)


@pytest.fixture
def log(job):
    def write(text: str) -> None:
        with runfolder.log(job).open("a") as file:
            file.write(text)

    return write


def curve(job: Job, chart: str, series: str) -> list[list[float | None]]:
    found = MetricPoint.objects.filter(job=job, chart=chart, series=series).order_by("id")
    return [[point.x, point.value] for point in found]


def test_matches_become_curves_whoever_reads_them(job, step, log):
    log("starting\nloss: 0.5\nepoch 3 loss=0.25 top1 0.7 top5 0.9\nloss=na")
    step()
    assert curve(job, "loss", "loss") == [[1, 0.5], [2, 0.25]]
    log("n\nloss=1e-3\nepoch 4 top1 0.8\n")
    step()  # by a new reader: it counts on where the last one was
    assert curve(job, "loss", "loss") == [[1, 0.5], [2, 0.25], [3, 0.001]]
    assert curve(job, "accuracy", "top1") == [[3, 0.7], [4, 0.8]]
    assert curve(job, "accuracy", "top5") == [[3, 0.9], [4, None]]


def test_the_longest_name_of_a_group_is_that_of_a_curve(job, log):
    name = "a" * 100
    logmetrics.keep(runfolder.of(job), [{"name": "x", "regex": f"x=(?P<{name}>[0-9]+)"}])
    log("x=1\n")
    ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None).step()
    assert curve(job, "x", name) == [[1, 1]]


def test_a_last_line_without_its_end_counts_when_the_program_is_gone(job, step, log):
    log("loss 0.5")
    step()
    assert curve(job, "loss", "loss") == []
    step(final=True)
    assert curve(job, "loss", "loss") == [[1, 0.5]]


def test_a_run_that_starts_from_nothing_forgets_what_the_log_held(job, step, log):
    log("loss=0.5\n")
    step()
    ingest.reset(job)
    log("loss=0.4\n")
    step()
    assert curve(job, "loss", "loss") == [[1, 0.4]]


def test_without_patterns_the_log_is_not_read(job, step, log):
    (runfolder.of(job) / logmetrics.FILE).unlink()
    log("loss=0.5\n")
    step()
    assert not job.cursors.exists()


def test_no_pattern_hangs():
    (pattern,) = logmetrics.patterns([{"name": "x", "regex": "^(a+)+(b)$"}])
    began = time.monotonic()
    assert pattern.row(b"a" * 1_000_000, 0) is None
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({}, "must be tables"),
        ([{"name": "x"}], "must have name and regex"),
        ([{"name": "x", "regex": "(a)", "goal": "min"}], "nothing else"),
        ([{"name": "../x", "regex": "(a)"}], "name must be"),
        ([{"name": "x", "regex": "(a"}], "cannot be used"),
        ([{"name": "x", "regex": "(?=a)(b)"}], "no look-around"),
        ([{"name": "x", "regex": "loss"}], "needs a group"),
        ([{"name": "x", "regex": r"(?P<step>\d+)"}], "needs a group"),
        ([{"name": "x", "regex": f"(?P<{'a' * 101}>.)"}], "longer than 100 characters"),
        ([{"name": "x", "regex": "(a)" * 400}], "1000 bytes at most"),
        ([{"name": "x", "regex": "(a)"}] * 2, "x is there twice"),
        ([{"name": f"x{n}", "regex": "(a)"} for n in range(21)], "20 at most"),
    ],
)
def test_patterns_that_cannot_be_are_refused(entries, words):
    (fault,) = logmetrics.faults(entries)
    assert words in fault
    assert logmetrics.patterns(entries) == ()


def test_a_progress_bar_is_many_lines(job, step, log):
    log("\r1% loss=0.5\r2% loss=0.25\r3% loss=0.125\n")
    step()
    assert curve(job, "loss", "loss") == [[1, 0.5], [2, 0.25], [3, 0.125]]
