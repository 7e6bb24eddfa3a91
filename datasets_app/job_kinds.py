"""What this app does in the background."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext_noop as _

from jobs import kinds
from jobs.said import Said

if TYPE_CHECKING:
    from jobs.models import Job


class ImportDataset:
    """Make datasets of a draft that somebody looked at. Run again after its end, it finds no draft and is done."""

    name = "import_dataset"

    def run(self, job: Job, progress: kinds.Progress) -> None:
        from datasets_app import drafts

        draft = drafts.find(job.args["draft"])
        if draft is None:
            return
        try:
            drafts.commit(draft, progress)
        except drafts.ImportRefused as error:
            raise kinds.JobError(Said(_("Nothing was imported. %(why)s"), why=str(error))) from error
        except kinds.Cancelled:
            drafts.discard(draft)
            raise
        shutil.rmtree(draft.folder, ignore_errors=True)

    def subject(self, job: Job) -> tuple[str, str] | None:
        """The first dataset that came of it; before that, and where it failed, the preview."""
        from datasets_app import drafts

        return drafts.subject(job.project, job.args)


class ExportDataset:
    """Packs a dataset into one archive."""

    name = "export_dataset"

    def run(self, job: Job, progress: kinds.Progress) -> None:
        from datasets_app import export_jobs

        export_jobs.build(job, progress)

    def subject(self, job: Job) -> tuple[str, str] | None:
        """The page where the archive is."""
        name = job.args["name"]
        return name, reverse("datasets:export", args=[job.project.code, job.args["dataset"]])


def register() -> None:
    kinds.register(ImportDataset())
    kinds.register(ExportDataset())
