"""Function kinds: an import, say, runs inside the runner itself, and again from its start where that was lost."""

from __future__ import annotations

import logging
import time
import traceback
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop as _

from jobs import diagnosis, runfolder
from jobs.kinds import Cancelled, FunctionKind, JobError
from jobs.models import HELD, Fenced, Job, State
from jobs.patience import AWAY, patiently
from jobs.said import Said

log = logging.getLogger(__name__)


def run(job: Job, kind: FunctionKind, epoch: int) -> None:
    """Do it, from its start again where the database went away in the middle: it is all or nothing."""
    if job.state == State.STARTING:
        begun = patiently(lambda: job.move((State.STARTING,), State.RUNNING, epoch=epoch, who="runner"))
        if not begun:
            raise Fenced
    for is_last in [False] * settings.JOB_RESUMES + [True]:
        try:
            state, ending = _once(job, kind, epoch)
            break
        except AWAY:
            if is_last:
                state, ending = State.FAILED, _failed(job, unexpected(), "portal_fault")
                break
            log.exception("job %s: once more from its start", job.pk)
            patiently(lambda: job.renew(epoch))
    patiently(lambda: job.move(HELD, state, epoch=epoch, who="runner", **ending))


def _once(job: Job, kind: FunctionKind, epoch: int) -> tuple[State, dict[str, Any]]:
    """How it ended, and what to write about it. Raises Fenced, and what a database that is away raises."""
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
        return State.CANCELLED, {"why": "cancelled"}
    except JobError as error:
        return State.FAILED, _failed(job, error.said, "refused")
    except (Fenced, *AWAY):
        raise
    except Exception:
        log.exception("job %s", job.pk)
        with runfolder.log(job).open("a", encoding="utf-8") as file:
            file.write(traceback.format_exc())
        return State.FAILED, _failed(job, unexpected(), "portal_fault")
    return State.SUCCEEDED, {"percentage": 100.0}


def fail(job: Job, epoch: int, message: str, otherwise: str) -> None:
    job.move(HELD, State.FAILED, epoch=epoch, who="runner", **_failed(job, message, otherwise))


def _failed(job: Job, message: str, otherwise: str) -> dict[str, Any]:
    """What to write about a failure; `otherwise` as in `diagnosis.of`."""
    return {"why": message, "message": message} | diagnosis.of(job, runfolder.of(job), message, otherwise)


def unexpected() -> Said:
    """The exception being handled, for the user of a job that it ended."""
    last = traceback.format_exc().strip().splitlines()[-1]
    return Said(_("Something unexpected happened in the portal: %(error)s"), error=last[:500])
