"""Rows around a model: which one is in use and since when, what waits to be imported, what was exported."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from jobs.models import Job, State
from projects_app.models import ModelType, OwnedQuerySet, Project, User

REASON_LENGTH = 500


class ActivationQuerySet(OwnedQuerySet["Activation"]):
    def current(self) -> ActivationQuerySet:
        """Those that hold now: at most one a model type."""
        return self.filter(ended_at=None)


class Activation(models.Model):
    """A model was in use for its model type, from when to when, by whom and why. Only ever added, and ended once.

    `model` is gone where the model was deleted afterwards; its name stays.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="activations", verbose_name=_("project"))
    model_type = models.ForeignKey(ModelType, models.CASCADE, related_name="activations", verbose_name=_("model type"))
    model = models.ForeignKey(
        "models_app.TrainedModel", models.SET_NULL, null=True, related_name="activations", verbose_name=_("model")
    )
    model_name = models.CharField(_("name"), max_length=200)
    started_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("activated by"))
    started_at = models.DateTimeField(_("activated"))
    reason = models.CharField(_("why"), max_length=REASON_LENGTH)
    ended_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("deactivated by")
    )
    ended_at = models.DateTimeField(_("deactivated"), null=True, blank=True)
    end_reason = models.CharField(_("why deactivated"), max_length=REASON_LENGTH, blank=True)
    replaced_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")

    objects = ActivationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["model_type"], condition=Q(ended_at=None), name="one_active_model_a_type")
        ]
        verbose_name = _("activation")
        verbose_name_plural = _("activations")

    def __str__(self) -> str:
        return f"{self.model_type}: {self.model_name}"


class ModelDraft(models.Model):
    """An uploaded model that somebody looks at before it is imported: unpacked below `model-imports/<id>/`.

    `found`: what the archive holds, see `models_app.imports.layout`. `settings_text`: the `model.json` as it came.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="model_drafts", verbose_name=_("project"))
    created_by = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("user"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    file_name = models.CharField(_("file"), max_length=255, blank=True)
    settings_text = models.TextField(_("settings"), blank=True)
    found = models.JSONField(default=dict, blank=True)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("job"))

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("model to be imported")
        verbose_name_plural = _("models to be imported")

    def __str__(self) -> str:
        return self.file_name or str(self.pk)

    @property
    def folder(self) -> Path:
        return settings.TRAINPORTAL_HOME / "model-imports" / str(self.pk)


class ModelExport(models.Model):
    """One archive of everything about a model. There when its job has succeeded; dropped after some days."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="model_exports", verbose_name=_("project"))
    model = models.ForeignKey(
        "models_app.TrainedModel", models.CASCADE, related_name="exports", verbose_name=_("model")
    )
    job = models.ForeignKey(Job, models.PROTECT, related_name="model_exports", verbose_name=_("job"))
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("export")
        verbose_name_plural = _("exports")

    def __str__(self) -> str:
        return self.file_name

    @property
    def folder(self) -> Path:
        return settings.TRAINPORTAL_HOME / "exports" / str(self.pk)

    @property
    def path(self) -> Path:
        return self.folder / "model.zip"

    @property
    def file_name(self) -> str:
        """What a download is called: the model's name without what file systems refuse."""
        name = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", self.model.name).strip(" .")
        return f"{name.encode()[:200].decode(errors='ignore') or 'model'}.zip"

    @property
    def dropped_at(self) -> datetime | None:
        """When it goes; None while it is not there."""
        ended: datetime | None = self.job.ended_at
        return ended + timedelta(days=settings.TRAINPORTAL_RETENTION_DAYS) if ended else None

    @property
    def is_there(self) -> bool:
        return self.job.state == State.SUCCEEDED and self.path.is_file()
