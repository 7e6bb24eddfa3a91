"""Kernels: packaged training programs, global to the installation, switched on per project."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from jobs import limits
from kernels_app.references import resolve
from projects_app.models import ModelType, Project, TrainingType, User


class KernelState(models.TextChoices):
    IMPORTING = "importing", _("Importing")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    DEPRECATED = "deprecated", _("Deprecated")
    ARCHIVED = "archived", _("Archived")


class KernelQuerySet(models.QuerySet["Kernel"]):
    def on_in(self, project: Project) -> Self:
        """The kernels that are on in `project`: the installation's own, unless switched off, and the chosen."""
        off = KernelSwitch.objects.filter(project=project, is_on=False).values("kernel")
        on = KernelSwitch.objects.filter(project=project, is_on=True).values("kernel")
        return self.filter(Q(is_bundled=True) & ~Q(pk__in=off) | Q(pk__in=on))

    def for_training_type(self, training_type: str) -> Self:
        """Kernels that train `training_type` (kept as `,CL,OD,`, since SQLite cannot look into JSON lists)."""
        return self.filter(training_types__contains=f",{training_type},")

    def newest(self) -> Self:
        """Of each name only the version that was registered last; an archived one where there is no other."""
        of_name = Kernel.objects.filter(name=models.OuterRef("name"))
        is_archived = models.Case(models.When(state=KernelState.ARCHIVED, then=1), default=0)
        last = of_name.order_by(is_archived, "-pk").values("pk")[:1]
        return self.filter(pk=models.Subquery(last))


class Kernel(models.Model):
    """One version of one kernel. Its files lie below `kernels/<id>/` and never change."""

    name = models.CharField(_("name"), max_length=100)
    version = models.CharField(_("version"), max_length=64)
    description = models.TextField(_("description"), blank=True)
    description_ko = models.TextField(_("description in Korean"), blank=True)
    digest = models.CharField(
        _("digest"), max_length=64, help_text=_("SHA-256 over the names and contents of its files.")
    )
    state = models.CharField(_("state"), max_length=12, choices=KernelState, default=KernelState.IMPORTING)
    training_types = models.CharField(_("training types"), max_length=32)
    schema = models.JSONField(_("schema"), default=dict)
    model_types = models.JSONField(
        _("model types by hand"),
        default=list,
        blank=True,
        help_text=_("Codes that it is for, where its schema does not say; empty: any of its training types."),
    )
    origin = models.JSONField(
        _("origin"),
        default=dict,
        blank=True,
        help_text=_("The file, or the repository with branch, folder and commit."),
    )
    job = models.ForeignKey(
        "jobs.Job", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("imported by")
    )
    checklist = models.JSONField(_("checklist of the doctor"), default=list, blank=True)
    tried_at = models.DateTimeField(_("tried"), null=True, blank=True)
    image = models.CharField(
        _("image"), max_length=255, blank=True, help_text=_("Of a kernel that is a container: its name here.")
    )
    build = models.JSONField(_("build"), default=dict, blank=True, help_text=_("What is known of the image."))
    is_base = models.BooleanField(
        _("base image"), default=False, help_text=_("Other images are built on it; nobody trains with it.")
    )
    is_bundled = models.BooleanField(_("comes with the portal"), default=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(_("registered"), auto_now_add=True)

    objects = KernelQuerySet.as_manager()

    class Meta:
        ordering = ["name", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="kernel_version_once"),
            models.UniqueConstraint(fields=["name", "digest"], name="kernel_digest_once"),
        ]
        verbose_name = _("kernel")
        verbose_name_plural = _("kernels")

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def folder(self) -> Path:
        return settings.TRAINPORTAL_HOME / "kernels" / str(self.pk)

    @property
    def image_file(self) -> Path:
        """The tar that its image is kept in: its own, as it came, or the one that was written when it was built."""
        brought = self.build.get("file")
        return self.folder / brought if brought else self.folder.with_name(f"{self.pk}.image.tar")

    @property
    def log(self) -> Path:
        """What its import wrote; not there for one that came with the portal."""
        return self.folder.with_name(f"{self.pk}.import.log")

    @property
    def may_be_tried(self) -> bool:
        """Whether the doctor may look at it once more: it failed, or whoever imported it was lost."""
        lost = self.state == KernelState.IMPORTING and not (self.job and self.job.is_active)
        put_away = self.state == KernelState.ARCHIVED and not self.has_passed
        return not self.is_bundled and (self.state == KernelState.FAILED or lost or put_away)

    @property
    def has_passed(self) -> bool:
        """Whether the doctor came to its end and no line failed.

        What came with the portal was tried before; what came with a model (it has no origin) trained that model.
        """
        if any(line.get("state") == "failed" for line in self.checklist):
            return False
        return self.is_bundled or self.tried_at is not None or not self.origin

    def is_managed_by(self, user: User) -> bool:
        """Who may retire it, for all projects."""
        return user.is_superuser or user.is_staff or (self.created_by_id == user.pk and not self.is_bundled)

    def move(self, old: tuple[KernelState, ...], new: KernelState) -> bool:
        """Change the state; False where somebody else was faster."""
        return Kernel.objects.filter(pk=self.pk, state__in=old).update(state=new) == 1

    @property
    def about(self) -> str:
        """Its description in the language of the reader, else in the one it has."""
        is_korean = (get_language() or "").startswith("ko")
        return self.description_ko if is_korean and self.description_ko else self.description

    @property
    def limits(self) -> dict[str, Any]:
        """`[limits]` of its kernel.toml: what a run of it may take, where that differs from the installation's."""
        try:
            found = tomllib.loads((self.folder / "kernel.toml").read_text(encoding="utf-8-sig")).get("limits", {})
        except (OSError, ValueError):
            return {}
        return {} if limits.faults(found) else found

    @property
    def types(self) -> list[str]:
        return [part for part in self.training_types.split(",") if part]

    @property
    def type_labels(self) -> list[str]:
        return [str(TrainingType(code).label) for code in self.types]

    def address(self, project: Project) -> str:
        return reverse("kernels:detail", args=[project.code, self.pk])

    def supports(self, model_type: ModelType) -> bool:
        """Whether it may train `model_type`: its training type, and its code where the schema binds the codes."""
        codes = self.codes
        return model_type.training_type in self.types and (codes is None or model_type.code in codes)

    @property
    def codes(self) -> list[str] | None:
        """The model types that it is for: as its schema binds them, else as somebody did by hand; None: any."""
        return self.bound_codes if self.bound_codes is not None else self.model_types or None

    @property
    def bound_codes(self) -> list[str] | None:
        """The model types that its schema binds it to; None where it does not."""
        section = self._section("model_type")
        codes = section.get("enum", [section["const"]] if "const" in section else None)
        return [str(code) for code in codes] if isinstance(codes, list) else None

    def supports_operation(self, operation: str) -> bool:
        return operation in self.operations

    @property
    def operations(self) -> list[str]:
        """`supported_operations` of the schema; by default all but preprocessing."""
        found = self._section("supported_operations").get("const", self._properties.get("supported_operations"))
        if isinstance(found, str):
            return [part.strip() for part in found.split(",")]
        return list(found) if isinstance(found, list) else ["training", "validation", "inference"]

    @property
    def gpu_range(self) -> tuple[int, int]:
        """The fewest and the most devices a run may have; 1 to 1 where the schema does not say."""
        section = self._section("supported_gpu_count")
        low = int(section.get("minimum", 1))
        return low, max(low, int(section.get("maximum", low)))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """`x-metrics` of the schema: `{file, column, goal, primary}` each."""
        found = self.schema.get("x-metrics", [])
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    @property
    def _properties(self) -> dict[str, Any]:
        return self.schema.get("properties", {})

    def _section(self, name: str) -> dict[str, Any]:
        return resolve(self._properties.get(name), self.schema)


class KernelSwitch(models.Model):
    """Whether a project uses a kernel, where that differs from the default."""

    kernel = models.ForeignKey(Kernel, models.CASCADE, related_name="switches")
    project = models.ForeignKey(Project, models.CASCADE, related_name="kernel_switches")
    is_on = models.BooleanField(_("on"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kernel", "project"], name="one_switch_a_project")]
        verbose_name = _("kernel switch")
        verbose_name_plural = _("kernel switches")

    def __str__(self) -> str:
        return f"{self.kernel} in {self.project}: {'on' if self.is_on else 'off'}"
