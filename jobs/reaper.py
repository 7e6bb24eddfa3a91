"""What a worker does about jobs whose runner fell silent: the clock raises the question, the lock answers it."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext_noop as _

from jobs import clock, diagnosis, dispatch, launchers, locks, runfolder
from jobs.launchers.errors import Lost
from jobs.models import HELD, Host, Job, State
from jobs.said import Said

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
    fields = {"epoch": F("epoch") + 1, "adoptions": F("adoptions") + 1}
    if not mine.update(lease_until=clock.after(settings.JOB_LEASE), **fields):
        return False
    job.refresh_from_db()
    if job.adoptions > settings.JOB_RESUMES:
        return _give_up(job, host)
    job.record(State(job.state), State(job.state), who=f"worker on {host.name}", why="its runner was gone: a new one")
    return dispatch.spawn(job)


def _give_up(job: Job, host: Host) -> bool:
    """A job that kills every runner: end its kernel, and the job once nothing of it lives. Asked at every lease."""
    folder = runfolder.of(job)
    launcher = launchers.get((job.handle or {}).get("launcher", launchers.local.NAME))
    handle = job.handle or launcher.find(folder, job.resumes)
    try:
        if handle and launcher.poll(handle) is None:
            launcher.stop(handle) if job.adoptions == settings.JOB_RESUMES + 1 else launcher.kill(handle)
            return False
    except Lost:
        pass
    text = Said(_("Its supervisor was lost %(n)d times in a row; given up."), n=job.adoptions)
    facts = diagnosis.of(job, folder, text, "interrupted")
    return job.move(HELD, State.FAILED, epoch=job.epoch, who=f"worker on {host.name}", why=text, message=text, **facts)


def give_up_lost_hosts() -> list[Job]:
    """Jobs of hosts that have been silent for long go back into the queue, or fail where they may not resume."""
    lost = Job.objects.filter(
        state__in=HELD,
        host__seen_at__lt=clock.after(-settings.JOB_HOST_LOST),
        lease_until__lt=clock.after(-settings.JOB_HOST_LOST),
    )
    moved = []
    for job in lost.select_related("host"):
        why = Said(_("interrupted: the host %(host)s was lost"), host=str(job.host))
        if job.cancel_requested_at:
            done = job.move(HELD, State.CANCELLED, epoch=job.epoch, who="worker", why=why)
        elif job.resumes < settings.JOB_RESUMES:
            done = job.requeue(HELD, epoch=job.epoch, why=why)
        else:
            facts = diagnosis.of(job, runfolder.of(job), why, "host_lost")
            done = job.move(HELD, State.FAILED, epoch=job.epoch, who="worker", why=why, message=why, **facts)
        moved += [job] if done else []
    return moved
