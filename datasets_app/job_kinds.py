"""What this app does in the background."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext_noop as _

from jobs import chores, kinds
from jobs.said import Said
from projects_app import uploads

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

    name = "export_dataset"  # as in archives

    def run(self, job: Job, progress: kinds.Progress) -> None:
        from datasets_app import export_jobs

        export_jobs.build(job, progress)

    def subject(self, job: Job) -> tuple[str, str] | None:
        """The page where the archive is."""
        name = job.args["name"]
        return name, reverse("datasets:export", args=[job.project.code, job.args["dataset"]])


class ExportSnapshot:
    """Packs what a run saw into one archive."""

    name = "export_snapshot"  # as in archives

    def run(self, job: Job, progress: kinds.Progress) -> None:
        from datasets_app import snapshot_exporting

        snapshot_exporting.build(job, progress)

    def subject(self, job: Job) -> tuple[str, str] | None:
        """The page where the archive is, while the snapshot is there."""
        from datasets_app.models import Snapshot

        pk = job.args["snapshot"]
        if not Snapshot.objects.filter(project=job.project, pk=pk).exists():
            return None
        return job.args["hash"], reverse("datasets:snapshot_export", args=[job.project.code, pk])


class RestoreSnapshot:
    """Makes a dataset of a snapshot. Run again after its end, it finds that it has made one."""

    name = "restore_snapshot"

    def run(self, job: Job, progress: kinds.Progress) -> None:
        from datasets_app import restoring

        restoring.build(job, progress)

    def subject(self, job: Job) -> tuple[str, str] | None:
        """The dataset that came of it; before that, and where it failed, the snapshot."""
        from datasets_app.models import Dataset, Snapshot

        made = Dataset.objects.filter(project=job.project, pk=job.args.get("dataset")).first()
        found = made or Snapshot.objects.filter(project=job.project, pk=job.args["snapshot"]).first()
        return (str(found), found.get_absolute_url()) if found else None


def register() -> None:
    for kind in (ImportDataset(), ExportDataset(), ExportSnapshot(), RestoreSnapshot()):
        kinds.register(kind)
    chores.register("old uploads in pieces", uploads.drop_old)
