"""Going on with a training that failed or was cancelled: a new job on the same model, from its last checkpoint."""

from __future__ import annotations

import contextlib
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from jobs import queue, runfolder
from jobs.models import Job, State
from kernels_app.contract import results
from models_app import extra_files
from models_app.complaints import Complaint, OrderRefused, why_not
from models_app.models import Sweep, TrainedModel
from projects_app.models import User

DRAFT = ".resume"  # in the run folder: the results of the last job, until all of them are there


@dataclass
class ResumeOrder:
    """`model`: its training ended without success and left a state to go on from."""

    model: TrainedModel

    def check(self) -> list[Complaint]:
        model, found = self.model, []
        if model.job.is_active:
            return [Complaint("job", _("It runs already."))]
        if not can_resume(model):
            return [Complaint("job", _("It left no state to go on from. Train it again from the start."))]
        if reason := why_not(model.kernel, model.project, model.model_type, "training"):
            found.append(Complaint("kernel", reason))
        if not model.train_datasets.exists() or not model.validation_datasets.exists():
            found.append(Complaint("train", _("Its datasets are gone.")))
        if model.devices > queue.most_devices():
            text = _("It needs %(n)d devices, and no host has so many.")
            found.append(Complaint("devices", text % {"n": model.devices}))
        return found

    def start(self, user: User) -> Job:
        """Queue it. Raises OrderRefused; of two who press at once one is told that it runs."""
        if complaints := self.check():
            raise OrderRefused(complaints)
        try:
            with ExitStack() as undo:
                with transaction.atomic():
                    job = self._create(user, undo)
                undo.pop_all()
                return job
        except OSError as error:
            text = _("The extra files could not be kept: %(why)s.")
            raise OrderRefused([Complaint("etc", text % {"why": error.strerror or error})]) from error

    def _create(self, user: User, undo: ExitStack) -> Job:
        model, last = self.model, self.model.job
        _forget_end(model)
        job = Job.submit(
            project=model.project,
            kind="training",
            title=model.name,
            created_by=user,
            devices=model.devices,
            priority=max(0, last.priority),
            follows=last,
        )
        if not TrainedModel.objects.filter(pk=model.pk, job=last).update(job=job):
            raise OrderRefused([Complaint("job", _("It runs already."))])
        undo.callback(extra_files.drop, job)
        _take_extra_files(last, job)
        model.job = job
        return job


def can_resume(model: TrainedModel) -> bool:
    """Whether there is a state of this very training to go on from."""
    ended_badly = model.job.state in (State.FAILED, State.CANCELLED)
    return ended_badly and (model.folder / results.RESUME).is_file()


def seed(model: TrainedModel, folder: Path) -> bool:
    """Give the run folder what the model's last job left, all of it or nothing; whether there is a state in it.

    A copy: the model keeps what it has until this run ends.
    """
    output = folder / runfolder.OUTPUT
    if output.is_symlink() or not (model.folder / results.RESUME).is_file():
        return False
    draft = folder / DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(model.folder, draft, symlinks=True)
    (draft / results.FAILURE).unlink(missing_ok=True)  # what the last run said is not what this one says
    shutil.rmtree(output, ignore_errors=True)
    draft.rename(output)
    return True


def _take_extra_files(last: Job, job: Job) -> None:
    shutil.rmtree(runfolder.of(job), ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.copytree(runfolder.of(last) / runfolder.EXTRA, runfolder.of(job) / runfolder.EXTRA)


def _forget_end(model: TrainedModel) -> None:
    """A batch must not take it for ended, and its state for what nobody needs any more."""
    if model.sweep_id is None:
        return
    sweep = Sweep.objects.select_for_update().get(pk=model.sweep_id)
    if sweep.ends.pop(str(model.pk), None) is not None:
        sweep.save(update_fields=["ends"])
