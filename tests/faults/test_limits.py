"""Limits: each ends, or does not end, a training with a sentence and an event."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from jobs import logs, runfolder
from jobs.models import Host, Job, State, Stop
from tests.faults.invariants import lives

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]
MB = 2**20


def over_time(portal, **params) -> Job:
    """A training that has saved something and is over its time: its next runner is told of a limit."""
    portal.tend()
    job = portal.at_step(portal.train(**params), 1)
    Job.objects.filter(pk=job.pk).update(limits={"wall": 0.5})
    os.kill(portal.runner_of(job), signal.SIGKILL)
    return job


def test_f35_the_time_limit_stops_it_and_its_checkpoint_is_kept(portal):
    """The time is the kernel's own, whichever runner looks."""
    job = portal.until(over_time(portal), State.FAILED)
    assert job.message == "Stopped at its time limit of 0.5 s."
    assert job.stop_reason == Stop.WALL
    assert job.events.filter(new=State.STOPPING, why=job.message).count() == 1
    assert (portal.models[0].folder / "save" / "resume.pth").is_file()


def test_f35b_one_that_was_to_be_stopped_and_says_done_has_succeeded(portal):
    """It was just ready: what it saved while it was told to end is whole."""
    job = portal.until(over_time(portal, behaviour="done_when_told"), State.SUCCEEDED)
    assert job.message == ""


def test_f35c_the_limit_of_the_installation_speaks_the_language_of_whoever_started_it(portal):
    portal.deadlines["WALL_LIMIT"] = 0.5
    portal.worker()
    with translation.override("ko"):
        job = portal.train()
    portal.until(job, State.FAILED)
    assert job.message == "시간 제한 0.5초에 도달하여 중지했습니다."


def test_f34_silence_is_remarked_upon_and_then_ends_it(portal):
    portal.deadlines |= {"SILENCE": 0.5, "SILENCE_STOP": 2.0}
    portal.worker()
    job = portal.until(portal.train(behaviour="silent"), State.FAILED)
    assert job.message == "Stopped because it wrote nothing for 2 s."
    assert job.events.filter(old=State.RUNNING, new=State.RUNNING, why="It has written nothing for 0.5 s.").count() == 1


def test_f34b_without_a_limit_silence_is_only_remarked_upon(portal, alice):
    portal.deadlines |= {"SILENCE": 0.5}
    portal.worker()
    job = portal.train(behaviour="silent")
    portal.wait("the remark", lambda: job.events.filter(why__startswith="It has written nothing").exists())
    job.refresh_from_db()
    assert job.state == State.RUNNING
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)


def test_f39_a_log_without_end_keeps_its_head_and_its_tail_and_never_blocks(portal):
    """A hundred times its limit, one line of it 20 MB long, some of it no text."""
    portal.deadlines["LOG_LIMIT"] = MB
    portal.worker()
    job = portal.until(portal.train(steps=10, behaviour="floods"), State.SUCCEEDED)
    log = runfolder.log(job)
    assert log.stat().st_blocks * 512 <= 1.1 * MB
    text = b"".join(logs.parts(log))
    assert text.startswith(b"@")
    assert b"the first line" in text[:2000]
    assert b"the last line" in text[-2000:]
    assert b"\0\0\0\0" not in text
    assert job.events.filter(why__contains="Its log grew beyond").count() == 1
    assert job.peak_memory < 100 * MB


def test_f40_a_run_that_takes_too_much_of_the_disk_is_stopped(portal):
    portal.deadlines["DISK_QUOTA"] = 3 * MB
    portal.worker()
    job = portal.until(portal.train(behaviour="fills"), State.FAILED)
    assert job.stop_reason == Stop.DISK
    assert job.message.startswith("Stopped because it took ")
    assert job.message.endswith("a run may take 3.0\xa0MB.")


def test_f40b_a_host_with_little_room_starts_nothing_until_there_is_more(portal, settings, client_of):
    portal.deadlines["DISK_FLOOR"] = 2**60
    first = portal.worker()
    job = portal.train(steps=3)
    portal.wait("the host", lambda: Host.objects.exists())
    a_whole_tick(portal)
    job.refresh_from_db()
    assert job.state == State.QUEUED
    settings.JOB_DISK_FLOOR = 2**60
    assert "nothing starts below" in client_of(portal.shop.user).get(job.get_absolute_url()).content.decode()
    first.terminate()
    first.wait()
    portal.deadlines["DISK_FLOOR"] = 1
    portal.worker()
    portal.until(job, State.SUCCEEDED)


@pytest.fixture
def small_disk(home, standing) -> Iterator[Path]:
    """All of the portal's files on a file system of 24 MB of their own, which hides those that were there."""
    standing.end()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(home)], capture_output=True)
    if done.returncode:
        pytest.skip("nobody but root may mount a small disk")
    yield home
    subprocess.run(["umount", "--lazy", str(home)], check=True)


def test_f40c_a_full_disk_ends_who_fills_it_and_holds_up_the_rest_until_there_is_room(small_disk, portal):
    """Not even its last words fit; its exit code does, and the job says what was the matter."""
    portal.deadlines["DISK_FLOOR"] = 4 * MB
    portal.worker()
    job = portal.until(portal.train(behaviour="fills_the_disk"), State.FAILED)
    assert (job.failure, job.exit_code) == ("disk_full", 1)
    portal.wait("the host to say so", lambda: Host.objects.get().free_bytes < 4 * MB)
    waiting = portal.train(steps=3)
    a_whole_tick(portal)
    waiting.refresh_from_db()
    assert waiting.state == State.QUEUED
    [large] = small_disk.glob("**/large.bin")
    large.unlink()
    portal.until(waiting, State.SUCCEEDED)
    assert len(lives(portal.home)) == 2


def a_whole_tick(portal) -> None:
    """The worker has looked at everything once more: two of its words later."""
    for _ in range(2):
        before = Host.objects.get().seen_at
        portal.wait("its next word", lambda: Host.objects.get().seen_at > before)  # noqa: B023 (called at once)


class TestOfTheKernelItself:
    @pytest.fixture
    def kernel_toml(self) -> str:
        return "[limits]\nwall = 0.5\n"

    def test_f35d_its_own_limit_goes_before_the_installation_s(self, portal):
        portal.deadlines["WALL_LIMIT"] = 1000
        portal.worker()
        job = portal.until(portal.train(), State.FAILED)
        assert job.message == "Stopped at its time limit of 0.5 s."
