"""A training or validation as somebody asks for it: checked in one place, for the page and the command alike."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets_app import checks, snapshots
from datasets_app.models import Dataset, Image, Snapshot
from jobs import queue
from jobs.models import Job
from kernels_app import fields, schema
from kernels_app.models import Kernel
from models_app import extra_files, model_json
from models_app.complaints import Complaint, OrderRefused, Report, kernel_complaints
from models_app.models import Operation, Origin, Sweep, TrainedModel, Validation
from models_app.names import name_complaints
from projects_app.models import ModelType, Project, User


@dataclass
class TrainOrder:
    """What a training shall be. `params`: the schema's `training_params`; `by_title`: for who sees titles, no keys."""

    project: Project
    model_type: ModelType
    kernel: Kernel
    train: list[Dataset]
    validation: list[Dataset]
    name: str
    params: dict[str, Any]
    description: str = ""
    devices: int = 1
    base_model: TrainedModel | None = None
    retrained_from: TrainedModel | None = None
    origin: str = Origin.TRAIN
    image_types: list[str] = field(default_factory=list)
    extra_files: list[UploadedFile] = field(default_factory=list)
    sweep: Sweep | None = None
    varied: dict[str, Any] = field(default_factory=dict)
    snapshot: Snapshot | None = None  # where many trainings share one; else it is taken at the start
    by_title: bool = False

    def settings(self) -> dict[str, Any]:
        """The `model.json` of the run."""
        document: dict[str, Any] = {"training_type": self.model_type.training_type, "model_type": self.model_type.code}
        if self.image_types:
            document["trainable_image_type"] = self.image_types
        return document | {"training_params": self.params}

    def check(self, *, with_data: bool = True) -> Report:
        """All that is wrong at once, and what will be learnt from what (`with_data`: it reads every label)."""
        report = Report()
        report.errors += kernel_complaints(self.kernel, self.project, self.model_type, "training")
        report.errors += name_complaints(self.project, self.name)
        report.errors += self._base_complaints()
        report.errors += self._settings_complaints()
        report.warnings += self._base_warnings()
        self._check_devices(report)
        self._check_datasets(report)
        if with_data and self.train and self.validation:
            report.facts = checks.set_facts(self.model_type, self.train, self.validation)
            report.errors += [Complaint(error.field, error.message) for error in report.facts.errors]
            report.warnings += report.facts.warnings
        return report

    def start(self, user: User) -> TrainedModel:
        """Queue the training. Raises OrderRefused with everything that is wrong; then nothing was written."""
        report = self.check()
        if report.errors:
            raise OrderRefused(report.errors)
        try:
            with ExitStack() as undo:
                with transaction.atomic():
                    model = self.create(user, undo)
                undo.pop_all()
                return model
        except OSError as error:
            text = _("The extra files could not be kept: %(why)s.")
            raise OrderRefused([Complaint("etc", text % {"why": error.strerror or error})]) from error
        except IntegrityError as error:  # somebody took the name between the check and now
            raise OrderRefused(name_complaints(self.project, self.name) or [Complaint("name", str(error))]) from error

    def create(self, user: User, undo: ExitStack) -> TrainedModel:
        """Write it, unchecked, inside a transaction; `undo` is for what a failed one leaves.

        Raises OrderRefused where the base model lost its weights between the check and now.
        """
        if self.base_model:  # its row is held from here on: nobody can prune it any more
            list(TrainedModel.objects.select_for_update().filter(pk=self.base_model.pk).order_by())
            if complaints := self._base_complaints():
                raise OrderRefused(complaints)
        snapshot = self.snapshot or snapshots.take(
            self.project, self.model_type, train=self.train, validation=self.validation
        )
        job = Job.submit(
            project=self.project,
            kind="training",
            title=self.name,
            created_by=user,
            devices=self.devices,
            limits=self.kernel.limits,
        )
        model = TrainedModel.objects.create(
            project=self.project,
            name=self.name,
            description=self.description,
            model_type=self.model_type,
            kernel=self.kernel,
            origin=self.origin,
            base_model=self.base_model,
            retrained_from=self.retrained_from,
            sweep=self.sweep,
            varied=self.varied,
            snapshot=snapshot,
            data_category=self._data_category(),
            settings=self.settings(),
            classes=self.model_type.class_codes(),
            devices=self.devices,
            job=job,
            created_by=user,
        )
        model.train_datasets.set(self.train)
        model.validation_datasets.set(self.validation)
        undo.callback(extra_files.drop, job)
        extra_files.keep(job, self.extra_files)
        return model

    def _data_category(self) -> str:
        """What its training images show, where their meta data say so."""
        images = Image.objects.filter(dataset__in=self.train, data_category__gt="").order_by("data_category")
        return ", ".join(images.values_list("data_category", flat=True).distinct())[:64]

    def _base_complaints(self) -> list[Complaint]:
        base = self.base_model
        if base is None:
            return []
        if base.project_id != self.project.pk or not base.has_checkpoint:
            return [Complaint("base_model", _("The base model has no weights to start from."))]
        if base.model_type.training_type != self.model_type.training_type:
            return [Complaint("base_model", _("The base model was trained for another training type."))]
        return []

    def _base_warnings(self) -> list[str]:
        """What additional training does not take over."""
        base = self.base_model
        if base is None:
            return []
        found = []
        if base.kernel.name != self.kernel.name:
            text = _("The base model was trained with %(other)s; %(kernel)s may not be able to read its weights.")
            found.append(text % {"other": base.kernel.name, "kernel": self.kernel.name})
        codes = self.model_type.class_codes()
        if new := [code for code in codes if code not in base.classes]:
            text = _("The base model does not know %(classes)s: these are learnt anew.")
            found.append(text % {"classes": ", ".join(new)})
        if lost := [code for code in base.classes if code not in codes]:
            text = _("The base model also knows %(classes)s, which this model type does not: they are given up.")
            found.append(text % {"classes": ", ".join(lost)})
        return found

    def _settings_complaints(self) -> list[Complaint]:
        """What the schema says; and JSON can spell characters that no file and no database takes."""
        label = fields.labels(self.kernel.schema) if self.by_title else None
        found = schema.check(self.kernel.schema, self.settings(), label)
        for name in (name for name, value in self.params.items() if not model_json.is_keepable(value)):
            path = (schema.PARAMS, name)
            called = label(path) if label else fields.joined([name])
            text = schema.about(called, _("holds characters that cannot be kept"))
            found.append(schema.Problem(schema.pointer_of(path), name, text))
        named = [(f"params.{one.name}" if one.name else "params", one) for one in found]
        return [Complaint(name, one.message, one.pointer or "/", one.keyword) for name, one in named]

    def _check_devices(self, report: Report) -> None:
        low, high = self.kernel.gpu_range
        most = queue.most_devices()
        if not low <= self.devices <= high:
            text = _("This kernel runs on %(low)d to %(high)d devices; you chose %(given)d.")
            report.errors.append(Complaint("devices", text % {"low": low, "high": high, "given": self.devices}))
        elif self.devices > most:
            text = ngettext("No host has more than %(n)d device.", "No host has more than %(n)d devices.", most)
            report.errors.append(Complaint("devices", text % {"n": most}))
        else:
            free = max((len(queue.free_devices(host)) for host in queue.alive_hosts()), default=0)
            if self.devices > free:
                report.warnings.append(_("Fewer devices are free now: the training will wait in the queue."))

    def _check_datasets(self, report: Report) -> None:
        both = (
            ("train", self.train, _("Choose at least one training dataset.")),
            ("validation", self.validation, _("Choose at least one validation dataset.")),
        )
        for name, datasets, sentence in both:
            if not datasets:
                report.errors.append(Complaint(name, sentence))
            if any(dataset.project_id != self.project.pk for dataset in datasets):
                report.errors.append(Complaint(name, _("A dataset belongs to another project.")))


@dataclass
class ValidationOrder:
    """What a validation shall be. `min_score`: from which score on an inference's shapes become labels."""

    model: TrainedModel
    kernel: Kernel
    datasets: list[Dataset]
    operation: str = Operation.VALIDATION
    min_score: float | None = None

    def check(self) -> list[Complaint]:
        found = kernel_complaints(self.kernel, self.model.project, self.model.model_type, self.operation)
        if reason := self.model.why_not_validated():
            found.append(Complaint("model", reason))
        if not self.datasets:
            found.append(Complaint("datasets", _("Choose at least one dataset.")))
        if any(dataset.project_id != self.model.project_id for dataset in self.datasets):
            found.append(Complaint("datasets", _("A dataset belongs to another project.")))
        if self.datasets and self.operation == Operation.VALIDATION:
            found += self._label_complaints()
        return found

    def start(self, user: User) -> Validation:
        """Queue the validation. Raises OrderRefused."""
        if complaints := self.check():
            raise OrderRefused(complaints)
        model = self.model
        with transaction.atomic():
            list(
                TrainedModel.objects.select_for_update().filter(pk=model.pk).order_by()
            )  # nobody can prune it any more
            if reason := model.why_not_validated():
                raise OrderRefused([Complaint("model", reason)])
            title = f"{model.name}: {Operation(self.operation).name.lower()}"
            job = Job.submit(
                project=model.project,
                kind="validation",
                title=title,
                created_by=user,
                devices=1,
                limits=self.kernel.limits,
            )
            validation = Validation.objects.create(
                project=model.project,
                model=model,
                kernel=self.kernel,
                operation=self.operation,
                min_score=self.min_score if self.operation == Operation.INFERENCE else None,
                snapshot=snapshots.take(model.project, model.model_type, train=[], validation=self.datasets),
                job=job,
                created_by=user,
            )
            validation.datasets.set(self.datasets)
        return validation

    def _label_complaints(self) -> list[Complaint]:
        model_type = self.model.model_type
        bare = [dataset.name for dataset in self.datasets if not dataset.labelled_images(model_type).exists()]
        if len(bare) < len(self.datasets):
            return []
        text = _("No image of %(names)s is labelled for %(type)s: there is nothing to compare with.")
        return [Complaint("datasets", text % {"names": ", ".join(bare), "type": model_type.code})]
