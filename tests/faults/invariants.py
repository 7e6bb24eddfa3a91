"""The nine invariants that hold after every case, from the kernels' journals, the files, and a diary of the database.

The diary is written by triggers of the database itself, so that no process can change a job behind its back.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from jobs.models import HELD, TERMINAL, Job, Lease, State
from kernels_app.contract import metrics, results
from models_app.models import TrainedModel
from tests.faults.harness import PATIENCE, Portal, environment, words

DIARY = "faults_diary"


def violations(portal: Portal) -> list[str]:
    """What does not hold, a sentence each."""
    jobs = list(Job.objects.all())
    found = [f"I1: job {job.pk} is {job.state}" for job in jobs if job.is_active]
    found += _ends_once(jobs)
    found += _lives(portal)
    found += _effects(jobs)
    leases = Lease.objects.exclude(job__state__in=HELD)
    found += [f"I5: {lease} is leased to job {lease.job_id}, {lease.job.state}" for lease in leases]
    found += _left_alive(portal)
    if portal.expects_rows:
        found += [text for model in TrainedModel.objects.all() for text in _rows(model)]
    return found + _diary()


def _ends_once(jobs: list[Job]) -> list[str]:
    found = []
    for job in jobs:
        ends = job.events.filter(new__in=TERMINAL).exclude(old__in=TERMINAL)
        if ends.count() != 1:
            found.append(f"I1: job {job.pk} ended {ends.count()} times")
        chain = list(job.events.values_list("old", "new"))
        if any(chain[n][1] != chain[n + 1][0] for n in range(len(chain) - 1)):
            found.append(f"I1: the events of job {job.pk} do not follow each other: {chain}")
    return found


# --- the kernels' own journals ---------------------------------------------------------------------------------------


@dataclass
class Life:
    """One process of a kernel, from its first sign to its last."""

    run: str
    devices: frozenset[str]
    first: float
    last: float
    is_resumed: bool
    steps: list[int]
    has_ended: bool


def lives(home: Path) -> dict[str, Life]:
    """By name every kernel that ever ran: what the logs of all run folders say."""
    found: dict[str, Life] = {}
    said = [line for log in sorted(home.glob("runs/*/kernel.log")) for line in log.read_bytes().split(b"\n")]
    for line in said:
        if not line.startswith(b"@"):
            continue
        try:
            entry = json.loads(line[1:])
        except ValueError:
            continue
        name, at = entry["k"], entry["t"]
        if entry["e"] == "start":
            devices = frozenset(part for part in entry["devices"].split(",") if part)
            run = Path(entry["run"]).name.partition(".")[0]
            found.setdefault(name, Life(run, devices, at, at, entry["resume"], [], False))
        life = found.get(name)
        if life is None:
            continue
        life.first, life.last = min(life.first, at), max(life.last, at)
        if entry["e"] == "step" and entry["step"] not in life.steps:
            life.steps.append(entry["step"])
        life.has_ended |= entry["e"] == "end"
    return found


def _lives(portal: Portal) -> list[str]:
    found = []
    hosts = {str(job.pk): job.host_id for job in Job.objects.all()}
    known = sorted(lives(portal.home).items(), key=lambda item: item[1].first)
    for n, (name, life) in enumerate(known):
        for other_name, other in known[n + 1 :]:
            if other.first >= life.last:
                continue
            if other.run == life.run:
                found.append(f"I2: kernels {name} and {other_name} of job {life.run} lived at the same time")
            elif life.devices & other.devices and hosts.get(life.run) == hosts.get(other.run):
                found.append(f"I3: jobs {life.run} and {other.run} had {life.devices & other.devices} together")
    return found


def _left_alive(portal: Portal, patience: float = PATIENCE) -> list[str]:
    """Kernels, shims and runners of jobs that ended; they may take a moment to be gone."""
    runs = str(portal.home / "runs")
    deadline = time.monotonic() + patience
    while True:
        left = [
            process
            for process in portal.all()
            if any(mark in " ".join(words(process)) for mark in (runs, " runner "))
            or "TRAINING_CONFIG" in environment(process)
        ]
        if not left or time.monotonic() > deadline:
            return [f"I6: {process.pid} lives: {' '.join(words(process))[:200]}" for process in left]
        time.sleep(0.05)


# --- results, rows, the diary ----------------------------------------------------------------------------------------


def _effects(jobs: list[Job]) -> list[str]:
    """A model that succeeded is there once, whole, and of the kernel that ended last; none is half there."""
    found = []
    for job in jobs:
        model = TrainedModel.objects.filter(job=job).first()
        if model is None:
            continue
        said = job.events.filter(new=State.SUCCEEDED).count()
        if said > 1:
            found.append(f"I4: job {job.pk} succeeded {said} times")
        if job.state == State.SUCCEEDED:
            if not (model.folder / results.CHECKPOINT).is_file():
                found.append(f"I4: model {model.pk} has no checkpoint")
            elif model.size == 0:
                found.append(f"I4: model {model.pk} has no size")
        strays = [path for path in model.folder.parent.glob("*") if path.name.startswith(".")]
        found += [f"I4: {path} was left half-way" for path in strays]
    return found


def _rows(model: TrainedModel) -> list[str]:
    """The rows in the database against the files, to the row."""
    found = []
    kept = model.folder if model.folder.is_dir() else None
    places = [kept] if kept else sorted(model.folder.parents[1].glob(f"runs/{model.job_id}*/out"))[-1:]
    expected: dict[tuple[str, str], list[tuple[float, float | None]]] = defaultdict(list)
    for place in places:
        for path in sorted((place / results.METRICS).glob("*.csv")):
            head, *lines = path.read_text().splitlines() or [""]
            columns = metrics.parse_header(head)
            for line in lines:
                row = metrics.parse_row(line, len(columns))
                for name, value in zip(columns[1:], row[1] if row else [], strict=False):
                    expected[path.stem, name].append((row[0], value))
    actual: dict[tuple[str, str], list[tuple[float, float | None]]] = defaultdict(list)
    for chart, series, x, value in points(model.job):
        actual[chart, series].append((x, value))
    for key in sorted({*expected, *actual}):
        if expected[key] != actual[key]:
            found.append(
                f"I7: {'/'.join(key)} of job {model.job_id}: {len(actual[key])} rows of {len(expected[key])}; "
                f"lost {_less(expected[key], actual[key])}, too many {_less(actual[key], expected[key])}"
            )
    return found


def points(job: Job) -> list[tuple[str, str, float, float | None]]:
    """Every raw point in the order it was stored."""
    return list(job.points.order_by("pk").values_list("chart", "series", "x", "value"))


def _less(some: list, others: list) -> list:
    left = list(others)
    found = []
    for each in some:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found[:5]


def keep_diary() -> None:
    """Let the database note every change of a state or an epoch, and every change of a job that had ended."""
    ended = ", ".join(f"'{state}'" for state in TERMINAL)
    moved = f"OLD.state <> NEW.state OR OLD.epoch <> NEW.epoch OR OLD.state IN ({ended})"
    columns = "job INTEGER, old TEXT, new TEXT, old_epoch INTEGER, new_epoch INTEGER"
    values = "(OLD.id, OLD.state, NEW.state, OLD.epoch, NEW.epoch)"
    note = f"INSERT INTO {DIARY} (job, old, new, old_epoch, new_epoch) VALUES {values};"
    if connection.vendor == "sqlite":
        changed = " OR ".join(
            f'OLD."{field.column}" IS NOT NEW."{field.column}"' for field in Job._meta.concrete_fields
        )
        statements = [
            f"CREATE TABLE IF NOT EXISTS {DIARY} (id INTEGER PRIMARY KEY AUTOINCREMENT, {columns})",
            f"CREATE TRIGGER IF NOT EXISTS {DIARY}_trigger AFTER UPDATE ON jobs_job "
            f"WHEN ({moved}) AND ({changed}) BEGIN {note} END",
        ]
    else:
        statements = [
            f"CREATE TABLE IF NOT EXISTS {DIARY} (id BIGSERIAL PRIMARY KEY, {columns})",
            f"CREATE OR REPLACE FUNCTION {DIARY}_note() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {note} RETURN NULL; END $$",
            f"DROP TRIGGER IF EXISTS {DIARY}_trigger ON jobs_job",
            f"CREATE TRIGGER {DIARY}_trigger AFTER UPDATE ON jobs_job FOR EACH ROW "
            f"WHEN (({moved}) AND OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION {DIARY}_note()",
        ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def forget_diary() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {DIARY}")


def _diary() -> list[str]:
    found = []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT job, old, new, old_epoch, new_epoch FROM {DIARY} ORDER BY id")
        for job, old, new, old_epoch, new_epoch in cursor.fetchall():
            if new_epoch < old_epoch:
                found.append(f"I8: the epoch of job {job} fell from {old_epoch} to {new_epoch}")
            if old in TERMINAL:
                found.append(f"I9: job {job} had ended as {old} and changed all the same, to {new}")
    return found
