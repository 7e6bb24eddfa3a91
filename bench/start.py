"""From *Start training* to the kernel's first line of code, by stage, on an idle portal."""

from __future__ import annotations

import random
import time

from bench.portal import Portal
from bench.table import Row, median, percentile
from jobs import runfolder
from jobs.launchers import shim
from jobs.models import Job, State

GOAL = 2.0  # seconds, p50
STAGES = (
    "start: POST → job queued",
    "start: queued → claimed",
    "start: claimed → runner at work",
    "start: runner → run folder prepared",
    "start: prepared → kernel process",
    "start: process → kernel's first line",
)


def run(portal: Portal) -> list[Row]:
    starts = [_moments(portal) for _ in range(portal.options.count(15, 3))]
    whole = [moments[-1] - moments[0] for moments in starts]
    rows = [
        Row(name, median([moments[n + 1] - moments[n] for moments in starts]), "s") for n, name in enumerate(STAGES)
    ]
    return [
        Row("start: POST → first line, p50", median(whole), "s", GOAL),
        Row("start: POST → first line, p95", percentile(whole, 95), "s"),
        *rows,
    ]


def _moments(portal: Portal) -> list[float]:
    """When each stage of one start was reached, in seconds since the epoch."""
    form = portal.form()
    time.sleep(1 + random.uniform(0, 2))  # idle, and out of step with every poll of the portal
    pressed = time.time()
    job = portal.ended(portal.press_start(form))
    folder = portal.folder(job)
    return [
        pressed,
        _event(job, State.QUEUED),
        _event(job, State.STARTING),
        (folder / runfolder.RUNNER_LOCK).stat().st_mtime,  # the runner makes it as soon as Django is up
        (folder / shim.ORDER).stat().st_mtime,  # written when the run folder is complete
        (folder / shim.STARTED).stat().st_mtime,
        int((folder / "first_line").read_text(encoding="ascii")) / 1e9,
    ]


def _event(job: Job, state: State) -> float:
    return job.events.filter(new=state).values_list("at", flat=True)[0].timestamp()
