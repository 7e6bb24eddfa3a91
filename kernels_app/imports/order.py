"""What somebody asks to be imported: kept, checked, and put into the queue."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from jobs.models import Job
from kernels_app.imports import IMPORT, fetching
from kernels_app.imports.git import BadSource, Repository
from kernels_app.models import Kernel, KernelState
from projects_app.models import Project, User

TOLD = ("name", "version", "description", "runs_in", "type")  # goes into kernel.toml


@dataclass(frozen=True)
class Order:
    """`name` to `type`: where they are given they take the place of those in kernel.toml."""

    project: Project
    user: User
    name: str = ""
    version: str = ""
    description: str = ""
    runs_in: str = ""  # "process" or "container"; empty: as the package says
    type: str = ""  # "training" or "base"
    devices: int = 0  # that it is tried on; 0: the CPU, without a lease

    def start_archive(self, archive: UploadedFile | Path) -> Job:
        """Raises BadSource."""
        stage = self._stage()
        try:
            stage.mkdir(parents=True)
            _keep(archive, stage / fetching.UPLOAD)
            name = Path(archive.name or "").name
            return self._submit(stage.name, {"kind": "archive", "file": name[:255]}, name)
        except OSError as error:
            shutil.rmtree(stage, ignore_errors=True)
            raise BadSource(_("It could not be kept: %(why)s.") % {"why": error.strerror or error}) from error
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise

    def start_git(self, repository: Repository) -> Job:
        """Raises BadSource."""
        if faults := repository.faults():
            raise BadSource("; ".join(faults.values()))
        source = {"kind": "git", "url": repository.url, "branch": repository.branch, "folder": repository.folder}
        return self._submit(self._stage().name, source, repository.url)

    def _submit(self, stage: str, source: dict[str, Any], called: str) -> Job:
        drop_old()
        args = {"stage": stage, "source": source}
        args |= {name: getattr(self, name) for name in TOLD}
        title = _("Import kernel “%(name)s”") % {"name": self.name or called}
        return Job.submit(
            project=self.project, kind=IMPORT, title=title, created_by=self.user, args=args, devices=self.devices
        )

    def _stage(self) -> Path:
        return stages() / uuid.uuid4().hex


def try_again(kernel: Kernel, project: Project, user: User | None, devices: int = 0) -> Job | None:
    """Put a kernel that failed, or that was not tried yet, before the doctor; None where somebody else was faster."""
    title = _("Try kernel “%(name)s”") % {"name": kernel}
    with transaction.atomic():
        held = Kernel.objects.select_for_update(of=("self",)).select_related("job").get(pk=kernel.pk)
        if not held.may_be_tried:
            return None
        job = Job.submit(
            project=project, kind=IMPORT, title=title, created_by=user, args={"kernel": kernel.pk}, devices=devices
        )
        Kernel.objects.filter(pk=held.pk).update(state=KernelState.IMPORTING, job=job, checklist=[], tried_at=None)
    return job


def stages() -> Path:
    """Where uploads wait."""
    return Path(settings.TRAINPORTAL_HOME) / "kernel-imports"


def drop_old() -> None:
    """Remove what a lost import left behind, after the days that are set."""
    last = time.time() - max(settings.TRAINPORTAL_RETENTION_DAYS, 1) * 24 * 3600
    waiting = {job.args.get("stage") for job in Job.objects.filter(kind=IMPORT).active()}
    for folder in stages().glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another sweep was faster
            if folder.name not in waiting and folder.stat().st_mtime < last:
                shutil.rmtree(folder, ignore_errors=True)


def _keep(archive: UploadedFile | Path, target: Path) -> None:
    if isinstance(archive, Path):
        shutil.copyfile(archive, target)
        return
    if (archive.size or 0) > settings.UPLOAD_LIMIT:
        raise BadSource(_("The file is larger than this installation takes."))
    with target.open("wb") as file:
        for chunk in archive.chunks():
            file.write(chunk)
