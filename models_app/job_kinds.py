"""What this app does in the background: training and validation as programs, import and export as functions.

Every worker and runner loads this module at its start, so what only some jobs need is imported where they need it.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_noop as _

from datasets_app import kernel_view
from jobs import chores, kinds, logmetrics, restored, runfolder
from jobs.kinds import Cancelled, JobError, Launch, Repair
from jobs.models import Job
from jobs.said import Said
from kernels_app import environments, images
from kernels_app import launching as kernel_launching
from kernels_app.badkernel import BadKernel
from kernels_app.contract import data, results
from kernels_app.contract.settings import ModelSettings
from kernels_app.models import Kernel, KernelState
from models_app import launching, publishing
from models_app.models import ModelDraft, ModelExport, Operation, TrainedModel, Validation
from models_app.sweeps import pruning


def register() -> None:
    kinds.register(Training())
    kinds.register(Validating())
    kinds.register(ImportModel())
    kinds.register(ExportModel())
    chores.register("old exports", _drop_old_exports)
    chores.register("old uploads of models", _drop_old_uploads)
    chores.register("environments that no kernel needs", _drop_unused_environments)
    chores.register("images of archived kernels", _drop_unused_images)
    restored.register("models", TrainedModel)
    restored.register("validations", Validation)
    restored.register("exports", ModelExport)
    restored.register("kernels", Kernel)


class Training:
    """Trains a model from its datasets."""

    name = "training"

    def prepare(self, job: Job, folder: Path, *, resume: bool) -> Launch:
        model = _model(job)
        _require_files(model.kernel, job)
        if job.follows_id and not resume:  # this job has nothing of its own yet: it goes on where the last one ended
            from models_app import resuming

            resume = resuming.seed(model, folder)
        launching.make_folders(folder, fresh=not resume)
        logmetrics.keep(folder, kernel_launching.about(model.kernel.folder).get("metrics"))
        kernel_view.write_dataset(
            folder / runfolder.DATASET,
            model.model_type,
            classes=model.classes,
            train=list(model.train_datasets.all()),
            validation=list(model.validation_datasets.all()),
            image_types=model.settings.get("trainable_image_type", []),
            snapshot=model.snapshot,
        )
        ModelSettings.from_json(model.settings).write(folder / runfolder.SETTINGS)
        base = model.base_model.folder if model.base_model else None
        launching.write_config(
            job,
            model.kernel,
            folder,
            operation="training",
            model_id=model.pk,
            validation_id=None,
            base=base,
            resume=resume,
        )
        return launching.launch(job, folder, model.kernel, base)

    def check(self, job: Job, folder: Path) -> list[str]:
        model = _model(job)
        publishing.heal(folder, model.folder)
        return [] if pruning.was_complete(model, job) else _complaints(folder, "training", model)

    def finish(self, job: Job, folder: Path) -> None:
        self._keep(job, folder, complete=True)

    def keep_partial(self, job: Job, folder: Path) -> None:
        self._keep(job, folder, complete=False)

    def _keep(self, job: Job, folder: Path, *, complete: bool) -> None:
        model = _model(job)
        publishing.publish(folder, model.folder)
        if model.folder.is_dir():
            TrainedModel.objects.filter(pk=model.pk).update(size=publishing.size_of(model.folder))
        pruning.ended(model, job, complete=complete)

    def subject(self, job: Job) -> tuple[str, str] | None:
        """Its model, also where a later job goes on with it."""
        models = TrainedModel.objects.filter(job__in=[job.pk, *job.later()]).select_related("project")
        model = models.first()
        return (model.name, model.get_absolute_url()) if model else None

    def repair(self, job: Job, name: str) -> Repair | None:
        from models_app import repairs

        return repairs.of_training(job, name)


class Validating:
    """Runs a finished model over datasets."""

    name = "validation"

    def prepare(self, job: Job, folder: Path, *, resume: bool) -> Launch:
        validation = _validation(job)
        model, operation = validation.model, validation.operation
        _require_files(validation.kernel, job)
        launching.make_folders(folder, fresh=True)
        write = kernel_view.write_dataset if operation == Operation.VALIDATION else kernel_view.write_inputs
        what = {"train": [], "validation": list(validation.datasets.all())}
        inputs = {"datasets": list(validation.datasets.all())}
        write(
            folder / runfolder.DATASET,
            model.model_type,
            classes=model.classes,
            image_types=model.settings.get("trainable_image_type", []),
            snapshot=validation.snapshot,
            **(what if operation == Operation.VALIDATION else inputs),
        )
        ModelSettings.from_json(model.settings).write(folder / runfolder.SETTINGS)
        launching.write_config(
            job,
            validation.kernel,
            folder,
            operation=operation,
            model_id=model.pk,
            validation_id=validation.pk,
            base=model.folder,
            resume=False,
        )
        return launching.launch(job, folder, validation.kernel, model.folder)

    def check(self, job: Job, folder: Path) -> list[str]:
        validation = _validation(job)
        publishing.heal(folder, validation.folder)
        return _complaints(folder, validation.operation, validation.model)

    def finish(self, job: Job, folder: Path) -> None:
        from models_app import reports, result_datasets

        validation = _validation(job)
        publishing.heal(folder, validation.folder)
        output, dataset = folder / runfolder.OUTPUT, folder / runfolder.DATASET
        question, report = reports.store(validation, output, dataset)
        result_datasets.make(validation, question, report, output, folder / runfolder.IMAGES)
        self._keep(validation, folder)

    def keep_partial(self, job: Job, folder: Path) -> None:
        self._keep(_validation(job), folder)

    def _keep(self, validation: Validation, folder: Path) -> None:
        publishing.publish(folder, validation.folder)
        if validation.folder.is_dir():
            Validation.objects.filter(pk=validation.pk).update(size=publishing.size_of(validation.folder))

    def subject(self, job: Job) -> tuple[str, str] | None:
        validation = Validation.objects.filter(job=job).select_related("project", "model").first()
        return (str(validation), validation.get_absolute_url()) if validation else None

    def repair(self, job: Job, name: str) -> Repair | None:
        from models_app import repairs

        return repairs.of_validation(job, name)


class ImportModel:
    """Makes a model of a draft that somebody looked at."""

    name = "import_model"

    def run(self, job: Job, progress: kinds.Progress) -> None:
        from models_app.imports import committing

        committing.commit(job, progress)

    def subject(self, job: Job) -> tuple[str, str] | None:
        """The model; before that, and where it failed, the draft."""
        if model := TrainedModel.objects.filter(job=job).select_related("project").first():
            return model.name, model.get_absolute_url()
        draft = ModelDraft.objects.filter(pk=job.args["draft"]).first()
        address = reverse("models:import_draft", args=[job.project.code, job.args["draft"]])
        return (str(job.args.get("name") or draft), address) if draft else None


class ExportModel:
    """Packs a model into one archive."""

    name = "export_model"

    def run(self, job: Job, progress: kinds.Progress) -> None:
        from models_app import exporting

        exporting.build(job, progress)

    def subject(self, job: Job) -> tuple[str, str] | None:
        model = TrainedModel.objects.filter(pk=job.args["model"], project=job.project).select_related("project").first()
        return (model.name, model.get_absolute_url()) if model else None


def _model(job: Job) -> TrainedModel:
    try:
        return TrainedModel.objects.select_related("model_type", "kernel", "base_model", "project", "sweep").get(
            job=job
        )
    except TrainedModel.DoesNotExist as error:
        raise JobError(Said(_("The model of this training is gone."))) from error


def _validation(job: Job) -> Validation:
    try:
        related = Validation.objects.select_related("model__model_type", "kernel", "project")
        return related.get(job=job)
    except Validation.DoesNotExist as error:
        raise JobError(Said(_("The validation of this job is gone."))) from error


def _require_files(kernel: Kernel, job: Job) -> None:
    """Its program, and on a host that has not had it yet its own packages, which take minutes: the lease is renewed.

    Raises JobError, and Cancelled.
    """
    told = 0.0

    def tick() -> None:
        nonlocal told
        if time.monotonic() - told >= settings.JOB_POLL:
            told = time.monotonic()
            if job.renew(job.epoch):
                raise Cancelled

    if kernel.image:
        images.ensure(kernel, tick)
        return
    if not kernel_launching.is_whole(kernel.folder):
        raise JobError(Said(_("The files of the kernel %(kernel)s are gone from this host."), kernel=str(kernel)))
    try:
        environments.ensure(kernel.folder, tick)
    except BadKernel as error:
        raise JobError(str(error)) from error


def _complaints(folder: Path, operation: str, model: TrainedModel) -> list[str]:
    """What is not there, and what is there but says nothing; a line that is wrong among good ones is no matter."""
    from models_app import result_datasets

    output, training_type = folder / runfolder.OUTPUT, model.model_type.training_type
    if names := results.missing(output, operation, training_type):
        return [Said(_("%(file)s is missing or empty"), file=name) for name in names]
    faults = results.unusable(
        output,
        operation,
        training_type,
        classes=len(model.classes),
        has_inputs=data.has_samples(folder / runfolder.DATASET),
    )
    if (
        operation == Operation.PREPROCESSING
        and not faults
        and not result_datasets.is_any(output, folder / runfolder.IMAGES)
    ):
        return [Said(_("None of the images that files.txt names is there."))]
    return [Said(_("%(file)s is of no use: %(reason)s"), file=fault.file, reason=fault.reason) for fault in faults]


def drop_run(job: Job) -> None:
    """Free the run folders of a job that is deleted."""
    for folder in runfolder.all_of(job):
        shutil.rmtree(folder, ignore_errors=True)


def _drop_old_exports() -> None:
    from models_app import exporting

    exporting.drop_old()


def _drop_old_uploads() -> None:
    from models_app.imports import drafts

    drafts.drop_old()


def _drop_unused_environments() -> None:
    environments.sweep(_kernels_in_use)


def _drop_unused_images() -> None:
    """Out of this host's store; what is kept beside the kernel brings them back where it is restored."""
    unused = Kernel.objects.exclude(pk__in=_in_use()).exclude(image="")
    images.sweep(name for one in unused for name in (one.image, one.build.get("said", "")) if name)


def _kernels_in_use() -> list[Path]:
    return [kernel.folder for kernel in _in_use()]


def _in_use() -> models.QuerySet[Kernel]:
    """All that were not archived, and archived ones whose jobs are not over."""
    jobs = Job.objects.active()
    busy = [
        *TrainedModel.objects.filter(job__in=jobs).values_list("kernel", flat=True),
        *Validation.objects.filter(job__in=jobs).values_list("kernel", flat=True),
    ]
    return Kernel.objects.exclude(state=KernelState.ARCHIVED) | Kernel.objects.filter(pk__in=busy)
