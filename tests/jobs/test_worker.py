"""The worker as a real process: it starts what waits. What becomes of it when things go wrong: `tests/faults`."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from jobs.launchers import local
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


def test_the_page_says_when_no_worker_runs(train, alice):
    model = train(behaviour="good")
    client = Client()
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "manage.py worker" in page
