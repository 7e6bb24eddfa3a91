"""A runner dies; its kernel lives on, and a new runner goes on with the same one."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import dispatch, launchers, locks, queue, reaper, runfolder, runner
from jobs.launchers import local, shim
from jobs.models import Host, Job, State
from jobs.watching import Watch
from tests.jobs.conftest import wait_for

DONE = "say(cmd='training_status', status='training_done')\n"


@pytest.fixture
def spawned(monkeypatch):
    """Instead of a process of its own, the new runner is only noted."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(dispatch, "spawn", lambda job: found.append((job.pk, job.epoch)) is None)
    return found


@pytest.fixture
def abandoned(submit, host, script_kind):
    """A job whose kernel was started by a runner that died before it could say so."""

    def make(code: str) -> Job:
        job = submit(code)
        assert queue.claim(job, host)
        folder = runfolder.of(job)
        folder.mkdir(parents=True, exist_ok=True)
        launch = script_kind.prepare(job, folder, resume=False)
        launchers.local.start(launch, attempt=0, grace=3.0)
        return job

    return make


@pytest.fixture
def give_up(host, settings):
    """What the worker of another host does about hosts that are lost, looking for as long as it takes to be sure."""
    settings.JOB_HOST_LOST = 1.0
    watch, other = Watch(), Host.objects.create(name="another", seen_at=timezone.now())

    def look() -> list[Job]:
        found = reaper.give_up_lost_hosts(other, watch)
        time.sleep(2 * reaper.SURE)
        return found + reaper.give_up_lost_hosts(other, watch)

    return look


def silence(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_new_runner_goes_on_with_the_kernel_that_runs(abandoned, host, spawned):
    job = abandoned("import os, time; print('pid', os.getpid()); time.sleep(0.5)\n" + DONE)
    silence(job)
    assert reaper.look_after(host) == [job]
    job.refresh_from_db()
    assert spawned == [(job.pk, job.epoch)]
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
    assert runfolder.log(job).read_text().count("pid") == 1  # started once


def test_a_new_runner_finds_the_exit_code_of_a_kernel_that_ended_meanwhile(abandoned, host, spawned):
    job = abandoned("sys.exit(4)")
    wait_for(lambda: (runfolder.of(job) / shim.EXIT).exists())
    silence(job)
    reaper.look_after(host)
    job.refresh_from_db()
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert (job.state, job.exit_code) == (State.FAILED, 4)


def test_a_runner_that_is_late_but_alive_keeps_its_job(abandoned, host, spawned):
    job = abandoned(DONE)
    silence(job)
    with locks.hold(runfolder.of(job) / runfolder.RUNNER_LOCK):
        assert reaper.look_after(host) == []
    assert spawned == []


def test_a_kernel_lost_without_a_trace_goes_back_into_the_queue_and_resumes(submit, host, script_kind):
    job = submit("import time\nif RESUME: print('resumed')\nelse: time.sleep(60)\n" + DONE)
    assert queue.claim(job, host)
    folder = runfolder.of(job)
    folder.mkdir(parents=True, exist_ok=True)
    launch = script_kind.prepare(job, folder, resume=False)
    handle = local.start(launch, attempt=0, grace=3.0)
    (runfolder.output(job) / "save" / "resume.pth").write_text("a checkpoint")
    started = local._read(folder / shim.STARTED)
    os.kill(started["shim"][0], signal.SIGKILL)
    os.kill(started["leader"][0], signal.SIGKILL)
    wait_for(lambda: not locks.is_held(folder / shim.LOCK))
    job.move((State.STARTING,), State.RUNNING, epoch=job.epoch, who="test", handle=handle)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert (job.state, job.resumes) == (State.QUEUED, 1)
    assert queue.claim(job, host)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
    assert "resumed" in runfolder.log(job).read_text()


def test_a_kernel_that_is_lost_again_and_again_fails_with_its_story(submit, host, script_kind, settings):
    settings.JOB_RESUMES = 0
    job = submit(DONE)
    assert queue.claim(job, host)
    folder = runfolder.of(job)
    folder.mkdir(parents=True, exist_ok=True)
    job.move(
        (State.STARTING,), State.RUNNING, epoch=job.epoch, who="test",
        handle={"launcher": "local", "folder": str(folder)},
    )  # fmt: skip
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "Interrupted" in job.message


def test_the_jobs_of_a_lost_host_go_back_into_the_queue(submit, host, give_up):
    job = submit(DONE)
    assert queue.claim(job, host)
    long_ago = timezone.now() - timedelta(hours=1)
    Host.objects.filter(pk=host.pk).update(seen_at=long_ago)
    Job.objects.update(lease_until=long_ago)
    assert give_up() == [job]
    job.refresh_from_db()
    assert (job.state, job.resumes, job.leases.count()) == (State.QUEUED, 1, 0)
    assert runfolder.of(job).name == f"{job.pk}.1"  # the lost host may still be writing into the other


@pytest.mark.parametrize("newest", ["", ".1"])
def test_a_lost_host_s_job_gets_a_folder_that_nobody_used_and_one_history(submit, host, give_up, newest):
    """A database restored from a backup knows nothing of the folder into which the job had moved since."""
    job = submit(DONE)
    assert queue.claim(job, host)
    for suffix in ("", ".1"):
        save = runfolder.of(job).with_name(f"{job.pk}{suffix}") / runfolder.OUTPUT / "save"
        save.mkdir(parents=True)
        for path in (save / "resume.pth", save / "log.txt", save.parents[1] / runfolder.LOG):
            path.write_text(f"of{suffix}")
            os.utime(path, (1000, 2000 if suffix == newest else 1000))
    long_ago = timezone.now() - timedelta(hours=1)
    Host.objects.filter(pk=host.pk).update(seen_at=long_ago)
    Job.objects.update(lease_until=long_ago)
    assert give_up() == [job]
    job.refresh_from_db()
    assert runfolder.of(job).name == f"{job.pk}.2"
    runfolder.of(job).mkdir()
    runfolder.inherit(job)
    found = {path.read_text() for path in runfolder.of(job).rglob("*") if path.is_file()}
    assert found == {f"of{newest}"}
    assert runfolder.log(job).exists()


def test_a_host_that_was_given_up_gets_no_job_before_it_has_looked_after_what_ran_there(submit, host, give_up):
    job = submit(DONE)
    assert queue.claim(job, host)
    long_ago = timezone.now() - timedelta(hours=1)
    Host.objects.filter(pk=host.pk).update(seen_at=long_ago)
    Job.objects.update(lease_until=long_ago)
    give_up()
    assert queue.claim_next(host) is None
    host.refresh_from_db()
    reaper.sweep(host)
    assert queue.claim_next(host) == job


def test_a_clock_that_was_set_forward_gives_nobody_up(submit, host, give_up, settings):
    settings.JOB_HOST_LOST = 60.0
    job = submit(DONE)
    assert queue.claim(job, host)
    long_ago = timezone.now() - timedelta(hours=1)
    Host.objects.filter(pk=host.pk).update(seen_at=long_ago)
    Job.objects.update(lease_until=long_ago)
    assert give_up() == []


def test_a_job_that_kills_every_runner_is_not_given_up_while_its_kernel_lives(abandoned, host, spawned, settings):
    settings.JOB_RESUMES = 2
    job = abandoned("import time; time.sleep(60)")
    for n in range(6):
        silence(job)
        reaper.look_after(host)
        assert len(spawned) == n + 1
    job.refresh_from_db()
    assert job.lease_until > timezone.now() + timedelta(seconds=7 * settings.JOB_LEASE)  # ever more time between two
    local.kill(local.find(runfolder.of(job)))
    wait_for(lambda: not locks.is_held(runfolder.of(job) / shim.LOCK))
    silence(job)
    reaper.look_after(host)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "given up" in job.message
    assert len(spawned) == 6


def test_what_an_earlier_attempt_said_does_not_count_for_the_next(submit, host):
    job = submit(DONE)
    assert queue.claim(job, host)
    job.write(job.epoch, kernel_done=True, kernel_error="", percentage=80.0)
    assert job.requeue((State.STARTING,), epoch=job.epoch, why="lost")
    assert (job.kernel_done, job.percentage, job.resumes) == (False, None, 1)


def test_a_lost_host_s_job_that_was_to_be_cancelled_is_cancelled(submit, host, alice, give_up):
    job = submit(DONE)
    assert queue.claim(job, host)
    job.request_cancel(by=alice)
    long_ago = timezone.now() - timedelta(hours=1)
    Host.objects.filter(pk=host.pk).update(seen_at=long_ago)
    Job.objects.update(lease_until=long_ago)
    give_up()
    job.refresh_from_db()
    assert job.state == State.CANCELLED
