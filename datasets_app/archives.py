"""Archives that jobs pack to be downloaded: where they lie, and how one comes whole or not at all.

Each has a folder of its own until the days that are set are over, when it goes with those of models, or until what it
was packed of is deleted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import FileResponse
from django.utils.translation import gettext_noop

from datasets_app.formats import FORMATS
from jobs.kinds import JobError
from jobs.models import Job, State
from jobs.said import Said
from projects_app.models import Project, User

DATASET, SNAPSHOT = "export_dataset", "export_snapshot"  # the kinds of their jobs
_NEWEST = 10


@dataclass(frozen=True)
class Export:
    """One export, by its job."""

    job: Job

    @property
    def path(self) -> Path:
        what = self.job.kind.removeprefix("export_")
        return settings.TRAINPORTAL_HOME / "exports" / f"{what}-{self.job.pk}" / f"{what}.zip"

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
        name = self.job.args.get("name") or f"snapshot-{self.job.args['hash']}"
        return f"{name}-{self.job.args['format']}.zip".replace("/", "-")


def ask(project: Project, kind: str, title: str, args: dict[str, Any], user: User) -> Job:
    """Queue an export; the one of the same that is under way where there is one."""
    running = Job.objects.active().filter(project=project, kind=kind, args=args).first()
    return running or Job.submit(project=project, kind=kind, title=title, created_by=user, args=args)


def of(project: Project, kind: str, **args: int) -> list[Export]:
    """Those that are at work, failed or still to be had, the newest first."""
    exports = map(Export, _jobs(project, kind, args).order_by("-pk")[:_NEWEST])
    return [one for one in exports if one.job.state != State.SUCCEEDED or one.is_there]


def file_of(exports: list[Export], job: int) -> FileResponse | None:
    """The archive of one of them, to be downloaded."""
    for found in exports:
        if found.job.pk == job and found.is_there:
            return FileResponse(found.path.open("rb"), as_attachment=True, filename=found.file_name)
    return None


def drop(project: Project, kind: str, **args: int) -> None:
    """Remove the archives of what is deleted."""
    for job in _jobs(project, kind, args):
        shutil.rmtree(Export(job).path.parent, ignore_errors=True)


@contextmanager
def packing(job: Job, *refusals: type[Exception]) -> Iterator[Path]:
    """Where the job's archive goes; nothing is left of it where this fails. Raises JobError for `refusals`, which say
    why in the user's words, and for a disk that is full."""
    path = Export(job).path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    except BaseException as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        if isinstance(error, refusals):
            raise JobError(Said(gettext_noop("Nothing was exported. %(why)s"), why=str(error))) from error
        if isinstance(error, OSError):
            why = Said(gettext_noop("The archive could not be written: %(why)s."), why=error.strerror or str(error))
            raise JobError(why) from error
        raise


def _jobs(project: Project, kind: str, args: dict[str, int]) -> Any:
    return Job.objects.filter(project=project, kind=kind, **{f"args__{name}": value for name, value in args.items()})
