"""A metrics file of two curves, as a kernel leaves it, and how long the portal takes to read it: `python -m … ROWS`."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from jobs.models import Job
    from projects_app.models import Project

VIEWS = 30


@dataclass(frozen=True)
class Written:
    """Seconds by the clock, and of this process's CPU, for so many rows."""

    rows: int
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.rows / self.wall


def ingested(project: Project, rows: int) -> tuple[Job, Written]:
    """A job that ended with such a file, read from its first to its last line."""
    from django.utils import timezone

    from jobs import ingest, runfolder
    from jobs.models import Job, State

    at = timezone.now()
    job = Job.objects.create(
        project=project, kind="bench", title="metrics", state=State.SUCCEEDED, created_at=at, queued_at=at,
        started_at=at, ended_at=at,
    )  # fmt: skip
    path = runfolder.output(job) / "save" / "metrics" / "loss.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write("step,train_loss,val_loss\n")
        for n in range(rows):
            noise = n * 7919 % 1000 / 1e4
            file.write(f"{n},{math.exp(-n / rows) + noise:.6g},{math.exp(-n / rows) + noise / 3:.6g}\n")
    reader = ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None)
    began, cpu = time.perf_counter(), time.process_time()
    while reader.step(final=True):
        pass
    return job, Written(rows, time.perf_counter() - began, time.process_time() - cpu)


def main() -> None:
    """In the database that the environment names, which is empty; prints the figures as JSON."""
    from django.core.management import call_command

    from bench.table import percentile
    from jobs import charts
    from projects_app.models import Project

    call_command("migrate", verbosity=0, interactive=False)
    job, written = ingested(Project.objects.create(code="bench", name="Bench"), int(sys.argv[1]))
    took = []
    for _n in range(VIEWS):
        began = time.perf_counter()
        json.dumps(charts.since(job, 0))
        took.append(1000 * (time.perf_counter() - began))
    print(json.dumps({"rate": written.rate, "cpu": written.cpu, "view": percentile(took, 95)}))


if __name__ == "__main__":
    django.setup()
    main()
