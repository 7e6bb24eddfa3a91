"""The same accidents where the kernel is a container: nothing of it is lost, run twice, or left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs import diagnosis, runfolder
from jobs.launchers import container
from jobs.models import State
from kernels_app import images
from kernels_app.models import Kernel
from tests import containers
from tests.faults.conftest import PROGRAM
from tests.faults.harness import REPOSITORY
from tests.faults.invariants import lives
from tests.faults.test_pickup import adopted, without_a_gap

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]
IMAGE = f"{images.OWN}/faults:{os.getpid()}"


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Iterator[str]:
    """The kernel of these cases, on a base of nothing: the contract that it imports is seen from inside."""
    containers.need_podman()
    folder = tmp_path_factory.mktemp("image")
    shutil.copy(shutil.which("busybox") or "", folder / "busybox")
    for place, name in PROGRAM.items():
        shutil.copy(REPOSITORY / "tests" / "faults" / name, folder / place)
    python = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    end = f'COPY *.py /kernel/\nENV PYTHONPATH=/portal\nENTRYPOINT ["{python}", "/kernel/train.py"]\n'
    (folder / "Dockerfile").write_text(containers.BASE_FILE + end)
    build = containers.SETTINGS["TRAINPORTAL_CONTAINER_BUILD_OPTIONS"].split()
    subprocess.run(["podman", "build", "--tag", IMAGE, *build, str(folder)], check=True, capture_output=True)
    yield IMAGE
    subprocess.run(["podman", "image", "rm", "--force", IMAGE], check=False, capture_output=True)


@pytest.fixture(autouse=True)
def contained(portal, image, settings) -> Iterator[None]:
    contract = f" --volume {REPOSITORY}/kernels_app:/portal/kernels_app:ro"
    portal.more |= containers.SETTINGS
    portal.more["TRAINPORTAL_CONTAINER_OPTIONS"] += contract
    settings.TRAINPORTAL_CONTAINER_TOOL = containers.TOOL
    portal.more["TRAINPORTAL_CPU_SLOTS"] = "2"
    portal.file("gpus", "0")
    Kernel.objects.filter(pk=portal.shop.kernel.pk).update(image=image)
    portal.shop.kernel.refresh_from_db()
    yield
    left = containers.left_below(portal.home)
    subprocess.run(["podman", "rm", "--force", *left], check=False, capture_output=True)
    assert not left, "containers that nobody removed"


def name_of(job) -> str:
    return container.name_of(runfolder.of(job), 0)


def test_c01_a_runner_killed_while_a_container_trains_is_replaced(portal, dice):
    portal.tend()
    job = portal.at_step(portal.train(), dice.randint(2, 8))
    assert job.handle["sandbox"] == "podman"
    os.kill(portal.runner_of(job), signal.SIGKILL)
    adopted(portal, job)
    portal.finish(job)
    assert (job.epoch, job.resumes, job.remark) == (2, 0, "")
    assert without_a_gap(portal)


def test_c02_a_container_that_is_cancelled_saves_its_checkpoint_and_one_that_hears_nothing_is_ended(portal, alice):
    portal.tend()
    good, deaf = portal.train(), portal.train(behaviour="forks_and_ignores")
    for job in (good, deaf):
        portal.at_step(job, 2)
    assert len(portal.kernels(deaf)) >= 4
    for job in (good, deaf):
        job.request_cancel(alice)
    for job in (good, deaf):
        portal.until(job, State.CANCELLED)
        assert portal.kernels(job) == []
    assert (portal.models[0].folder / "save" / "resume.pth").is_file()


def test_c03_a_client_killed_alone_is_replaced_and_the_container_goes_on(portal):
    portal.tend()
    job = portal.at_step(portal.train(), 3)
    os.kill(portal.started(job), signal.SIGKILL)
    portal.at_step(job, 10)
    portal.finish(job)
    [life] = lives(portal.home).values()
    assert (job.resumes, job.exit_code, life.steps) == (0, 0, sorted(life.steps))
    assert life.has_ended, "the log goes on"


def test_c04_a_container_whose_watchers_were_all_killed_is_followed_to_its_end(portal):
    """Shim and client: what the tool knows of its end counts. Nothing is started twice."""
    portal.tend()
    job = portal.at_step(portal.train(), 3)
    for who in ("shim", "leader"):
        os.kill(portal.started(job, who), signal.SIGKILL)
    portal.at_step(job, 12)
    portal.finish(job)
    assert (job.resumes, job.exit_code) == (0, 0)


def test_c05_a_container_killed_from_outside_ends_as_a_program_killed_by_a_signal(portal):
    portal.tend()
    job = portal.at_step(portal.train(), 3)
    subprocess.run(["podman", "kill", name_of(job)], check=True, capture_output=True)
    portal.end(job)
    job.refresh_from_db()
    assert (job.state, job.exit_code) == (State.FAILED, -signal.SIGKILL)


def test_c06_everything_killed_with_the_container_is_interrupted_and_goes_on_from_its_checkpoint(portal):
    portal.tend()
    job = portal.at_step(portal.train(), 5)
    kernels = portal.kernels(job)
    for who in ("shim", "leader"):
        os.kill(portal.started(job, who), signal.SIGKILL)
    inside = [process.pid for process in kernels]
    monitors = {psutil.Process(pid).ppid() for pid in inside} - set(inside)
    for pid in [*monitors, *inside]:  # the monitor first: it would write down how the rest ended
        if pid > 1 and Path(f"/proc/{pid}/comm").exists() and pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    portal.wait("another life", lambda: len(lives(portal.home)) == 2)
    portal.finish(job)
    assert job.resumes == 1


@pytest.mark.long
def test_c06b_a_monitor_killed_alone_costs_no_training(portal):
    """Nobody hears of the program's end; podman's client notices after 20 s. It goes on from its checkpoint."""
    portal.tend()
    job = portal.at_step(portal.train(), 5)
    inside = [process.pid for process in portal.kernels(job)]
    for monitor in {psutil.Process(pid).ppid() for pid in inside} - set(inside):
        os.kill(monitor, signal.SIGKILL)
    portal.wait("another life", lambda: len(lives(portal.home)) == 2)
    portal.finish(job)
    assert job.resumes == 1


def test_c07_a_container_that_takes_more_memory_than_it_may_is_ended_and_the_machine_goes_on(portal):
    portal.more["TRAINPORTAL_CONTAINER_MEMORY"] = "128m"
    portal.worker()
    job = portal.train(steps=3, behaviour="eats")
    portal.end(job)
    job.refresh_from_db()
    assert (job.state, job.exit_code) == (State.FAILED, -signal.SIGKILL)
    assert "memory" in diagnosis.sentence(job)
