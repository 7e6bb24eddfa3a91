"""Cancelling: in every state, twice, by two, while the end comes, without a runner, against a kernel that resists."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from django.db import connection

from jobs.models import Host, Job, Lease, State, Stop
from tests.faults.harness import words
from tests.faults.invariants import lives
from tests.faults.locks import taken_from

pytestmark = pytest.mark.django_db(transaction=True)


def test_f24_a_waiting_training_is_cancelled_at_once(portal, alice):
    job = portal.train()
    job.request_cancel(alice)
    assert job.state == State.CANCELLED
    assert lives(portal.home) == {}


@pytest.mark.one_database
def test_f24b_one_that_is_being_prepared_is_cancelled_before_its_kernel_starts(portal, alice):
    portal.point("prepare", who="runner", audit="os.mkdir", match="/tmp", do="stop")
    portal.tend()
    job = portal.until(portal.train(), State.STARTING)
    portal.wait("the runner to stop", lambda: portal.happened("prepare"))
    job.request_cancel(alice)
    os.kill(portal.runner_of(job), signal.SIGCONT)
    portal.until(job, State.CANCELLED)
    assert lives(portal.home) == {}


def test_f24c_one_whose_kernel_was_started_by_a_runner_that_died_before_it_said_so(portal, alice):
    """The kernel that nobody knows of is found and ended."""
    portal.deadlines["LEASE"] = 2.0
    portal.point("say", who="runner", sql="state becomes RUNNING", do="kill")
    portal.worker()
    job = portal.train()
    portal.wait("the runner to die", lambda: portal.happened("say"))
    job.refresh_from_db()
    assert job.state == State.STARTING
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)
    assert len(lives(portal.home)) == 1


@pytest.mark.one_database
def test_f24d_a_running_one_is_asked_saves_its_checkpoint_and_ends(portal, alice, dice):
    portal.tend()
    job = portal.at_step(portal.train(), dice.randint(1, 8))
    job.request_cancel(alice)
    assert job.is_cancelling
    portal.until(job, State.CANCELLED)
    assert (job.stop_reason, job.exit_code) == (Stop.CANCEL, 0)
    assert (portal.models[0].folder / "save" / "resume.pth").is_file()
    [life] = lives(portal.home).values()
    assert life.has_ended  # in its own time, not by SIGKILL


@pytest.mark.one_database
def test_f24e_one_that_is_being_finished_is_not_cancelled_any_more(portal, alice):
    """The kernel was first: that stays a success."""
    portal.point("keep", who="runner", audit="os.rename", match="models/", do="stop")
    portal.tend()
    job = portal.until(portal.train(steps=2), State.FINALIZING)
    portal.wait("the runner to stop", lambda: portal.happened("keep"))
    job.request_cancel(alice)
    assert not job.is_cancelling
    os.kill(portal.runner_of(job), signal.SIGCONT)
    portal.until(job, State.SUCCEEDED)


def test_f25_five_clicks_by_two_people_are_one_cancel(portal, alice, bob):
    portal.tend()
    job = portal.at_step(portal.train(), 2)

    def click(user) -> None:
        try:
            Job.objects.get(pk=job.pk).request_cancel(user)
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=(user,)) for user in (alice, bob, alice, bob, alice)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    portal.until(job, State.CANCELLED)
    assert job.events.filter(new=State.STOPPING).count() == 1
    assert job.events.filter(old=State.RUNNING, new=State.RUNNING, why="cancel asked").count() == 1


def test_f25b_a_cancel_that_races_the_end_does_no_harm(portal, alice, dice):
    """Whichever came first is what the job says."""
    portal.tend()
    jobs = [portal.train(steps=6) for _ in range(2)]
    for job in jobs:
        portal.at_step(job, 1)
    for job in jobs:
        time.sleep(dice.uniform(0, 0.3))
        Job.objects.get(pk=job.pk).request_cancel(alice)
    portal.end(*jobs)
    for job, model in zip(jobs, portal.models, strict=True):
        assert job.state in (State.SUCCEEDED, State.CANCELLED)
        assert (model.folder / "model.onnx").exists() == (job.state == State.SUCCEEDED)


@pytest.mark.one_database
def test_f26_a_cancel_reaches_the_kernel_of_a_runner_that_is_gone(portal, alice):
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    os.kill(portal.runner_of(job), signal.SIGKILL)
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)
    assert job.epoch == 2


@pytest.mark.one_database
def test_f26b_and_so_it_does_without_a_shim(portal, alice):
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    os.kill(portal.started(job, "shim"), signal.SIGKILL)
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)


@pytest.mark.one_database
def test_f26c_a_kernel_gone_without_a_trace_after_a_cancel_is_not_started_again(portal, alice):
    portal.tend()
    job = portal.at_step(portal.train(behaviour="ignores_term"), 2)
    job.request_cancel(alice)
    for who in ("shim", "leader"):
        os.kill(portal.started(job, who), signal.SIGKILL)
    portal.kill_kernels(job)
    portal.until(job, State.CANCELLED)
    assert job.resumes == 0


@pytest.mark.one_database
def test_f27_a_kernel_that_hears_nothing_and_its_strayed_children_are_ended(portal, alice):
    """SIGTERM ignored, children in sessions of their own, one that is nobody's child: none is left."""
    portal.tend()
    job = portal.at_step(portal.train(behaviour="forks_and_ignores"), 2)
    assert len(portal.kernels(job)) >= 4
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)
    assert portal.kernels(job) == []
    assert (portal.models[0].folder / "save" / "resume.pth").is_file()


@pytest.mark.one_database
def test_f27b_what_a_kernel_leaves_behind_is_swept_before_its_device_is_free(portal):
    portal.tend()
    job = portal.train(steps=3, behaviour="leaves_daemon")
    portal.wait("the leader to end", lambda: (portal.home / "runs" / str(job.pk) / "exit.json").exists())
    assert portal.kernels(job) != []
    assert Lease.objects.filter(job=job).count() == 1
    portal.until(job, State.SUCCEEDED)
    assert portal.kernels(job) == []


@pytest.mark.one_database
def test_f29_one_rank_killed_is_the_end_of_all(portal):
    """Ranks live in sessions of their own, below a leader that ends when one of them does."""
    portal.tend()
    job = portal.at_step(portal.train(behaviour="ranks"), 2)
    ranks = [process for process in portal.kernels(job) if "-c" in words(process)]
    assert len(ranks) == 2
    ranks[0].kill()
    portal.until(job, State.FAILED)
    assert "rank" in job.message


@pytest.mark.one_database
def test_f30_a_process_that_cannot_be_killed_keeps_its_device_and_no_other(portal, alice):
    """Stub: this test holds the kernel's lock, as a process in an uninterruptible sleep would."""
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    with taken_from(portal.started(job, "shim"), "kernel.lock"):
        job.request_cancel(alice)
        portal.wait("its processes to end", lambda: not portal.kernels(job))
        others = [portal.train(steps=2) for _ in range(2)]
        portal.end(*others)
        job.refresh_from_db()
        assert (job.state, job.leases.count()) == (State.STOPPING, 1)
    portal.until(job, State.CANCELLED)


@pytest.mark.one_database
def test_f48_a_gpu_that_vanishes_takes_no_job_with_it(portal):
    """Stub: the driver names one GPU less. What runs goes on; what waits gets those that are left."""
    portal.tend()
    running = [portal.at_step(portal.train(), 1) for _ in range(2)]
    portal.file("gpus", "1")
    waiting = portal.train(steps=2)
    portal.wait("the host to say so", lambda: Host.objects.get().devices == 1)
    portal.finish(*running)
    portal.end(waiting)
    assert [job.state for job in (waiting, *running)] == [State.SUCCEEDED] * 3
