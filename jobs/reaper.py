"""What a worker does about jobs whose runner fell silent: the clock raises the question, the lock answers it."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db.models import F

from jobs import clock, dispatch, locks, runfolder
from jobs.models import HELD, Host, Job, State

log = logging.getLogger(__name__)


def look_after(host: Host) -> list[Job]:
    """Give every job of this host whose runner is gone a new one. A runner that is merely late keeps its job."""
    silent = Job.objects.filter(host=host, state__in=HELD, lease_until__lt=clock.now())
    return [job for job in silent if _adopt(job, host)]


def _adopt(job: Job, host: Host) -> bool:
    if locks.is_held(runfolder.of(job) / runfolder.RUNNER_LOCK):
        log.warning("the runner of job %s is late, but alive", job.pk)
        return False
    mine = Job.objects.filter(pk=job.pk, epoch=job.epoch, state__in=HELD)
    if not mine.update(epoch=F("epoch") + 1, lease_until=clock.after(settings.JOB_LEASE)):
        return False
    job.refresh_from_db()
    job.record(State(job.state), State(job.state), who=f"worker on {host.name}", why="its runner was gone: a new one")
    dispatch.spawn(job)
    return True


def give_up_lost_hosts() -> list[Job]:
    """Jobs of hosts that have been silent for long go back into the queue, or fail where they may not resume."""
    lost = Job.objects.filter(
        state__in=HELD,
        host__seen_at__lt=clock.after(-settings.JOB_HOST_LOST),
        lease_until__lt=clock.after(-settings.JOB_HOST_LOST),
    )
    moved = []
    for job in lost.select_related("host"):
        why = f"interrupted: the host {job.host} was lost"
        if job.resumes < settings.JOB_RESUMES:
            done = job.requeue(HELD, epoch=job.epoch, why=why)
        else:
            done = job.move(HELD, State.FAILED, epoch=job.epoch, who="worker", why=why, message=why)
        moved += [job] if done else []
    return moved
