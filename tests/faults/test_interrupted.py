"""The kernel itself is gone: killed, or with the machine. What can go on goes on from its last checkpoint."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from jobs.models import Host, Job, State
from tests.faults.invariants import lives

pytestmark = pytest.mark.django_db(transaction=True)


def kill_all_of(portal, job) -> None:
    """As the OOM killer may, or a power cut: the kernel and whatever encloses it, at once."""
    for pid in [portal.started(job, "shim"), *(process.pid for process in portal.kernels(job)), portal.started(job)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def resumed(portal, job) -> None:
    portal.wait("its second kernel", lambda: len([life for life in lives(portal.home).values() if life.steps]) == 2)
    portal.until(job, State.RUNNING)


@pytest.mark.one_database
def test_f05_a_kernel_that_is_killed_fails_and_says_so(portal, dice):
    """A signal is an end like any other: the contract calls it a failure."""
    portal.tend()
    job = portal.at_step(portal.train(), dice.randint(2, 6))
    os.kill(portal.kernel_of(job), signal.SIGKILL)
    portal.until(job, State.FAILED)
    assert job.exit_code == -9
    assert "SIGKILL" in job.message
    assert (portal.models[0].folder / "save" / "resume.pth").is_file()


@pytest.mark.one_database
def test_f06_a_kernel_gone_without_a_trace_goes_on_from_its_checkpoint(portal, dice):
    portal.tend()
    job = portal.at_step(portal.train(), dice.randint(2, 8))
    kill_all_of(portal, job)
    resumed(portal, job)
    portal.finish(job)
    first, second = sorted(lives(portal.home).values(), key=lambda life: life.first)
    assert (first.is_resumed, second.is_resumed) == (False, True)
    assert second.steps[0] <= first.steps[-1] + 1
    assert second.steps == list(range(second.steps[0], second.steps[-1] + 1))
    assert job.resumes == 1
    assert job.events.filter(new=State.QUEUED, why__startswith="interrupted").count() == 1


@pytest.mark.one_database
def test_f06b_one_that_is_lost_again_and_again_fails_with_its_story(portal):
    portal.more["TRAINPORTAL_JOB_RESUMES"] = "2"
    portal.worker()
    job = portal.train()
    for n in range(3):
        portal.wait("its kernel", lambda: _runs(portal, job, n))  # noqa: B023
        kill_all_of(portal, job)
        portal.wait("the loss to be noticed", lambda: Job.objects.get(pk=job.pk).resumes > n or not _active(job))  # noqa: B023
    portal.until(job, State.FAILED)
    assert job.message.startswith("Interrupted 3 times")
    assert job.message.count("without an exit code") == 3


def test_f06c_a_runner_and_its_kernel_killed_together_are_both_replaced(portal):
    portal.tend()
    job = portal.at_step(portal.train(), 3)
    os.kill(portal.runner_of(job), signal.SIGKILL)
    kill_all_of(portal, job)
    resumed(portal, job)
    portal.finish(job)
    assert job.resumes == 1


@pytest.mark.one_database
def test_f06d_the_shim_killed_alone_leaves_a_kernel_that_goes_on(portal):
    """Nobody knows its exit code then; that it said *done* counts."""
    portal.tend()
    job = portal.at_step(portal.train(), 3)
    os.kill(portal.started(job, "shim"), signal.SIGKILL)
    portal.at_step(job, (job.step or 0) + 3)
    portal.finish(job)
    assert (job.resumes, len(lives(portal.home))) == (0, 1)


def drafts_in(folder: Path) -> list[str]:
    """What stands in half-written checkpoints, which come and go."""
    texts = []
    for path in folder.glob(".resume.pth.*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            texts.append(path.read_text())
    return texts


@pytest.mark.one_database
def test_f43_a_checkpoint_that_is_torn_by_a_kill_is_not_used_the_one_before_it_is(portal):
    """Killed while it writes. (At every file boundary of the bundled kernels' own: `tests/kernels/test_common.py`.)"""
    portal.tend()
    job = portal.train(steps=20, behaviour="tears", tears_at=12)
    save = portal.home / "runs" / str(job.pk) / "out" / "save"
    portal.wait("half a checkpoint", lambda: drafts_in(save) == ["1"])
    kill_all_of(portal, job)
    portal.until(job, State.SUCCEEDED)
    first, second = sorted(lives(portal.home).values(), key=lambda life: life.first)
    assert (first.steps[-1], second.is_resumed, second.steps) == (11, True, list(range(12, 21)))


def test_f16_after_a_restart_of_the_machine_its_trainings_go_on_at_once(portal):
    """Everything is gone, and the boot is another one: nobody waits for a lease to end."""
    portal.deadlines["LEASE"] = 300
    portal.worker()
    job = portal.at_step(portal.train(), 3)
    portal.kill_all()
    portal.wait("the end of everything", lambda: not portal.all())
    Host.objects.update(boot_id="the boot before")
    portal.worker()
    resumed(portal, job)
    portal.finish(job)
    assert job.resumes == 1
    assert job.events.filter(why="the machine was restarted").count() == 1


def _runs(portal, job, n: int) -> bool:
    started = [life for life in lives(portal.home).values() if life.steps]
    return len(started) > n and Job.objects.get(pk=job.pk).state == State.RUNNING


def _active(job) -> bool:
    return Job.objects.get(pk=job.pk).is_active
