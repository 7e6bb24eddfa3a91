"""The runner: a detached process that takes one claimed job to its end.

It keeps nothing that is not in the row or the run folder, so it may die at any instant: a new one goes on with the
same kernel. Every write says which epoch it holds; `Fenced` means that somebody else has the job now: leave at once.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext_noop as _

from jobs import (
    bridge,
    clock,
    diagnosis,
    functions,
    hosts,
    ingest,
    kinds,
    launchers,
    limits,
    locks,
    outcome,
    reaper,
    runfolder,
)
from jobs.enclosure import processes
from jobs.kinds import Cancelled, JobError, Launch, ProgramKind
from jobs.launchers.errors import LaunchFailed, Lost, NotNow
from jobs.models import HELD, Fenced, Job, State, Stop
from jobs.patience import AWAY, patiently
from jobs.said import Said
from kernels_app.contract import results

log = logging.getLogger(__name__)
KILL_MARGIN = 5.0  # seconds after the grace, for a shim that does its work
START_PATIENCE = 600.0  # seconds for what a start needs and does not answer, as a container tool right after a boot
PROVEN = 5  # leases that a runner lives before its job counts as harmless


def run(job_id: int, epoch: int, lock: int | None = None) -> None:
    """Take the job to its end, or leave at once where somebody else has it.

    `lock`: the runner's lock as an open file, where whoever started this process holds it for it.
    """
    job = patiently(lambda: Job.objects.filter(pk=job_id, epoch=epoch, state__in=HELD).first())
    if job is None:
        return
    folder = runfolder.of(job)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locks.hold(folder / runfolder.RUNNER_LOCK, lock) as held, translation.override(job.spoken):
            locks.say(held, json.dumps(processes.named(os.getpid())))
            kind = kinds.find(job.kind)
            if kind is None:
                text = Said(_("This version of the portal does not know jobs of the kind “%(kind)s”."), kind=job.kind)
                patiently(lambda: functions.fail(job, epoch, text, "refused"))
            elif kinds.is_function(kind):
                functions.run(job, kind, epoch)  # type: ignore[arg-type]
            else:
                Supervisor(job, kind, epoch, folder).drive()  # type: ignore[arg-type]
    except locks.Busy:
        log.info("job %s has a runner already", job_id)
    except Fenced:
        log.info("job %s went to another runner", job_id)
        if patiently(lambda: reaper.is_stale(folder)):  # it went elsewhere, and this kernel is nobody's any more
            launchers.put_down(folder)


class Supervisor:
    """Prepares, starts, watches, stops and finishes one program."""

    def __init__(self, job: Job, kind: ProgramKind, epoch: int, folder: Path) -> None:
        self.job, self.kind, self.epoch, self.folder = job, kind, epoch, folder
        self.output = folder / runfolder.OUTPUT
        self.limits = limits.of(job)
        self.began = time.monotonic()

    def drive(self) -> None:
        """Whatever goes wrong on the way, the job does not end while a process of its kernel lives."""
        try:
            self._go()
        except JobError as error:
            self._fail(error.said, "refused")
        except LaunchFailed as error:
            self._fail(Said(_("The program could not be started: %(why)s"), why=str(error)), "not_started")
        except Fenced:
            raise
        except Exception:
            log.exception("job %s", self.job.pk)
            self._fail(functions.unexpected(), "portal_fault")

    def _go(self) -> None:
        if self.job.state == State.STARTING:
            patiently(self._start)
        if self.job.state in (State.RUNNING, State.STOPPING):
            try:
                self._watch()
            except Lost as error:
                self._lost(error.args[0])
        if self.job.state == State.FINALIZING:
            patiently(self._finish)

    def _start(self) -> None:
        """Write the run folder, start the program, and only then say RUNNING. Each step may have been done before."""
        launcher, attempt = self._launcher(), self.job.resumes
        handle = launcher.find(self.folder, attempt)  # an earlier runner may have died before it could say so
        if handle is None:
            is_cancelled = self.job.renew(self.epoch)
            launch = None if is_cancelled else self._prepared()
            if launch is None or self.job.renew(self.epoch):
                if self.job.resumes:
                    self._keep_partial()
                self._end(State.CANCELLED, Said(_("Cancelled before it started.")))
                return
            handle = self._launched(launcher, launch)
            if handle is None:
                self._end(State.CANCELLED, Said(_("Cancelled before it started.")))
                return
        if not self.job.move((State.STARTING,), State.RUNNING, epoch=self.epoch, who="runner", handle=handle, note=""):
            raise Fenced

    def _launched(self, launcher: launchers.Launcher, launch: Launch) -> launchers.Handle | None:
        """None where it was cancelled while something that it needs did not answer."""
        until = time.monotonic() + START_PATIENCE
        how: dict[str, Any] = {"grace": settings.JOB_GRACE, "log_limit": self.limits.log, "host": hosts.name()}
        while True:
            try:
                return launcher.start(launch, attempt=self.job.resumes, **how)
            except NotNow:
                if time.monotonic() > until:
                    raise
            if self.job.renew(self.epoch):
                return None
            time.sleep(settings.JOB_POLL)

    def _prepared(self) -> Launch | None:
        """None where it was cancelled on the way."""
        try:
            return self.kind.prepare(self.job, self.folder, resume=self._make_way())
        except Cancelled:
            return None

    def _make_way(self) -> bool:
        """Make the folder fit for a start; True when there is a state of this very run to go on from."""
        if locks.is_held(self.folder / launchers.LOCK):  # a kernel of an earlier start: what it did does not count
            launchers.put_down(self.folder, lambda: self.job.renew(self.epoch))
        runfolder.inherit(self.job)
        (self.folder / runfolder.STATUS).unlink(missing_ok=True)
        if (self.output / results.RESUME).is_file():
            ingest.reset_status(self.job)
            return True
        ingest.reset(self.job)
        return False

    def _watch(self) -> None:
        """Until the last process of the kernel is gone and everything it wrote is read."""
        launcher, handle = self._launcher(), self._handle()
        reader = ingest.Ingest(self.job, self.folder, self.output, self._guard)
        guard = limits.Guard(self.limits, self.folder, lambda: launcher.age(handle))
        asked: float | None = None
        cancel: datetime | None = None
        with bridge.listening(self.folder) as post:
            while True:
                code = launcher.poll(handle)
                is_last = code is not None and post.is_read(hurry=cancel is not None)
                unread = patiently(lambda: reader.step(final=is_last))  # noqa: B023 (called at once)
                cancel = patiently(self._renew)
                self._remark_all(post.remarks())
                if is_last and not unread:
                    break
                if code is None:
                    self._mind(cancel is not None, guard)
                    asked = self._press(asked)
                if not unread:
                    time.sleep(settings.JOB_POLL)
        ended, why = (State.RUNNING, State.STOPPING), outcome.ending(code)
        facts: dict[str, Any] = {"exit_code": code, "peak_memory": self._peak_memory(launcher.peak_memory(handle))}
        patiently(lambda: self.job.move(ended, State.FINALIZING, epoch=self.epoch, who="runner", why=why, **facts))

    def _peak_memory(self, now: int | None) -> int | None:
        """A job that was interrupted took as much as the largest of its runs."""
        return max((size for size in (self.job.peak_memory, now) if size is not None), default=None)

    def _mind(self, is_cancelled: bool, guard: limits.Guard) -> None:
        """Begin its end where somebody asked for it or a limit is reached; say what else the limits have to say."""
        if self.job.state == State.STOPPING:
            return
        if is_cancelled:
            patiently(lambda: self._stopping(Stop.CANCEL, "cancel asked", who=self._who_cancelled()))
            return
        self._remark_all(guard.remarks())
        if reached := guard.reached():
            patiently(lambda: self._stopping(reached.reason, reached.text, message=reached.text))

    def _press(self, asked: float | None) -> float | None:
        """Pass the end on; the shim sees to the grace, and where it fails to we do. Returns when it was asked for."""
        if self.job.state != State.STOPPING:
            return None
        now = time.monotonic()
        if asked is None:
            self._launcher().stop(self._handle())
            return now
        if now > asked + settings.JOB_GRACE + KILL_MARGIN:
            self._launcher().kill(self._handle())
        return asked

    def _renew(self) -> datetime | None:
        """Renew the lease. A runner that has lived for a while has shown that the job does not kill its runners."""
        proven = {"adoptions": 0} if time.monotonic() - self.began > PROVEN * settings.JOB_LEASE else {}
        return self.job.renew(self.epoch, **proven)

    def _stopping(self, reason: Stop, why: str, *, who: str = "runner", **fields: Any) -> None:
        fields |= {"stop_reason": reason}
        if not self.job.move((State.RUNNING,), State.STOPPING, epoch=self.epoch, who=who, why=why, **fields):
            raise Fenced

    def _who_cancelled(self) -> str:
        return Job.objects.values_list("cancel_requested_by__username", flat=True).get(pk=self.job.pk) or ""

    def _remark_all(self, texts: Sequence[str]) -> None:
        for text in texts:
            patiently(lambda: self._remark(text))  # noqa: B023 (called at once)

    def _remark(self, text: str) -> None:
        """Once: a runner that took over need not say again what the last one said."""
        if not self.job.events.filter(why=text).exists():
            self.job.record(State(self.job.state), State(self.job.state), who="runner", why=text)

    def _finish(self) -> None:
        """Judge, keep the results, say the end: in this order, so that a model is finished when its job says so.

        A run that was stopped is cancelled, or failed where a limit stopped it, unless the kernel said *done* before.
        """
        job = self.job
        job.refresh_from_db()
        runfolder.drop_links(self.output)
        if job.was_cancelled and not job.kernel_done:
            self._keep_partial()
            self._end(State.CANCELLED, "")
            return
        if job.stop_reason and not job.kernel_done:
            self._fail(job.said_message, limits.FAILURES[Stop(job.stop_reason)])
            return
        verdict = self._judge()
        if not verdict.succeeded:
            self._fail(verdict.message, verdict.failure)
            return
        self.kind.finish(job, self.folder)
        self._end(State.SUCCEEDED, "", remark=verdict.remark, percentage=100.0)

    def _judge(self) -> outcome.Outcome:
        complaints = self.kind.check(self.job, self.folder)
        return outcome.judge(self.job, self.folder, self.output, self.job.exit_code, complaints)

    def _lost(self, why: str) -> None:
        """The kernel is gone and left no exit code: its own *done* counts, else it starts again from its checkpoint."""
        reader = ingest.Ingest(self.job, self.folder, self.output, self._guard)
        with bridge.listening(self.folder) as post:
            while not post.is_read():
                patiently(self._renew)
                time.sleep(settings.JOB_POLL)
            self._remark_all(post.remarks())
        while patiently(lambda: reader.step(final=True)):
            patiently(self._renew)
        patiently(self.job.refresh_from_db)
        job, states = self.job, (State.RUNNING, State.STOPPING)
        asked = Stop.CANCEL if job.cancel_requested_at and not job.stop_reason else job.stop_reason
        if job.kernel_done or job.kernel_error or asked:
            move = partial(job.move, states, State.FINALIZING, epoch=self.epoch, who="runner", why=why)
            patiently(lambda: move(stop_reason=asked))
        elif job.resumes < settings.JOB_RESUMES:
            patiently(lambda: job.requeue(states, epoch=self.epoch, why=Said(_("interrupted: %(why)s"), why=why)))
        else:
            self._fail(patiently(lambda: outcome.story(job, why)), "interrupted")

    def _fail(self, message: str, otherwise: str) -> None:
        """`otherwise`: what kind of failure it is where the message itself does not tell, see `diagnosis.of`."""
        launchers.put_down(self.folder, lambda: patiently(self._renew))
        patiently(self._keep_partial)
        facts = diagnosis.of(self.job, self.folder, message, otherwise)
        self._end(State.FAILED, message, **facts)

    def _keep_partial(self) -> None:
        try:
            self.kind.keep_partial(self.job, self.folder)
        except AWAY:
            raise
        except Exception:
            log.exception("what job %s left could not be kept", self.job.pk)

    def _launcher(self) -> launchers.Launcher:
        return launchers.get((self.job.handle or {}).get("launcher", launchers.local.NAME))

    def _handle(self) -> launchers.Handle:
        if self.job.handle is None:
            raise Lost(Said(_("the job has no handle")))
        return dict(self.job.handle)

    def _end(self, state: State, message: str, **fields: Any) -> None:
        patiently(
            lambda: self.job.move(HELD, state, epoch=self.epoch, who="runner", why=message, message=message, **fields)
        )
        bridge.close(self.folder)

    def _guard(self) -> None:
        """Inside a transaction: the row is ours, and stays so until the commit; so many rows may take their time."""
        self.job.write(self.epoch, lease_until=clock.after(settings.JOB_LEASE))
