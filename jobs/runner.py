"""The runner: a detached process that takes one claimed job to its end.

It keeps nothing that is not in the row or the run folder, so it may die at any instant: a new one goes on with the
same kernel. Every write says which epoch it holds; `Fenced` means that somebody else has the job now: leave at once.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import translation
from django.utils.translation import gettext as _

from jobs import ingest, kinds, launchers, locks, outcome, runfolder
from jobs.kinds import Cancelled, FunctionKind, JobError, ProgramKind
from jobs.launchers.errors import LaunchFailed, Lost
from jobs.models import HELD, Fenced, Job, State
from kernels_app.contract import results

log = logging.getLogger(__name__)
T = TypeVar("T")
KILL_MARGIN = 5.0  # seconds after the grace, for a shim that does its work
PROVEN = 300.0  # seconds that a runner lives before its job counts as harmless


def run(job_id: int, epoch: int) -> None:
    """Take the job to its end, or leave at once where somebody else has it."""
    job = patiently(lambda: Job.objects.filter(pk=job_id, epoch=epoch, state__in=HELD).first())
    if job is None:
        return
    folder = runfolder.of(job)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locks.hold(folder / runfolder.RUNNER_LOCK), translation.override(job.language or settings.LANGUAGE_CODE):
            kind = kinds.find(job.kind)
            if kind is None:
                text = _("This version of the portal does not know jobs of the kind “%(kind)s”.") % {"kind": job.kind}
                job.move(HELD, State.FAILED, epoch=epoch, who="runner", why=text, message=text)
            elif kinds.is_function(kind):
                _run_function(job, kind, epoch)  # type: ignore[arg-type]
            else:
                Supervisor(job, kind, epoch, folder).drive()  # type: ignore[arg-type]
    except locks.Busy:
        log.info("job %s has a runner already", job_id)
    except Fenced:
        log.info("job %s went to another runner", job_id)


def patiently(attempt: Callable[[], T]) -> T:
    """Try until the database answers. A runner that cannot reach it keeps its kernel; connections start afresh."""
    pause = 1.0
    while True:
        try:
            return attempt()
        except (OperationalError, InterfaceError) as error:
            log.warning("the database does not answer: %s", error)
            connections.close_all()
            time.sleep(pause)
            pause = min(pause * 1.5, 10.0)


class Supervisor:
    """Prepares, starts, watches, stops and finishes one program."""

    def __init__(self, job: Job, kind: ProgramKind, epoch: int, folder: Path) -> None:
        self.job, self.kind, self.epoch, self.folder = job, kind, epoch, folder
        self.output = folder / runfolder.OUTPUT
        self.began = time.monotonic()

    def drive(self) -> None:
        """Whatever goes wrong on the way, the job does not end while a process of its kernel lives."""
        try:
            if self.job.state == State.STARTING:
                patiently(self._start)
            if self.job.state in (State.RUNNING, State.STOPPING):
                self._watch()
            if self.job.state == State.FINALIZING:
                patiently(self._finish)
        except (JobError, LaunchFailed) as error:
            self._fail(str(error))
        except Lost as error:
            self._lost(str(error))
        except Fenced:
            raise
        except Exception:
            log.exception("job %s", self.job.pk)
            self._fail(_unexpected())

    def _start(self) -> None:
        """Write the run folder, start the program, and only then say RUNNING. Each step may have been done before."""
        if self.job.cancel_requested_at and not self.job.handle:
            self._end(State.CANCELLED, _("Cancelled before it started."))
            return
        launcher, attempt = self._launcher(), self.job.resumes
        handle = launcher.find(self.folder, attempt)  # an earlier runner may have died before it could say so
        if handle is None:
            launch = self.kind.prepare(self.job, self.folder, resume=self._make_way())
            self.job.renew(self.epoch)
            handle = launcher.start(launch, attempt=attempt, grace=settings.JOB_GRACE)
        if not self.job.move((State.STARTING,), State.RUNNING, epoch=self.epoch, who="runner", handle=handle, note=""):
            raise Fenced

    def _make_way(self) -> bool:
        """Make the folder fit for a start; True when there is a state of this very run to go on from."""
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
        asked: float | None = None
        while True:
            code = launcher.poll(handle)
            unread = patiently(lambda: reader.step(final=code is not None))  # noqa: B023 (called at once)
            cancel = patiently(self._renew)
            if code is not None and not unread:
                break
            if code is None:
                asked = self._press(cancel is not None, asked)
            if not unread:
                time.sleep(settings.JOB_POLL)
        ended, why = (State.RUNNING, State.STOPPING), outcome.ending(code)
        facts: dict[str, Any] = {"exit_code": code, "peak_memory": self._peak_memory(launcher.peak_memory(handle))}
        patiently(lambda: self.job.move(ended, State.FINALIZING, epoch=self.epoch, who="runner", why=why, **facts))

    def _peak_memory(self, now: int | None) -> int | None:
        """A job that was interrupted took as much as the largest of its runs."""
        return max((size for size in (self.job.peak_memory, now) if size is not None), default=None)

    def _press(self, cancelled: bool, asked: float | None) -> float | None:
        """Pass a cancel on; the shim sees to the grace, and where the shim is gone we do. Returns when it was asked."""
        if not cancelled:
            return None
        now = time.monotonic()
        if asked is None:
            patiently(self._stopping)
            self._launcher().stop(self._handle())
            return now
        if now > asked + settings.JOB_GRACE + KILL_MARGIN:
            self._launcher().kill(self._handle())
        return asked

    def _renew(self) -> datetime | None:
        """Renew the lease. A runner that has lived for a while has shown that the job does not kill its runners."""
        proven = {"adoptions": 0} if time.monotonic() - self.began > PROVEN else {}
        return self.job.renew(self.epoch, **proven)

    def _stopping(self) -> None:
        by = Job.objects.values_list("cancel_requested_by__username", flat=True).get(pk=self.job.pk)
        self.job.move((State.RUNNING,), State.STOPPING, epoch=self.epoch, who=by or "", why="cancel asked")

    def _finish(self) -> None:
        """Judge, keep the results, say the end: in this order, so that a model is finished when its job says so.

        A run that was stopped is cancelled, unless the kernel had said *done* before.
        """
        job = self.job
        job.refresh_from_db()
        if job.was_stopped and not job.kernel_done:
            self._keep_partial()
            self._end(State.CANCELLED, "")
            return
        verdict = self._judge()
        if not verdict.succeeded:
            self._fail(verdict.message)
            return
        self.kind.finish(job, self.folder)
        self._end(State.SUCCEEDED, "", remark=verdict.remark, percentage=100.0)

    def _judge(self) -> outcome.Outcome:
        complaints = self.kind.check(self.job, self.folder)
        return outcome.judge(self.job, self.folder, self.output, self.job.exit_code, complaints)

    def _lost(self, why: str) -> None:
        """The kernel is gone and left no exit code: its own *done* counts, else it starts again from its checkpoint."""
        reader = ingest.Ingest(self.job, self.folder, self.output, self._guard)
        while patiently(lambda: reader.step(final=True)):
            patiently(self._renew)
        self.job.refresh_from_db()
        states = (State.RUNNING, State.STOPPING)
        if self.job.kernel_done or self.job.kernel_error or self.job.was_stopped:
            self.job.move(states, State.FINALIZING, epoch=self.epoch, who="runner", why=why)
            patiently(self._finish)
        elif self.job.resumes < settings.JOB_RESUMES:
            self.job.requeue(states, epoch=self.epoch, why=_("interrupted: ") + why)
        else:
            self._fail(_("Interrupted %(n)d times; given up.") % {"n": self.job.resumes + 1})

    def _fail(self, message: str) -> None:
        self._put_down()
        self._keep_partial()
        self._end(State.FAILED, message)

    def _keep_partial(self) -> None:
        try:
            self.kind.keep_partial(self.job, self.folder)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("what job %s left could not be kept", self.job.pk)

    def _put_down(self) -> None:
        """End what still runs, and wait for it: no device is given back under a living kernel."""
        launcher = self._launcher()
        handle = self.job.handle or launcher.find(self.folder, self.job.resumes)
        since = time.monotonic()
        try:
            while handle and launcher.poll(handle) is None:
                if time.monotonic() - since > settings.JOB_GRACE + KILL_MARGIN:
                    launcher.kill(handle)
                else:
                    launcher.stop(handle)
                patiently(self._renew)
                time.sleep(settings.JOB_POLL)
        except Lost:
            return

    def _launcher(self) -> launchers.Launcher:
        return launchers.get((self.job.handle or {}).get("launcher", launchers.local.NAME))

    def _handle(self) -> launchers.Handle:
        if self.job.handle is None:
            raise Lost("the job has no handle")
        return dict(self.job.handle)

    def _end(self, state: State, message: str, **fields: Any) -> None:
        patiently(
            lambda: self.job.move(HELD, state, epoch=self.epoch, who="runner", why=message, message=message, **fields)
        )

    def _guard(self) -> None:
        """Inside a transaction: the row is ours, and stays so until the commit."""
        held = Job.objects.select_for_update().filter(pk=self.job.pk, epoch=self.epoch, state__in=HELD)
        if not held.exists():
            raise Fenced


def _run_function(job: Job, kind: FunctionKind, epoch: int) -> None:
    """A function kind runs right here. It may be run again after a crash, from its start."""
    if job.state == State.STARTING and not job.move((State.STARTING,), State.RUNNING, epoch=epoch, who="runner"):
        raise Fenced
    told = 0.0

    def progress(percentage: float, sentence: str) -> None:
        nonlocal told
        if time.monotonic() - told < settings.JOB_POLL / 2 and percentage < 100:
            return
        told = time.monotonic()
        if job.renew(epoch, percentage=min(max(percentage, 0.0), 100.0), note=sentence[:300]):
            raise Cancelled

    try:
        kind.run(job, progress)
    except Cancelled:
        job.move(HELD, State.CANCELLED, epoch=epoch, who="runner", why="cancelled")
    except JobError as error:
        job.move(HELD, State.FAILED, epoch=epoch, who="runner", why=str(error), message=str(error))
    except Fenced:
        raise
    except Exception:
        log.exception("job %s", job.pk)
        with runfolder.log(job).open("a", encoding="utf-8") as file:
            file.write(traceback.format_exc())
        job.move(HELD, State.FAILED, epoch=epoch, who="runner", message=_unexpected())
    else:
        job.move(HELD, State.SUCCEEDED, epoch=epoch, who="runner", percentage=100.0)


def _unexpected() -> str:
    last = traceback.format_exc().strip().splitlines()[-1]
    return _("Something unexpected happened in the portal: %(error)s") % {"error": last[:500]}
