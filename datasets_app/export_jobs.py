"""Exports as jobs: the archive of each lies in a folder of its own until the days that are set are over.

What an export was asked for and how it ended is in its job; there is no other row. Old archives go with those of
models.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from datasets_app import exporting
from datasets_app.exporting import ExportRefused
from datasets_app.formats import FORMATS
from datasets_app.models import Dataset
from jobs.kinds import JobError, Progress
from jobs.models import Job, State
from jobs.said import Said
from projects_app.models import User

KIND = "export_dataset"


@dataclass(frozen=True)
class Export:
    """One export, by its job."""

    job: Job

    @property
    def path(self) -> Path:
        return _folder(self.job) / "dataset.zip"

    @property
    def is_there(self) -> bool:
        return self.job.state == State.SUCCEEDED and self.path.is_file()

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def title(self) -> str:
        return FORMATS[self.job.args["format"]].TITLE

    @property
    def file_name(self) -> str:
        return f"{self.job.args['name']}-{self.job.args['format']}.zip".replace("/", "-")


def start(dataset: Dataset, format: str, training_type: str, user: User) -> Job:
    """Queue the export; the one of the same that is under way where there is one. Raises ExportRefused."""
    exporting.losses([dataset], format, training_type or None)
    args = {"dataset": dataset.pk, "name": dataset.name, "format": format, "training_type": training_type}
    running = Job.objects.active().filter(project=dataset.project, kind=KIND, args=args).first()
    title = _("Export “%(name)s”") % {"name": dataset.name}
    return running or Job.submit(project=dataset.project, kind=KIND, title=title, created_by=user, args=args)


def of(dataset: Dataset) -> list[Export]:
    """The exports of a dataset that are at work, failed or still to be had, the newest first."""
    jobs = Job.objects.filter(project=dataset.project, kind=KIND, args__dataset=dataset.pk).order_by("-pk")[:10]
    exports = map(Export, jobs)
    return [one for one in exports if one.job.state != State.SUCCEEDED or one.is_there]


def build(job: Job, progress: Progress) -> None:
    """Write the archive of a job, whole or not at all. Raises JobError."""
    dataset = Dataset.objects.filter(project=job.project, pk=job.args["dataset"]).first()
    if dataset is None:
        raise JobError(Said(gettext_noop("The dataset of this export is gone.")))
    folder = _folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        exporting.write([dataset], job.args["format"], job.args["training_type"] or None, Export(job).path, progress)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, ExportRefused):
            raise JobError(Said(gettext_noop("Nothing was exported. %(why)s"), why=str(error))) from error
        if isinstance(error, OSError):
            why = Said(gettext_noop("The archive could not be written: %(why)s."), why=error.strerror or str(error))
            raise JobError(why) from error
        raise


def drop(dataset: Dataset) -> None:
    """Remove the archives of a dataset that is deleted."""
    for job in Job.objects.filter(project=dataset.project, kind=KIND, args__dataset=dataset.pk):
        shutil.rmtree(_folder(job), ignore_errors=True)


def _folder(job: Job) -> Path:
    return settings.TRAINPORTAL_HOME / "exports" / f"dataset-{job.pk}"
