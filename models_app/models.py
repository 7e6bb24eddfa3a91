"""Trained models and validations: one run each, and what came out of it. Their state is their job's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from datasets_app.models import Dataset, Snapshot
from jobs.models import Job, State
from kernels_app.contract import results
from kernels_app.models import Kernel
from models_app.records import Activation, ModelDraft, ModelExport
from models_app.validation_models import FoundObject, Operation, Prediction, TruthObject, Validation
from projects_app.models import ModelType, OwnedQuerySet, Project, User

__all__ = [
    "Activation",
    "FoundObject",
    "ModelDraft",
    "ModelExport",
    "Operation",
    "Origin",
    "Prediction",
    "Preset",
    "Sweep",
    "TrainDraft",
    "TrainedModel",
    "TruthObject",
    "Validation",
]


class Origin(models.TextChoices):
    """How a model came to be."""

    TRAIN = "train", _("Training")
    RETRAIN = "retrain", _("Retraining")
    ADDITIONAL = "additional", _("Additional training")
    IMPORT = "import", _("Import")


class Sweep(models.Model):
    """The trainings that one form with *batch* started. `axes`: `{"name", "log"}` of each parameter that varies.

    `ends`: by model id how its training ended, see `models_app.sweeps.pruning`.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="sweeps", verbose_name=_("project"))
    name = models.CharField(_("name"), max_length=200)
    kernel = models.ForeignKey(Kernel, models.PROTECT, related_name="sweeps", verbose_name=_("kernel"))
    axes = models.JSONField(_("what varies"), default=list)
    random = models.PositiveIntegerField(_("random"), null=True, blank=True, help_text=_("How many points were drawn."))
    seed = models.BigIntegerField(_("seed"), default=0)
    keep_best = models.PositiveIntegerField(_("checkpoints kept"), null=True, blank=True)
    ends = models.JSONField(_("ends"), default=dict, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("batch")
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("sweeps:detail", args=[self.project.code, self.pk])

    def cancel_rest(self, by: User) -> int:
        """Ask every training that has not ended to end, those that wait first; how many were asked."""
        asked = Job.objects.active().filter(trained_models__sweep=self, cancel_requested_at=None)
        waiting_first = sorted(asked, key=lambda job: (job.state != State.QUEUED, job.pk))
        for job in waiting_first:
            job.request_cancel(by)
        return len(waiting_first)


class TrainedModelQuerySet(OwnedQuerySet["TrainedModel"]):
    def finished(self) -> TrainedModelQuerySet:
        """Those that may be validated, used for inference, exported."""
        return self.filter(job__state=State.SUCCEEDED)


class TrainedModel(models.Model):
    """One training run and what came out of it. Its files lie below `models/<id>/` once the run ended."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="trained_models", verbose_name=_("project"))
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    model_type = models.ForeignKey(
        ModelType, models.PROTECT, related_name="trained_models", verbose_name=_("model type")
    )
    kernel = models.ForeignKey(Kernel, models.PROTECT, related_name="trained_models", verbose_name=_("kernel"))
    origin = models.CharField(_("origin"), max_length=12, choices=Origin, default=Origin.TRAIN)
    base_model = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("base model")
    )
    retrained_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="retrainings", verbose_name=_("retrained from")
    )
    sweep = models.ForeignKey(
        Sweep, models.SET_NULL, null=True, blank=True, related_name="trainings", verbose_name=_("batch")
    )
    varied = models.JSONField(_("varied"), default=dict, blank=True, help_text=_("Its own settings in the batch."))
    train_datasets = models.ManyToManyField(Dataset, related_name="trained_in", verbose_name=_("training datasets"))
    validation_datasets = models.ManyToManyField(
        Dataset, related_name="validated_in", verbose_name=_("validation datasets")
    )
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, null=True, blank=True, related_name="trained_models")
    data_category = models.CharField(_("data category"), max_length=64, blank=True)
    settings = models.JSONField(_("settings"), help_text="model.json")
    classes = models.JSONField(_("classes"), default=list, help_text=_("In the order it was trained with."))
    devices = models.PositiveIntegerField(_("devices"), default=1)
    job = models.ForeignKey(Job, models.PROTECT, related_name="trained_models", verbose_name=_("job"))
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    imported_from = models.JSONField(_("imported from"), default=dict, blank=True, help_text=_("What its export said."))
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = TrainedModelQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="model_name_once_a_project")]
        indexes = [  # each serves a filter or an order of the list without a look into the rows: `views_list`
            models.Index(fields=["project", "-id"]),
            models.Index(fields=["project", "job"]),
            models.Index(fields=["project", "model_type", "-id"]),
            models.Index(fields=["project", "created_by", "-id"]),
            models.Index(fields=["project", "data_category", "-id"]),
            models.Index(fields=["project", "base_model"]),
            models.Index(fields=["project", "created_at"]),
        ]
        verbose_name = _("model")
        verbose_name_plural = _("models")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("models:detail", args=[self.project.code, self.pk])

    @property
    def folder(self) -> Path:
        return settings.TRAINPORTAL_HOME / "models" / str(self.pk)

    @property
    def is_finished(self) -> bool:
        return self.job.state == State.SUCCEEDED

    @property
    def has_checkpoint(self) -> bool:
        """Whether another training may start from its weights: a cancelled one that got that far counts."""
        return not self.job.is_active and (self.folder / results.CHECKPOINT).is_file()

    def why_not_validated(self) -> str:
        """Why no validation of it can start; empty when one can."""
        if not self.is_finished:
            return gettext("Only a model whose training succeeded can be validated.")
        if not self.has_checkpoint:
            return gettext("The checkpoint of this model is gone: only its metrics, its log and its settings are left.")
        return ""

    @property
    def activation(self) -> Activation | None:
        """Since when it is in use, by whom and why; None where it is not."""
        return self.activations.current().select_related("started_by").first()

    @property
    def goals(self) -> dict[tuple[str, str], str]:
        """Which way is best, min or max, by metrics file and column, as the kernel's `x-metrics` says."""
        return {
            (str(entry.get("file", "")).removesuffix(".csv"), str(entry.get("column", ""))): str(
                entry.get("goal", "max")
            )
            for entry in self.kernel.metrics
        }

    @property
    def params(self) -> dict[str, Any]:
        return self.settings.get("training_params", {})


class TrainDraft(models.Model):
    """The training form as its user left it, so that no timeout, deploy or closed window loses it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", verbose_name=_("project"))
    user = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("user"))
    data = models.TextField(_("what was typed"), help_text="URL-encoded")
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_draft_a_user_and_project")]
        verbose_name = _("draft of a training")
        verbose_name_plural = _("drafts of trainings")

    def __str__(self) -> str:
        return f"{self.user}: {self.project}"


class Preset(models.Model):
    """Settings that a project starts from with a kernel and a model type, instead of the schema's defaults."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="presets", verbose_name=_("project"))
    kernel_name = models.CharField(_("kernel"), max_length=128)
    model_type = models.ForeignKey(ModelType, models.CASCADE, related_name="presets", verbose_name=_("model type"))
    params = models.JSONField(_("settings"), default=dict)
    saved_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("saved by"))
    saved_at = models.DateTimeField(_("saved"), auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "kernel_name", "model_type"], name="one_preset_a_kernel_and_type"
            )
        ]
        verbose_name = _("preset")
        verbose_name_plural = _("presets")

    def __str__(self) -> str:
        return f"{self.kernel_name}, {self.model_type}"
