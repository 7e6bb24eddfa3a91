"""From the queue to a runner: claim what fits on this host and start its runner, detached."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from django.conf import settings

from jobs import hosts, locks, queue, runfolder
from jobs.enclosure import processes
from jobs.models import Host, Job

logger = logging.getLogger(__name__)


def fill(host: Host | None = None) -> list[Job]:
    """Claim every waiting job that fits on this host, first in line first, and start their runners."""
    host = host or hosts.beat()
    claimed: list[Job] = []
    while job := queue.claim_next(host):
        spawn(job)
        claimed.append(job)
    return claimed


def spawn(job: Job) -> bool:
    """Start the runner of a claimed job in a session of its own, so that it outlives this process.

    It is given its lock, so that it counts as alive from the first moment, however slowly it comes up. False where
    this host cannot (a full disk, no more processes): the job is looked after when its lease runs out.
    """
    folder = runfolder.of(job)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "runner.log").open("ab") as log, locks.hold(folder / runfolder.RUNNER_LOCK) as lock:
            argv = ["runner", str(job.pk), str(job.epoch), "--lock", str(lock)]
            process = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock],
                cwd="/",
            )
            locks.say(lock, json.dumps(processes.named(process.pid)))
    except locks.Busy:
        logger.warning("job %s has a runner already", job.pk)
        return False
    except OSError:
        logger.exception("the runner of job %s could not be started", job.pk)
        return False
    return True
