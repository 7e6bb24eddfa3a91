"""Projects, their people, and the words in which a project speaks of its labels."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

CODE = RegexValidator(
    r"^[\w.-]+\Z",
    _("Use letters, digits, '_', '-' and '.', without white space."),
)
SYSTEM_USER = "system"


class TrainingType(models.TextChoices):
    """What kind of label is learnt."""

    CL = "CL", _("Classification")
    RC = "RC", _("Region classification")
    OD = "OD", _("Object detection")
    SEG = "SEG", _("Segmentation")


class Role(models.TextChoices):
    """What a member may do; each role may all that those above it may."""

    VIEWER = "viewer", _("Viewer")
    LABELLER = "labeller", _("Labeller")
    DEVELOPER = "developer", _("Developer")
    MANAGER = "manager", _("Manager")

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Colour(models.TextChoices):
    """What a label is drawn with, in the order of the palette: `label-0` to `label-11` of static/css/datasets.css."""

    RED = "red", _("Red")
    BLUE = "blue", _("Blue")
    GREEN = "green", _("Green")
    YELLOW = "yellow", _("Yellow")
    VIOLET = "violet", _("Violet")
    CYAN = "cyan", _("Cyan")
    PINK = "pink", _("Pink")
    LIME = "lime", _("Lime")
    INDIGO = "indigo", _("Indigo")
    ORANGE = "orange", _("Orange")
    TEAL = "teal", _("Teal")
    BROWN = "brown", _("Brown")

    @property
    def number(self) -> int:
        return list(Colour).index(self)


LAST = 1_000_000  # the place of what nobody has put anywhere: behind the others, by code


class User(AbstractUser):
    """Django's user, with the language the portal speaks to them."""

    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, blank=True, default="")

    @classmethod
    def system(cls) -> User:
        """Who acts when a command names nobody: a superuser who cannot log in."""
        user, created = cls.objects.get_or_create(
            username=SYSTEM_USER, defaults={"is_superuser": True, "is_staff": False, "first_name": "System"}
        )
        if created:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        return user


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The projects that `user` may see: all for a superuser, else those with a membership."""
        if not user.is_authenticated:
            return self.none()
        return self if user.is_superuser else self.filter(memberships__user=user)


class Project(models.Model):
    """The tenant: everything below belongs to one."""

    code = models.CharField(
        _("code"), max_length=64, unique=True, validators=[CODE], help_text=_("Short, in addresses: it cannot change.")
    )
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("project")
        verbose_name_plural = _("projects")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("models:list", args=[self.code])

    def role_of(self, user: User) -> Role | None:
        """The role of `user` here; a superuser is a manager everywhere."""
        if user.is_superuser:
            return Role.MANAGER
        found = self.memberships.filter(user=user).values_list("role", flat=True).first()
        return Role(found) if found else None

    def allows(self, user: User, role: Role) -> bool:
        """Whether `user` may do here what needs `role`."""
        own = self.role_of(user)
        return own is not None and own.rank >= role.rank


class Membership(models.Model):
    """One person in one project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships", verbose_name=_("project"))
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.VIEWER)

    class Meta:
        ordering = ["user__username"]
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_a_person")]
        verbose_name = _("member")
        verbose_name_plural = _("members")

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


M = TypeVar("M", bound=models.Model)


class OwnedQuerySet(models.QuerySet[M]):
    """The one door to rows that belong to a project."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Rows of projects that `user` may see."""
        if not user.is_authenticated:
            return self.none()
        return self if user.is_superuser else self.filter(project__memberships__user=user)


class AnnotationType(models.Model):
    """One label a person can give.

    OD, SEG: one class each. RC: one thing inspected in marked regions, each judged true or false. CL: one question with
    categories.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotation_types", verbose_name=_("project"))
    training_type = models.CharField(_("training type"), max_length=3, choices=TrainingType)
    code = models.CharField(
        _("code"), max_length=128, validators=[CODE], help_text=_("What kernels see. No white space.")
    )
    name = models.CharField(_("name"), max_length=200)
    colour = models.CharField(_("colour"), max_length=8, choices=Colour, blank=True, default="")
    position = models.PositiveIntegerField(_("position"), default=LAST)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["project", "code"], name="annotation_code_once_a_project")]
        verbose_name = _("annotation type")
        verbose_name_plural = _("annotation types")

    def __str__(self) -> str:
        return self.code


class Category(models.Model):
    """One answer to the question that a CL annotation type asks."""

    annotation_type = models.ForeignKey(AnnotationType, models.CASCADE, related_name="categories")
    code = models.CharField(_("code"), max_length=128, validators=[CODE])
    name = models.CharField(_("name"), max_length=200)
    colour = models.CharField(_("colour"), max_length=8, choices=Colour, blank=True, default="")
    position = models.PositiveIntegerField(_("position"))

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["annotation_type", "code"], name="category_once_a_question")]
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.code


class DataCategory(models.Model):
    """What an image shows: says in words what the data category of images and models means."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="data_categories", verbose_name=_("project"))
    code = models.CharField(_("code"), max_length=64, validators=[CODE])
    name = models.CharField(_("name"), max_length=200)
    colour = models.CharField(_("colour"), max_length=8, choices=Colour, blank=True, default="")
    position = models.PositiveIntegerField(_("position"), default=LAST)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["position", "code"]
        constraints = [models.UniqueConstraint(fields=["project", "code"], name="data_category_once_a_project")]
        verbose_name = _("data category")
        verbose_name_plural = _("data categories")

    def __str__(self) -> str:
        return self.code


class ModelType(models.Model):
    """What a model is for: a code, one training type, and the annotation types it learns. Their order only grows."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="model_types", verbose_name=_("project"))
    code = models.CharField(_("code"), max_length=128, validators=[CODE])
    name = models.CharField(_("name"), max_length=200)
    training_type = models.CharField(_("training type"), max_length=3, choices=TrainingType)
    annotation_types = models.ManyToManyField(
        AnnotationType, through="ModelTypeClass", related_name="model_types", verbose_name=_("annotation types")
    )
    position = models.PositiveIntegerField(_("position"), default=LAST)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["project", "code"], name="model_type_code_once_a_project")]
        verbose_name = _("model type")
        verbose_name_plural = _("model types")

    def __str__(self) -> str:
        return self.code

    def ordered_annotation_types(self) -> models.QuerySet[AnnotationType]:
        return self.annotation_types.order_by("modeltypeclass__position")

    def class_codes(self) -> list[str]:
        """What `label.txt` holds: the categories of the one question for CL, else the annotation types, in order."""
        if self.training_type == TrainingType.CL:
            categories = Category.objects.filter(annotation_type__model_types=self)
            return list(categories.order_by("position").values_list("code", flat=True))
        return list(self.ordered_annotation_types().values_list("code", flat=True))

    def learn(self, annotation_type: AnnotationType) -> None:
        """Add one annotation type at the end of the order, where it is not there yet."""
        ModelTypeClass.objects.get_or_create(
            model_type=self, annotation_type=annotation_type, defaults={"position": self.modeltypeclass_set.count()}
        )


class ModelTypeClass(models.Model):
    """The place of an annotation type in a model type."""

    model_type = models.ForeignKey(ModelType, models.CASCADE)
    annotation_type = models.ForeignKey(AnnotationType, models.PROTECT)
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["model_type", "annotation_type"], name="class_once_a_model_type"),
            models.UniqueConstraint(fields=["model_type", "position"], name="position_once_a_model_type"),
        ]

    def __str__(self) -> str:
        return f"{self.model_type}: {self.annotation_type}"


class KeptPost(models.Model):
    """What was posted when its login had ended: it waits for the next login in the browser that has the key.

    Nobody has to be logged in to leave one, so only the newest are kept, and none for longer than a day.
    """

    LONGEST = 20_000  # characters
    MOST = 200
    AGE = dt.timedelta(days=1)

    key = models.CharField(max_length=32, unique=True)
    path = models.CharField(_("address"), max_length=300)
    data = models.TextField(_("what was typed"), help_text="URL-encoded")
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("kept post")
        verbose_name_plural = _("kept posts")

    def __str__(self) -> str:
        return self.path

    @classmethod
    def keep(cls, path: str, data: str) -> str:
        """The key to it; "" for what is too long to be kept."""
        if len(data) > cls.LONGEST or len(path) > 300:
            return ""
        made = cls.objects.create(key=secrets.token_urlsafe(16), path=path, data=data)
        last = cls.objects.order_by("-pk").values_list("pk", flat=True)[cls.MOST : cls.MOST + 1]
        old = models.Q(created_at__lt=timezone.now() - cls.AGE)
        cls.objects.filter(old | models.Q(pk__lte=max(last, default=0))).delete()
        return made.key

    @classmethod
    def take(cls, key: str, path: str) -> str:
        """What was posted there, once; "" where nothing waits."""
        found = cls.objects.filter(key=key, path=path, created_at__gte=timezone.now() - cls.AGE).first()
        return found.data if found and cls.objects.filter(pk=found.pk).delete()[0] else ""


class Upload(models.Model):
    """A file that arrives in pieces, below `uploads/<id>`: as long as it is there, how long it is says what arrived."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="uploads", verbose_name=_("project"))
    created_by = models.ForeignKey(User, models.CASCADE, related_name="uploads", verbose_name=_("created by"))
    file_name = models.CharField(_("file"), max_length=255)
    size = models.PositiveBigIntegerField(_("bytes"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")

    def __str__(self) -> str:
        return self.file_name

    @property
    def path(self) -> Path:
        return settings.TRAINPORTAL_HOME / "uploads" / str(self.pk)

    @property
    def offset(self) -> int:
        """Bytes that arrived. Raises FileNotFoundError where somebody removed the file."""
        return self.path.stat().st_size

    @property
    def is_complete(self) -> bool:
        return self.path.exists() and self.offset == self.size

    @property
    def expires_at(self) -> dt.datetime:
        """When it goes, unless another piece arrives."""
        touched = dt.datetime.fromtimestamp(self.path.stat().st_mtime, dt.UTC)
        return touched + dt.timedelta(hours=settings.UPLOAD_KEPT_HOURS)
