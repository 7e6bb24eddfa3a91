"""Seeing a job to its end from a command: by waiting for a worker, or by doing its work right here."""

from __future__ import annotations

import time

from django.conf import settings

from jobs import hosts, queue, reaper, runner
from jobs.models import Job, State
from jobs.patience import patiently


def wait(job: Job) -> Job:
    """Until the job has ended; some worker does the work."""
    while job.is_active:
        time.sleep(min(1.0, settings.JOB_POLL))
        job = patiently(lambda: Job.objects.get(pk=job.pk))  # noqa: B023 (called at once)
    return job


def run_here(job: Job) -> Job:
    """Claim the job, leases included, and take it to its end in this process.

    Waits while its devices are busy; where a worker was first, waits for that one's end.
    """
    while True:
        job.refresh_from_db()
        if job.state != State.QUEUED:
            reaper.look_after(hosts.beat())  # its runner may have died here, and no worker may be up to see it
            return wait(job)
        if queue.claim(job, hosts.beat()):
            runner.run(job.pk, job.epoch)
            job.refresh_from_db()
        else:
            time.sleep(settings.JOB_POLL)
