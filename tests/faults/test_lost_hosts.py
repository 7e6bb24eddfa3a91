"""A host is cut off, and comes back. The second host is this machine too, under another name, with its own worker."""

from __future__ import annotations

import os
import signal
import time

import pytest

from jobs.models import Host, Job, State
from tests.faults.invariants import lives

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def host_lost() -> float:
    """Seconds: long enough for a busy machine to say a word in them, twice as long is short enough to wait for."""
    return 2.5


@pytest.fixture
def two_hosts(portal, host_lost):
    """A training runs on alpha; beta is there, and has nothing to do."""
    portal.deadlines["HOST_LOST"] = host_lost
    alpha = portal.worker("alpha")
    job = portal.at_step(portal.train(), 3)
    portal.worker("beta")
    portal.wait("beta", lambda: Host.objects.filter(name="beta").exists())
    return alpha, job


def test_f17_a_job_of_a_host_that_is_cut_off_moves_once_and_the_host_ends_its_own_when_it_is_back(portal, two_hosts):
    """The old kernel may live on meanwhile; what it writes counts for nothing, and its device is given to nobody."""
    alpha, job = two_hosts
    frozen = [alpha.pid, portal.runner_of(job)]
    old_kernel = portal.kernel_of(job)
    portal.freeze(frozen)
    portal.wait("another host to take it", lambda: (fresh(job).host or Host()).name == "beta")
    waiting = portal.train(steps=5, devices=1)
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    portal.wait("the old kernel to end", lambda: old_kernel not in [p.pid for p in portal.kernels(job)])
    portal.until(waiting, State.SUCCEEDED)
    goes_on(portal, job)
    assert (job.resumes, job.moves, job.host.name) == (1, 1, "beta")
    assert not Host.objects.get(name="alpha").is_stale
    portal.allowed = ["I2"] if overlapped(portal, job) else []  # on two hosts at a time, as the design grants


def test_f17b_a_host_that_comes_back_without_its_runner_ends_the_old_kernel_before_it_gets_work(portal, two_hosts):
    alpha, job = two_hosts
    alpha.kill()
    alpha.wait()
    os.kill(portal.runner_of(job), signal.SIGKILL)
    portal.wait("another host to take it", lambda: (fresh(job).host or Host()).name == "beta")
    assert Host.objects.get(name="alpha").is_stale
    portal.worker("alpha")
    portal.wait("alpha to have swept", lambda: not Host.objects.get(name="alpha").is_stale)
    goes_on(portal, job)
    portal.allowed = ["I2"] if overlapped(portal, job) else []


def test_f17c_a_host_whose_worker_alone_is_gone_keeps_its_trainings(portal, two_hosts):
    """The runner renews its lease: that is life enough."""
    alpha, job = two_hosts
    alpha.kill()
    alpha.wait()
    time.sleep(2 * portal.deadlines["HOST_LOST"])
    goes_on(portal, job)
    assert (job.resumes, job.host.name) == (0, "alpha")


def test_f18b_a_database_that_was_away_for_longer_than_a_host_may_be_gives_nobody_up(
    on_postgresql, portal, proxied, two_hosts
):
    _alpha, job = two_hosts
    with portal.outage():
        time.sleep(2 * portal.deadlines["HOST_LOST"])
    goes_on(portal, job)
    assert (job.resumes, job.moves, job.host.name) == (0, 0, "alpha")


@pytest.mark.parametrize("host_lost", [600.0])
def test_f42_a_clock_set_forward_or_back_ends_nothing_and_moves_nothing(portal, two_hosts):
    _alpha, job = two_hosts
    for shift in (3600, -3600, 0):  # more than the time after which a host is lost
        step = fresh(job).step or 0
        portal.file("clock", str(shift))
        portal.at_step(job, step + 8)
    portal.finish(job)
    assert (job.resumes, job.moves, job.epoch) == (0, 0, 1)


def test_f42b_a_runner_that_dies_after_the_clock_was_set_back_is_replaced_all_the_same(portal):
    """Its lease seems to last for another hour."""
    portal.worker()
    job = portal.at_step(portal.train(), 3)
    runner = portal.runner_of(job)
    portal.freeze([runner])
    portal.file("clock", "-3600")
    os.kill(runner, signal.SIGKILL)
    portal.wait("a new runner", lambda: fresh(job).epoch == 2 and portal.runner_of(job))
    portal.finish(job)
    assert (job.epoch, job.resumes) == (2, 0)


def goes_on(portal, job) -> None:
    """It runs, and comes to its end."""
    portal.at_step(portal.until(job, State.RUNNING), (fresh(job).step or 0) + 2)
    portal.finish(job)


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def overlapped(portal, job) -> bool:
    old, new = sorted(
        (life for life in lives(portal.home).values() if life.run == str(job.pk)), key=lambda life: life.first
    )
    return new.first < old.last
