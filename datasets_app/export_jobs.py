"""Exporting a dataset is a job.

What was asked for and how it ended is in the job; there is no other row.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from datasets_app import archives, exporting
from datasets_app.archives import DATASET, Export
from datasets_app.exporting import ExportRefused
from datasets_app.models import Dataset
from jobs.kinds import JobError, Progress
from jobs.models import Job
from jobs.said import Said
from projects_app.models import User


def start(dataset: Dataset, format: str, training_type: str, user: User) -> Job:
    """Queue the export; the one of the same that is under way where there is one. Raises ExportRefused."""
    exporting.losses([dataset], format, training_type or None)
    args = {"dataset": dataset.pk, "name": dataset.name, "format": format, "training_type": training_type}
    return archives.ask(dataset.project, DATASET, _("Export “%(name)s”") % {"name": dataset.name}, args, user)


def of(dataset: Dataset) -> list[Export]:
    """The exports of a dataset that are at work, failed or still to be had, the newest first."""
    return archives.of(dataset.project, DATASET, dataset=dataset.pk)


def build(job: Job, progress: Progress) -> None:
    """Write the archive of a job, whole or not at all. Raises JobError."""
    dataset = Dataset.objects.filter(project=job.project, pk=job.args["dataset"]).first()
    if dataset is None:
        raise JobError(Said(gettext_noop("The dataset of this export is gone.")))
    with archives.packing(job, ExportRefused) as path:
        exporting.write([dataset], job.args["format"], job.args["training_type"] or None, path, progress)


def drop(dataset: Dataset) -> None:
    """Remove the archives of a dataset that is deleted."""
    archives.drop(dataset.project, DATASET, dataset=dataset.pk)
