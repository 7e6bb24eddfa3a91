"""Runners and workers die; kernels go on, and who comes after finds everything."""

from __future__ import annotations

import os
import signal
import time

import pytest

from jobs.models import Job, State
from tests.faults.harness import WITHIN, words
from tests.faults.invariants import lives

pytestmark = pytest.mark.django_db(transaction=True)


def only_life(portal):
    [life] = lives(portal.home).values()
    return life


def without_a_gap(portal) -> bool:
    """One kernel alone, and no step of it was repeated or left out."""
    steps = only_life(portal).steps
    return steps == list(range(1, len(steps) + 1))


def adopted(portal, job, epoch: int = 2) -> None:
    portal.wait("a new runner", lambda: Job.objects.get(pk=job.pk).epoch == epoch and portal.runner_of(job))


def test_f01_a_runner_killed_while_its_kernel_trains_is_replaced(portal, dice):
    """The same kernel goes on, no step is repeated."""
    portal.tend()
    job = portal.at_step(portal.train(), dice.randint(2, 8))
    pid = portal.started(job)
    os.kill(portal.runner_of(job), signal.SIGKILL)
    adopted(portal, job)
    portal.finish(job)
    assert (job.epoch, job.resumes, portal.started(job)) == (2, 0, pid)
    assert without_a_gap(portal)
    assert job.events.filter(why="its runner was gone: a new one").count() == 1


@pytest.mark.one_database
def test_f02_a_runner_killed_when_its_kernel_has_just_ended_leaves_the_exit_code(portal):
    """Whoever comes next reads it, and judges: nothing is trained again."""
    portal.point("end", who="runner", sql="state becomes FINALIZING", do="kill")
    portal.tend()
    job = portal.until(portal.train(steps=3), State.SUCCEEDED)
    assert portal.happened("end")
    assert (job.epoch, job.exit_code) == (2, 0)
    assert only_life(portal).steps == [1, 2, 3]


@pytest.mark.one_database
def test_f02b_and_an_exit_code_that_tells_of_a_failure_as_well(portal):
    portal.point("end", who="runner", sql="state becomes FINALIZING", do="kill")
    portal.tend()
    job = portal.until(portal.train(steps=3, behaviour="exit3"), State.FAILED)
    assert (job.epoch, job.exit_code) == (2, 3)


def test_f03_a_runner_killed_inside_the_last_transaction_leaves_nothing_half_done(portal):
    """Rolled back with the process, and done again once."""
    portal.point("end", who="runner", sql="state becomes SUCCEEDED", when="commit", do="kill")
    portal.tend()
    job = portal.until(portal.train(steps=3), State.SUCCEEDED)
    assert portal.happened("end")
    assert job.epoch == 2


@pytest.mark.one_database
@pytest.mark.parametrize("nth", [1, 2])
def test_f45_a_runner_killed_while_it_keeps_the_results_leaves_them_whole(portal, nth):
    """Between the rename of the results and the link in their place."""
    event, match = ("os.rename", "models/") if nth == 1 else ("os.symlink", "models/")
    portal.point("keep", who="runner", audit=event, match=match, do="kill")
    portal.tend()
    job = portal.until(portal.train(steps=3), State.SUCCEEDED)
    assert portal.happened("keep")
    assert job.epoch == 2


@pytest.mark.one_database
def test_f04_a_runner_that_is_merely_late_keeps_its_job(portal):
    """Stopped for three leases: nobody takes its job, and it goes on where it was."""
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    runner = portal.runner_of(job)
    portal.freeze([runner])
    portal.wait("the worker to look", lambda: f"the runner of job {job.pk} is late, but alive" in portal.said())
    time.sleep(2 * portal.deadlines["LEASE"])
    os.kill(runner, signal.SIGCONT)
    portal.finish(job)
    assert job.epoch == 1


@pytest.mark.one_database
def test_f04b_a_runner_that_is_stuck_for_good_is_ended_and_replaced(portal):
    portal.deadlines["RUNNER_LOST"] = 1.5
    portal.worker()
    job = portal.at_step(portal.train(), 2)
    portal.freeze([portal.runner_of(job)])
    adopted(portal, job)
    portal.finish(job)
    assert job.epoch == 2
    assert job.events.filter(why="its runner was stuck: a new one").count() == 1


def test_f04c_a_runner_that_wakes_up_after_another_took_over_writes_nothing(portal):
    """It was stopped; its job was given to another without its lock, as on a host whose locks nobody sees."""
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    first = portal.runner_of(job)
    portal.freeze([first])
    (portal.home / "runs" / str(job.pk) / "runner.lock").unlink()  # nobody can see that it lives
    portal.wait("another runner", lambda: Job.objects.get(pk=job.pk).epoch == 2 and portal.runner_of(job) != first)
    os.kill(first, signal.SIGCONT)
    portal.wait("the first one to leave", lambda: first not in [process.pid for process in portal.all()])
    job.refresh_from_db()
    assert job.is_active
    portal.finish(job)
    assert (job.epoch, without_a_gap(portal)) == (2, True)


def test_f07_a_worker_killed_between_claim_and_start_loses_no_job_and_no_device(portal):
    portal.point("claim", who="worker", audit="subprocess.Popen", match="runner", do="kill")
    portal.worker()
    job = portal.train(steps=3)
    portal.wait("the worker to die", lambda: portal.happened("claim"))
    job.refresh_from_db()
    assert (job.state, job.leases.count()) == (State.STARTING, 1)
    portal.worker()
    portal.until(job, State.SUCCEEDED)
    assert len(lives(portal.home)) == 1


@pytest.mark.one_database
def test_f07b_a_runner_killed_before_its_kernel_starts_is_replaced(portal):
    portal.point("prepare", who="runner", audit="os.mkdir", match="/tmp", do="kill")
    portal.tend()
    job = portal.until(portal.train(steps=3), State.SUCCEEDED)
    assert portal.happened("prepare")
    assert len(lives(portal.home)) == 1
    assert job.epoch == 2


@pytest.mark.one_database
def test_f07c_a_runner_killed_before_it_could_say_that_the_kernel_runs(portal):
    """The kernel is found by the next one, and is not started a second time."""
    portal.point("say", who="runner", sql="state becomes RUNNING", do="kill")
    portal.tend()
    job = portal.until(portal.train(), State.RUNNING)
    assert portal.happened("say")
    portal.finish(job)
    assert job.epoch == 2
    assert without_a_gap(portal)


def test_f13_sigterm_ends_the_worker_in_five_seconds_and_no_training(portal):
    worker = portal.worker(queue=True)
    job = portal.at_step(portal.train(), 2)
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert time.monotonic() - began < WITHIN
    step = Job.objects.get(pk=job.pk).step or 0
    portal.at_step(job, step + 3)
    portal.finish(job)
    assert job.epoch == 1
    assert not [process for process in portal.all() if "qcluster" in words(process)]


@pytest.mark.one_database
def test_f14_sigterm_to_the_whole_group_of_the_worker_ends_it_and_no_training(portal):
    worker = portal.worker(queue=True)
    job = portal.at_step(portal.train(), 2)
    began = time.monotonic()
    os.killpg(worker.pid, signal.SIGTERM)
    assert worker.wait(30) == 0
    assert time.monotonic() - began < WITHIN
    portal.finish(job)
    assert job.epoch == 1


@pytest.mark.one_database
def test_f15_a_deploy_while_two_trainings_run_touches_none(portal):
    """Web and worker end and come again; a runner is killed in between, as if it had been in the way."""
    worker = portal.worker()
    first, second = portal.train(), portal.train()
    portal.at_step(first, 2), portal.at_step(second, 2)
    pids = [portal.started(job) for job in (first, second)]
    worker.terminate()
    worker.wait(30)
    os.kill(portal.runner_of(second), signal.SIGKILL)
    portal.worker()
    adopted(portal, second)
    portal.finish(first, second)
    assert [portal.started(job) for job in (first, second)] == pids
    assert (first.epoch, second.epoch, first.resumes, second.resumes) == (1, 2, 0, 0)


@pytest.mark.one_database
def test_f15b_a_worker_killed_hard_leaves_its_trainings_and_the_next_one_looks_after_them(portal):
    worker = portal.worker()
    job = portal.at_step(portal.train(), 2)
    worker.kill()
    worker.wait(30)
    os.kill(portal.runner_of(job), signal.SIGKILL)
    portal.worker()
    adopted(portal, job)
    portal.finish(job)
    assert (job.epoch, without_a_gap(portal)) == (2, True)


@pytest.mark.one_database
def test_f49_a_second_worker_on_the_same_host_ends_and_says_why(portal):
    portal.worker()
    job = portal.at_step(portal.train(), 1)
    second = portal.worker()
    assert second.wait(60) == 1
    assert "already" in (portal.home / "worker-alpha.out").read_text()
    portal.finish(job)
