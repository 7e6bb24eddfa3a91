"""Training and validation as kinds of jobs: what they start, and what they make of the results."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.utils.translation import gettext as _

from datasets_app import kernel_view
from jobs import kinds, runfolder
from jobs.kinds import JobError, Launch
from jobs.models import Job
from kernels_app.contract import data, results
from kernels_app.contract.settings import ModelSettings
from kernels_app.models import Kernel
from models_app import launching, publishing, reports
from models_app.models import Operation, TrainedModel, Validation
from models_app.sweeps import pruning


def register() -> None:
    kinds.register(Training())
    kinds.register(Validating())


class Training:
    """Trains a model from its datasets."""

    name = "training"

    def prepare(self, job: Job, folder: Path, *, resume: bool) -> Launch:
        model = _model(job)
        _require_files(model.kernel)
        launching.make_folders(folder, fresh=not resume)
        kernel_view.write_dataset(
            folder / runfolder.DATASET,
            model.model_type,
            classes=model.classes,
            train=list(model.train_datasets.all()),
            validation=list(model.validation_datasets.all()),
            image_types=model.settings.get("trainable_image_type", []),
        )
        ModelSettings.from_json(model.settings).write(folder / runfolder.SETTINGS)
        base = model.base_model.folder if model.base_model else None
        launching.write_config(
            job, folder, operation="training", model_id=model.pk, validation_id=None, base=base, resume=resume
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
        model = TrainedModel.objects.filter(job=job).select_related("project").first()
        return (model.name, model.get_absolute_url()) if model else None


class Validating:
    """Runs a finished model over datasets."""

    name = "validation"

    def prepare(self, job: Job, folder: Path, *, resume: bool) -> Launch:
        validation = _validation(job)
        model, operation = validation.model, validation.operation
        _require_files(validation.kernel)
        launching.make_folders(folder, fresh=True)
        write = kernel_view.write_dataset if operation == Operation.VALIDATION else kernel_view.write_inputs
        what = {"train": [], "validation": list(validation.datasets.all())}
        inputs = {"datasets": list(validation.datasets.all())}
        write(
            folder / runfolder.DATASET,
            model.model_type,
            classes=model.classes,
            image_types=model.settings.get("trainable_image_type", []),
            **(what if operation == Operation.VALIDATION else inputs),
        )
        ModelSettings.from_json(model.settings).write(folder / runfolder.SETTINGS)
        launching.write_config(
            job,
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
        validation = _validation(job)
        publishing.heal(folder, validation.folder)
        reports.store(validation, folder / runfolder.OUTPUT, folder / runfolder.DATASET)
        publishing.publish(folder, validation.folder)

    def keep_partial(self, job: Job, folder: Path) -> None:
        publishing.publish(folder, _validation(job).folder)

    def subject(self, job: Job) -> tuple[str, str] | None:
        validation = Validation.objects.filter(job=job).select_related("project", "model").first()
        return (str(validation), validation.get_absolute_url()) if validation else None


def _model(job: Job) -> TrainedModel:
    try:
        return TrainedModel.objects.select_related("model_type", "kernel", "base_model", "project", "sweep").get(
            job=job
        )
    except TrainedModel.DoesNotExist as error:
        raise JobError(_("The model of this training is gone.")) from error


def _validation(job: Job) -> Validation:
    try:
        related = Validation.objects.select_related("model__model_type", "kernel", "project")
        return related.get(job=job)
    except Validation.DoesNotExist as error:
        raise JobError(_("The validation of this job is gone.")) from error


def _require_files(kernel: Kernel) -> None:
    if not (kernel.folder / "train.py").is_file():
        raise JobError(_("The files of the kernel %(kernel)s are gone from this host.") % {"kernel": kernel})


def _complaints(folder: Path, operation: str, model: TrainedModel) -> list[str]:
    """What is not there, and what is there but says nothing; a line that is wrong among good ones is no matter."""
    output, training_type = folder / runfolder.OUTPUT, model.model_type.training_type
    if names := results.missing(output, operation, training_type):
        return [_("%(file)s is missing or empty") % {"file": name} for name in names]
    faults = results.unusable(
        output,
        operation,
        training_type,
        classes=len(model.classes),
        has_inputs=data.has_samples(folder / runfolder.DATASET),
    )
    return [_("%(file)s is of no use: %(reason)s") % {"file": fault.file, "reason": fault.reason} for fault in faults]


def drop_run(job: Job) -> None:
    """Free the run folders of a job that is deleted."""
    for folder in runfolder.all_of(job):
        shutil.rmtree(folder, ignore_errors=True)
