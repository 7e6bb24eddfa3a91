"""The checker itself: with the locks switched off it has to see a double run, or it could not see any."""

from __future__ import annotations

import pytest

from tests.faults.invariants import lives

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_locks_the_checker_sees_two_kernels_of_one_job(portal):
    """A runner is stopped; nobody sees that it and its kernel live, so the job starts again beside it."""
    portal.allowed, portal.is_ablated = ["I2"], True
    portal.more |= {"FAULTS_ABLATION": "locks", "TRAINPORTAL_JOB_RESUMES": "100"}
    portal.deadlines["LEASE"] = 3.0  # long enough for a runner to come up: nothing else says that it lives
    portal.worker()
    job = portal.at_step(portal.train(steps=150), 2)
    [runner] = [process.pid for process in portal.all() if "runner" in process.cmdline()]
    portal.freeze([runner])
    portal.wait("a second kernel", lambda: len(lives(portal.home)) > 1)
    portal.end(job)
