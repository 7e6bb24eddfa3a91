"""What a worker does about jobs whose runner fell silent: the clock raises the question, the lock answers it.

Clocks of rows may be set, and a database may be away: nobody is given up for what a clock says alone. How long a host
or a stuck runner has really said and done nothing a worker tells by its own watch.
"""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_noop as _

from jobs import clock, diagnosis, dispatch, hosts, launchers, locks, outcome, runfolder
from jobs.enclosure import processes
from jobs.launchers import local, shim
from jobs.models import HELD, Host, Job, State
from jobs.said import Said
from jobs.watching import Watch

log = logging.getLogger(__name__)
FAR = 10  # leases: one that ends later than this was written before the clock was set back
SURE = 0.1  # of the time after which a host is lost: how long its silence has to be seen where a clock says it is old


def end_stuck_runners(watch: Watch) -> None:
    """End runners of this host that have neither renewed their lease nor used a moment of CPU for so long that they
    never will. Reads alone: one that was stopped in the middle of a transaction keeps others from writing."""
    for job in _silent(Host.objects.filter(name=hosts.name()).first()):
        pid, birth = _holder(runfolder.of(job) / runfolder.RUNNER_LOCK)
        seen = (job.epoch, job.lease_until, pid, birth, processes.cpu_of(pid))
        if pid and watch.unchanged(("runner", job.pk), seen) >= settings.JOB_RUNNER_LOST:
            log.error("the runner of job %s does nothing any more: ending it", job.pk)
            processes.send([pid], signal.SIGKILL)
            watch.ended.add(job.pk)


def look_after(host: Host, watch: Watch | None = None) -> list[Job]:
    """Give every job of this host whose runner is gone a new one. A runner that is merely late keeps its job."""
    return [job for job in _silent(host) if _adopt(job, host, watch or Watch())]


def _silent(host: Host | None) -> QuerySet[Job]:
    expired = Q(lease_until__lt=clock.now()) | Q(lease_until__gt=clock.after(FAR * settings.JOB_LEASE))
    return Job.objects.filter(expired, host=host, state__in=HELD)


def _adopt(job: Job, host: Host, watch: Watch) -> bool:
    if locks.is_held(runfolder.of(job) / runfolder.RUNNER_LOCK):
        if not watch.unchanged(("late", job.pk), job.epoch):  # said once
            log.warning("the runner of job %s is late, but alive", job.pk)
        return False
    if not _take_over(job):
        return False
    lives = launchers.lives(job.handle or launchers.of(None).find(runfolder.of(job), job.resumes))
    if job.adoptions > settings.JOB_RESUMES and not lives:
        return _give_up(job, host)
    if job.adoptions > settings.JOB_RESUMES and job.cancel_requested_at and job.handle:
        launchers.of(job.handle).stop(job.handle)  # its runners die too soon to do it
    why = "its runner was stuck: a new one" if job.pk in watch.ended else "its runner was gone: a new one"
    watch.ended.discard(job.pk)
    job.record(State(job.state), State(job.state), who=f"worker on {host.name}", why=why)
    return dispatch.spawn(job)


def _take_over(job: Job) -> bool:
    """A new epoch, and time for the next runner: ever more where runners die, since the kernel does well without."""
    mine = Job.objects.filter(pk=job.pk, epoch=job.epoch, state__in=HELD)
    pause = min(2 ** max(0, job.adoptions - settings.JOB_RESUMES), FAR - 2)
    fields = {"epoch": F("epoch") + 1, "adoptions": F("adoptions") + 1}
    if not mine.update(lease_until=clock.after(settings.JOB_LEASE * pause), **fields):
        return False
    job.refresh_from_db()
    return True


def _holder(lock: Path) -> processes.Named:
    """The runner that says in the lock file that it holds the lock; (0, "") where none of that name lives."""
    if not locks.is_held(lock):
        return 0, ""
    try:
        found = json.loads(lock.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0, ""
    return (found[0], found[1]) if processes.is_alive(found) else (0, "")


def _give_up(job: Job, host: Host) -> bool:
    """A job that kills every runner, and nothing of it lives."""
    text = Said(_("Its supervisor was lost %(n)d times in a row; given up."), n=job.adoptions)
    facts = diagnosis.of(job, runfolder.of(job), text, "interrupted")
    return job.move(HELD, State.FAILED, epoch=job.epoch, who=f"worker on {host.name}", why=text, message=text, **facts)


def after_restart(host: Host, boot_before: str) -> None:
    """The machine was restarted: what ran on it is gone for certain, so that nobody need wait for leases to end."""
    if boot_before and boot_before != host.boot_id:
        log.warning("this machine was restarted")
        who, why = f"worker on {host.name}", "the machine was restarted"
        for job in Job.objects.filter(host=host, state__in=HELD):
            Job.objects.filter(pk=job.pk, epoch=job.epoch, state__in=HELD).update(lease_until=clock.now())
            job.record(State(job.state), State(job.state), who=who, why=why)


# --- hosts that are lost, and that come back --------------------------------------------------------------------------


def give_up_lost_hosts(host: Host, watch: Watch) -> list[Job]:
    """Jobs of other hosts that are lost go back into the queue, or fail where they may not go on."""
    moved = []
    for job in Job.objects.filter(state__in=HELD).exclude(host=host).select_related("host"):
        is_lost = _is_lost(("host", job.host_id), job.host.seen_at if job.host else None, watch)
        if _is_lost(("job", job.pk), job.lease_until, watch) and is_lost and _give_up_host(job):
            moved.append(job)
    return moved


def _is_lost(key: tuple[str, int | None], said_at: object, watch: Watch) -> bool:
    """Whether what `key` names has said nothing for long: by this worker's watch, or by the clock and a while of it."""
    limit = settings.JOB_HOST_LOST
    seen = watch.unchanged(key, said_at, gap=limit / 2)  # type: ignore[arg-type]
    is_old = said_at is None or said_at < clock.after(-limit)  # type: ignore[operator]
    return seen >= limit or (is_old and seen >= SURE * limit)


def _give_up_host(job: Job) -> bool:
    """It goes on elsewhere, in another folder; its host gets no jobs before it has seen to what may still run there."""
    with transaction.atomic():
        why = Said(_("the host %(host)s was lost"), host=str(job.host))
        Host.objects.filter(jobs=job).update(is_stale=True)
        if job.cancel_requested_at:
            return job.move(HELD, State.CANCELLED, epoch=job.epoch, who="worker", why=why)
        if job.resumes < settings.JOB_RESUMES:
            moves = runfolder.unused(job, job.moves + 1)
            return job.requeue(HELD, epoch=job.epoch, why=Said(_("interrupted: %(why)s"), why=why), moves=moves)
        text = outcome.story(job, why)
        facts = diagnosis.of(job, runfolder.of(job), text, "host_lost")
        return job.move(HELD, State.FAILED, epoch=job.epoch, who="worker", why=text, message=text, **facts)


def sweep(host: Host) -> None:
    """End every kernel on this host that is nobody's any more; then the host may have jobs again.

    A folder that cannot be judged is no reason to leave the others, nor to look after no job at all.
    """
    is_clean = True
    for folder, order in _started_here():
        try:
            is_clean &= not _end_if_stale(folder, order)
        except Exception:
            log.exception("what was started in %s cannot be looked after", folder)
            is_clean &= not locks.is_held(folder / shim.LOCK)
    if is_clean and host.is_stale:
        Host.objects.filter(pk=host.pk).update(is_stale=False)
        host.is_stale = False


def _end_if_stale(folder: Path, order: dict[str, Any]) -> bool:
    """Whether it was nobody's, and may still live. A container may go on though whoever watched it is gone and nobody
    knows its end."""
    lives = locks.is_held(folder / shim.LOCK)
    is_unwatched = not lives and bool(order.get("container")) and not (folder / shim.EXIT).exists()
    if not (lives or is_unwatched) or not is_stale(folder):
        return False
    log.warning("the kernel in %s is nobody's any more: ending it", folder)
    if is_unwatched:
        return local.end_unwatched(folder)
    if handle := launchers.of(None).find(folder):
        launchers.of(handle).kill(handle)
    return True


def is_stale(folder: Path) -> bool:
    """Whether what was started in a run folder of this host, or below one, belongs to no job that this host holds."""
    run = _runs() / folder.relative_to(_runs()).parts[0]
    name = run.name.partition(".")[0]
    is_number = name.isascii() and name.isdecimal()
    job = Job.objects.filter(pk=int(name), state__in=HELD, host__name=hosts.name()).first() if is_number else None
    return job is None or runfolder.of(job) != run


def _started_here() -> Iterator[tuple[Path, dict[str, Any]]]:
    """What was started by this host: runs, and the trials of an import below its run."""
    for pattern in (f"*/{shim.ORDER}", f"*/{runfolder.TRIALS}/**/{shim.ORDER}"):
        for path in _runs().glob(pattern):
            try:
                order = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(order, dict) and order.get("host") == hosts.name():
                yield path.parent, order


def _runs() -> Path:
    return Path(settings.TRAINPORTAL_HOME) / "runs"
