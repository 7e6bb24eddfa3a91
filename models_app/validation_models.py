"""Validations and what they found, by image and by object. `models_app.models` hands them on."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from datasets_app.models import Dataset, Image, ShapeKind, Snapshot
from jobs.models import Job
from kernels_app.models import Kernel
from projects_app.models import OwnedQuerySet, Project, TrainingType, User


class Operation(models.TextChoices):
    VALIDATION = "validation", _("Validation: compare with the labels")
    INFERENCE = "inference", _("Inference: let the model label")
    PREPROCESSING = "preprocessing", _("Preprocessing: produce images")


OPERATION_WORDS = {
    Operation.VALIDATION: _("Validation"),
    Operation.INFERENCE: _("Inference"),
    Operation.PREPROCESSING: _("Preprocessing"),
}


class Validation(models.Model):
    """One run of a finished model over datasets.

    `summary`: what the kernel says of itself. `figures`: what the portal computed from the objects, see
    `models_app.reports`. `result`: the dataset that came of it. `min_score`: which labels of an inference are kept.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="validations", verbose_name=_("project"))
    model = models.ForeignKey(
        "models_app.TrainedModel", models.PROTECT, related_name="validations", verbose_name=_("model")
    )
    kernel = models.ForeignKey(Kernel, models.PROTECT, related_name="validations", verbose_name=_("kernel"))
    operation = models.CharField(_("operation"), max_length=16, choices=Operation, default=Operation.VALIDATION)
    datasets = models.ManyToManyField(Dataset, related_name="validations", verbose_name=_("datasets"))
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, null=True, blank=True, related_name="validations")
    job = models.ForeignKey(Job, models.PROTECT, related_name="validations", verbose_name=_("job"))
    min_score = models.FloatField(_("least score"), null=True, blank=True)
    summary = models.JSONField(_("summary"), default=dict, blank=True)
    figures = models.JSONField(_("figures"), default=dict, blank=True)
    faults = models.JSONField(_("unreadable results"), default=list, blank=True)
    result = models.OneToOneField(
        Dataset, models.PROTECT, null=True, blank=True, related_name="made_by", verbose_name=_("result dataset")
    )
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("validation")
        verbose_name_plural = _("validations")

    def __str__(self) -> str:
        return f"{self.model.name} #{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("validations:detail", args=[self.project.code, self.pk])

    @property
    def folder(self) -> Path:
        return settings.TRAINPORTAL_HOME / "validations" / str(self.pk)

    @property
    def operation_word(self) -> str:
        return str(OPERATION_WORDS[Operation(self.operation)])

    @property
    def training_type(self) -> TrainingType:
        return TrainingType(self.model.model_type.training_type)

    @property
    def finds_shapes(self) -> bool:
        """Whether its predictions are scored shapes, not judgements of what is given."""
        return self.training_type in (TrainingType.OD, TrainingType.SEG)

    @property
    def compares(self) -> bool:
        """Whether there is a truth that its predictions are compared with."""
        return self.operation == Operation.VALIDATION

    @property
    def headline(self) -> list[tuple[str, float]]:
        """The key numbers, at most two: the portal's own, then what only the kernel's summary says."""
        found: dict[str, float] = {}
        for said in (self.figures, self.summary):
            for name in ("accuracy", "macro_f1", "mAP50", "mAP", "IoU", "mIoU", "PREC", "RECL"):
                if isinstance(said.get(name), int | float):
                    found.setdefault(name, said[name])
        return list(found.items())[:2]


class Prediction(models.Model):
    """What a model said of one image in a validation. Its shapes and regions are `FoundObject`s.

    CL: `truth` and `predicted` are category codes, `score` the probability of the predicted one. OD, SEG: `score` is
    the highest, `is_right` counts the objects from the usual score on. SEG: `iou` is of all its pixels. `worst` is the
    place in the order of the report: the higher, the worse.
    """

    validation = models.ForeignKey(Validation, models.CASCADE, related_name="predictions", db_index=False)
    image = models.ForeignKey(Image, models.CASCADE, related_name="predictions")
    truth = models.CharField(max_length=128, blank=True)
    predicted = models.CharField(max_length=128, blank=True)
    score = models.FloatField(null=True)
    is_right = models.BooleanField(null=True)
    iou = models.FloatField(null=True)
    worst = models.FloatField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["validation", "image"], name="one_prediction_an_image")]
        indexes = [models.Index(fields=["validation", "-worst", "id"], name="predictions_worst_first")]
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")

    def __str__(self) -> str:
        return f"{self.image}: {self.predicted}"


class ReportObject(models.Model):
    """One shape or region of an image in a report. `points` as in an Annotation."""

    validation = models.ForeignKey(Validation, models.CASCADE, related_name="+", db_index=False)
    image = models.ForeignKey(Image, models.CASCADE, related_name="+")
    label = models.CharField(max_length=128)
    kind = models.CharField(max_length=16, choices=ShapeKind)
    points = models.JSONField(default=list)
    iou = models.FloatField(null=True)

    class Meta:
        abstract = True
        ordering = ["pk"]


class TruthObject(ReportObject):
    """An object that a validation compared with, as it was labelled then.

    `found_score`: of the prediction of its class that found it. `taken_for`, `taken_score`: of the prediction of
    another class that lies where it lies. Each counts from that score down, so any threshold can be asked for.
    """

    found_score = models.FloatField(null=True)
    taken_for = models.CharField(max_length=128, blank=True)
    taken_score = models.FloatField(null=True)

    class Meta(ReportObject.Meta):
        indexes = [models.Index(fields=["validation", "image"], name="truth_of_image")]
        verbose_name = _("labelled object")
        verbose_name_plural = _("labelled objects")

    def __str__(self) -> str:
        return self.label


class FoundObject(ReportObject):
    """An object that a model found, or for RC a region that it judged (`verdict`; `label` says what was inspected).

    `is_right`: it found an object of its class (RC: the verdict is right); None where there is no truth. `truth`: the
    object that it found, or that it took for its own class; `mistaken` is that one's class. `rival_score`: from this
    score down the object is found in its own class, and this one is a false alarm beside it.
    """

    score = models.FloatField(null=True)
    verdict = models.BooleanField(null=True)
    is_right = models.BooleanField(null=True)
    truth = models.ForeignKey(  # only ever deleted together with it
        TruthObject, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    mistaken = models.CharField(max_length=128, blank=True)
    rival_score = models.FloatField(null=True)

    class Meta(ReportObject.Meta):
        indexes = [
            models.Index(fields=["validation", "image"], name="found_in_image"),
            models.Index(fields=["validation", "is_right", "score", "image"], name="found_by_score"),
        ]
        verbose_name = _("found object")
        verbose_name_plural = _("found objects")

    def __str__(self) -> str:
        return self.label
