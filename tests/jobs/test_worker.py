"""The worker as a real process: it starts what waits, ends at once, and what it started lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from jobs.launchers import local, shim
from jobs.models import Host, Job, State
from models_app.models import TrainedModel
from models_app.orders import TrainOrder
from projects_app.models import ModelType
from tests import fake_kernels
from tests.jobs.conftest import wait_for
from tests.models.conftest import import_parts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def environment(home):
    """Lets another process see the test's own database and files."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        given = connection.settings_dict
        url = f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT'] or 5432}/{name}"
    fast = {"JOB_POLL": "0.1", "JOB_TICK": "0.3", "JOB_GRACE": "3", "JOB_LEASE": "2", "HOME": str(home)}
    return os.environ | {f"TRAINPORTAL_{key}": value for key, value in fast.items()} | {"DATABASE_URL": url}


@pytest.fixture
def worker(environment):
    """Starts workers; none outlives the test, nor does anything they started."""
    started: list[subprocess.Popen] = []

    def start(*arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "worker", *arguments], cwd=django_settings.BASE_DIR, env=environment
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    for process in psutil.process_iter():
        try:
            if process.environ().get("TRAINPORTAL_HOME") == environment["TRAINPORTAL_HOME"]:
                process.kill()
        except psutil.Error:
            continue
    for job in Job.objects.active():
        if job.handle:
            local.stop(job.handle)


@pytest.fixture
def train(project, alice, tmp_path):
    """Queues a training with a fake kernel."""
    found = import_parts(project, alice, tmp_path / "source")
    model_type = ModelType.objects.get(project=project)
    kernel = fake_kernels.register()

    def make(**params) -> TrainedModel:
        settings = fake_kernels.params(**params)
        return TrainOrder(project, model_type, kernel, [found["train"]], [found["val"]], "m", settings).start(alice)

    return make


def state_of(model: TrainedModel) -> str:
    return Job.objects.values_list("state", flat=True).get(pk=model.job_id)


def test_a_worker_takes_a_training_from_the_queue_to_its_end(worker, train):
    worker()
    model = train(behaviour="good")
    wait_for(lambda: state_of(model) == State.SUCCEEDED, 90)
    assert Host.objects.get().is_alive
    assert (model.folder / "save" / "checkpoint.pth").exists()


def test_the_tick_starts_what_a_lost_nudge_left_waiting(worker, train):
    model = train(behaviour="good")
    worker("--no-task-queue")
    wait_for(lambda: state_of(model) == State.SUCCEEDED, 90)


def test_sigterm_ends_the_worker_within_seconds_and_the_training_goes_on(worker, train, alice):
    first = worker()
    model = train(behaviour="slow", rows=1000)
    wait_for(lambda: model.job.points.count() > 3, 90)
    pid = local._read(django_settings.TRAINPORTAL_HOME / "runs" / str(model.job_id) / shim.STARTED)["leader"][0]
    started = time.monotonic()
    first.send_signal(signal.SIGTERM)
    assert first.wait(8) == 0
    assert time.monotonic() - started < 5
    before = model.job.points.count()
    wait_for(lambda: model.job.points.count() > before + 3, 60)
    assert psutil.pid_exists(pid)
    worker()
    Job.objects.get(pk=model.job_id).request_cancel(by=alice)
    wait_for(lambda: state_of(model) == State.CANCELLED, 90)


def test_a_runner_that_is_killed_is_replaced_and_no_row_is_lost_or_doubled(worker, train):
    worker("--no-task-queue")
    model = train(behaviour="good", rows=60, pause=0.1)
    wait_for(lambda: model.job.points.count() > 5, 90)
    runners = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] and "runner" in p.info["cmdline"]]
    mine = [p for p in runners if str(model.job_id) in p.info["cmdline"]]
    assert mine
    for process in mine:
        process.kill()
    wait_for(lambda: state_of(model) == State.SUCCEEDED, 90)
    job = Job.objects.get(pk=model.job_id)
    assert job.epoch == 2
    for chart in ("loss", "accuracy"):
        text = (model.folder / "save" / "metrics" / f"{chart}.csv").read_text().splitlines()
        columns = len(text[0].split(",")) - 1
        assert job.points.filter(chart=chart).count() == (len(text) - 1) * columns


def test_a_second_worker_on_the_same_host_says_so_and_ends(worker, train, environment):
    worker("--no-task-queue")
    wait_for(lambda: Host.objects.exists(), 10)
    second = subprocess.run(
        [sys.executable, "manage.py", "worker", "--no-task-queue"],
        cwd=django_settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert second.returncode == 1
    assert "already" in second.stderr


def test_the_page_says_when_no_worker_runs(train, alice):
    model = train(behaviour="good")
    client = Client()
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "manage.py worker" in page
