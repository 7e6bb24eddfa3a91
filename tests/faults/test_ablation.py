"""The checker itself: with the locks switched off it has to see a double run, or it could not see any."""

from __future__ import annotations

import os
import signal

import pytest

from jobs import clock
from jobs.models import Job, State
from tests.faults.harness import words
from tests.faults.invariants import lives

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_locks_the_checker_sees_two_kernels_of_one_job(portal, alice):
    """A runner is stopped and its lease runs out; nobody sees that it and its kernel live, so the job starts again."""
    portal.allowed, portal.is_ablated = ["I2"], True
    # in a sandbox the first one would lose its folder when the second starts, and might take the job down with it
    portal.more |= {"FAULTS_ABLATION": "locks", "TRAINPORTAL_SANDBOX": "off"}
    portal.deadlines["LEASE"] = 60  # long enough for a runner to come up: nothing else says that it lives
    portal.worker()
    job = portal.at_step(portal.train(), 2)
    [runner] = [process.pid for process in portal.all() if "runner" in words(process)]
    portal.freeze([runner])
    Job.objects.filter(pk=job.pk).update(lease_until=clock.now())
    portal.wait("a second kernel", lambda: len([life for life in lives(portal.home).values() if life.steps]) > 1)
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)
    for pid in [runner, *(process.pid for process in portal.kernels(job))]:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.one_database
def test_with_them_it_sees_one(portal, alice):
    """The same, with the locks: the runner is late and keeps its job."""
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    runner = portal.runner_of(job)
    portal.freeze([runner])
    Job.objects.filter(pk=job.pk).update(lease_until=clock.now())
    portal.wait("the worker to look after it", lambda: "is late, but alive" in portal.said())
    os.kill(runner, signal.SIGCONT)
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)
    assert len(lives(portal.home)) == 1
