"""Where the files of a job are, below `TRAINPORTAL_HOME/runs/<job>/`."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from jobs.launchers import shim
from jobs.models import Job

RUNNER_LOCK = "runner.lock"
LOG = shim.LOG
STATUS = "status.jsonl"
CONFIG = "training.json"
SETTINGS = "model.json"
OUTPUT = "out"
IMAGES = "images"
TEMPORARY = "tmp"
EXTRA = "etc"
DATASET = "dataset"
BASE = "base"


def of(job: Job) -> Path:
    """The run folder; not made here."""
    return settings.TRAINPORTAL_HOME / "runs" / str(job.pk)


def output(job: Job) -> Path:
    """`model_write_path` of the job's kernel."""
    return of(job) / OUTPUT


def log(job: Job) -> Path:
    return of(job) / LOG
