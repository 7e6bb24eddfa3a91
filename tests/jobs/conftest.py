"""A program kind whose program is a few lines of Python, so that the engine is tested with real processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from jobs import hosts, kinds, queue, runfolder, runner
from jobs.kinds import JobError, Launch
from jobs.launchers import local
from jobs.models import Job

DONE = """
import json, sys, pathlib
status = pathlib.Path("status.jsonl")
def say(**what):
    with status.open("a") as file: file.write(json.dumps({"project_key": KEY, "model_id": "1", **what}) + "\\n")
def metric(line, name="loss"):
    folder = pathlib.Path("out/save/metrics"); folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("a") as file: file.write(line)
"""


class Script:
    """Runs `job.args["code"]`; the results it owes are named in `job.args["owes"]`."""

    name = "script"

    def __init__(self) -> None:
        self.finished: list[int] = []
        self.kept: list[int] = []

    def prepare(self, job: Job, folder: Path, *, resume: bool) -> Launch:
        if job.args.get("refuse"):
            raise JobError(job.args["refuse"])
        (folder / runfolder.OUTPUT / "save").mkdir(parents=True, exist_ok=True)
        code = f"KEY = {job.run_key!r}\nRESUME = {resume!r}\n{DONE}\n{job.args['code']}"
        (folder / "program.py").write_text(code)
        environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
        return Launch([sys.executable, "program.py"], environment, folder, folder / runfolder.OUTPUT, job.run_key)

    def check(self, job: Job, folder: Path) -> list[str]:
        return [name for name in job.args.get("owes", []) if not (folder / runfolder.OUTPUT / name).exists()]

    def finish(self, job: Job, folder: Path) -> None:
        self.finished.append(job.pk)

    def keep_partial(self, job: Job, folder: Path) -> None:
        self.kept.append(job.pk)

    def subject(self, job: Job) -> None:
        return None


@pytest.fixture
def script_kind(settings):
    settings.JOB_POLL, settings.JOB_GRACE = 0.05, 3.0
    settings.TRAINPORTAL_SANDBOX = "off"  # what these programs write beside their results is looked at
    kind = Script()
    kinds.register(kind)
    yield kind
    del kinds._kinds[kind.name]


@pytest.fixture
def host(db, home):
    return hosts.beat()


@pytest.fixture
def submit(script_kind, project, alice, host):
    """Puts a script into the queue."""

    def make(code: str = "say(cmd='training_status', status='training_done')", *, devices: int = 1, **args) -> Job:
        fields = {"code": code, **args}
        return Job.submit(
            project=project, kind="script", title="a script", created_by=alice, devices=devices, args=fields
        )

    return make


@pytest.fixture
def run(submit, host):
    """Submits a script, claims it, and takes it to its end right here."""

    def make(code: str, **args) -> Job:
        job = submit(code, **args)
        assert queue.claim(job, host)
        runner.run(job.pk, job.epoch)
        job.refresh_from_db()
        return job

    return make


@pytest.fixture
def start(tmp_path, settings):
    """Starts a program below a shim, without a portal and a sandbox; its handle."""
    settings.TRAINPORTAL_SANDBOX = "off"

    def make(code: str, *, grace: float = 2.0):
        (tmp_path / "program.py").write_text(code)
        argv = [sys.executable, "program.py"]
        return local.start(Launch(argv, {"PATH": "/usr/bin:/bin"}, tmp_path, tmp_path, "key"), attempt=0, grace=grace)

    return make


def wait_for(condition, seconds: float = 10.0) -> None:
    """Until `condition()` is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
