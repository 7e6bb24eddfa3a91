"""Datasets: labelled images, the unit of import, training and validation."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from datasets_app.label_history import AnnotationChange
from projects_app.models import AnnotationType, Category, OwnedQuerySet, Project, TrainingType, User

__all__ = [
    "Annotation",
    "AnnotationChange",
    "Blob",
    "Dataset",
    "Image",
    "ImageFile",
    "ImportDraft",
    "ShapeKind",
    "Snapshot",
    "Split",
    "labelled_field",
    "labelled_images",
]

if TYPE_CHECKING:
    from projects_app.models import ModelType


class Blob(models.Model):
    """A file kept once, by content, however many datasets hold it."""

    sha256 = models.CharField(primary_key=True, max_length=64, editable=False)
    size = models.PositiveBigIntegerField(_("bytes"))
    content_type = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")

    def __str__(self) -> str:
        return self.sha256[:12]

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return settings.TRAINPORTAL_HOME / "blobs" / self.sha256[:2] / self.sha256


class Split(models.TextChoices):
    NONE = "", _("Not split")
    TRAIN = "train", _("Training")
    VAL = "val", _("Validation")
    TEST = "test", _("Test")


class Dataset(models.Model):
    """One set of images with their labels."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="datasets", verbose_name=_("project"))
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    split = models.CharField(_("split"), max_length=8, choices=Split, blank=True, default=Split.NONE)
    format = models.CharField(_("imported from"), max_length=32, blank=True)
    is_synthetic = models.BooleanField(_("drawn by the portal"), default=False)
    problems = models.JSONField(_("problems"), default=dict, blank=True, help_text=_("How often each was met."))
    compares = models.BooleanField(
        _("compares"), default=False, help_text=_("Generated labels stand beside people's: nobody learns from them.")
    )
    cloned_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="clones", verbose_name=_("cloned from")
    )
    label_version = models.PositiveIntegerField(default=0, editable=False)
    counted = models.JSONField(null=True, blank=True, editable=False)  # labels at this version and number of images
    frozen_at = models.DateTimeField(_("frozen"), null=True, blank=True)
    frozen_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("frozen by")
    )
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="dataset_name_once_a_project")]
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:detail", args=[self.project.code, self.pk])

    def labelled_images(self, model_type: ModelType) -> models.QuerySet[Image]:
        """The images that can teach or judge a model of `model_type`, in their own order.

        CL: those with a category of its question. RC: those with a judged region. OD, SEG: those that somebody looked
        at for this training type, without a shape too.
        """
        return labelled_images([self], model_type).order_by("position", "pk")

    def label_counts(self, model_type: ModelType | None = None) -> list[dict[str, object]]:
        """How often each label stands in this set: `training_type`, `code` (category, verdict or type), `count`."""
        labels = Annotation.objects.filter(image__dataset=self, is_roi=False)
        if model_type is not None:
            return _counted(labels.meant().filter(annotation_type__in=model_type.annotation_types.all()))
        images = self.images.count()
        if self.counted is None or self.counted["images"] != images:
            self.counted = {"images": images, "labels": _counted(labels)}
            seen = Dataset.objects.filter(pk=self.pk, label_version=self.label_version)
            seen.update(counted=self.counted)  # unless somebody changed a label meanwhile
        return list(self.counted["labels"])

    def labels_changed(self) -> None:
        """To be said in the transaction that changes them: they are counted anew when somebody asks."""
        changed = Dataset.objects.filter(pk=self.pk)
        changed.update(label_version=models.F("label_version") + 1, counted=None)
        self.refresh_from_db(fields=["label_version", "counted"])


def _counted(labels: models.QuerySet[Annotation]) -> list[dict[str, object]]:
    rows = labels.order_by().values("annotation_type", "category", "verdict")
    counted = list(rows.annotate(count=models.Count("pk"), images=models.Count("image", distinct=True)))
    types = AnnotationType.objects.in_bulk([row["annotation_type"] for row in counted if row["annotation_type"]])
    categories = Category.objects.in_bulk([row["category"] for row in counted if row["category"]])
    found = [(types.get(row["annotation_type"]), categories.get(row["category"]), dict(row)) for row in counted]
    return [
        {
            "training_type": kind.training_type if kind else None,
            "annotation_type": kind.code if kind else None,
            "code": category.code if category else kind.code if kind else None,
            "verdict": row["verdict"],
            "count": row["count"],
            "images": row["images"],
        }
        for kind, category, row in sorted(found, key=_place)
    ]


def _place(found: tuple[AnnotationType | None, Category | None, dict[str, Any]]) -> tuple[Any, ...]:
    """By training type, label, place of the category; false before true."""
    kind, category, row = found
    return (
        kind.training_type if kind else "",
        kind.code if kind else "",
        category.position if category else -1,
        bool(row["verdict"]),
    )


def labelled_field(training_type: str) -> str:
    """The field of Image that says whether somebody looked at it for `training_type`."""
    return f"labelled_{training_type.lower()}"


LABELLED = (
    models.Q(labelled_cl=True) | models.Q(labelled_rc=True) | models.Q(labelled_od=True) | models.Q(labelled_seg=True)
)


def labelled_images(datasets: Iterable[Dataset], model_type: ModelType) -> models.QuerySet[Image]:
    """The images of these datasets that can teach or judge a model of `model_type`, see `Dataset.labelled_images`."""
    images = Image.objects.filter(dataset__in=list(datasets))
    if model_type.training_type in (TrainingType.OD, TrainingType.SEG):
        return images.filter(**{labelled_field(model_type.training_type): True})
    labels = Annotation.objects.meant().filter(annotation_type__in=model_type.annotation_types.all())
    return images.filter(pk__in=labels.values("image"))


class Image(models.Model):
    """One part that was photographed: its first picture, and its siblings as `ImageFile`s. Sizes are pixels as seen."""

    # what has no index of its own is the first column of another one
    dataset = models.ForeignKey(
        Dataset, models.CASCADE, related_name="images", verbose_name=_("dataset"), db_index=False
    )
    name = models.CharField(_("name"), max_length=500, help_text=_("The path it came under."))
    position = models.PositiveIntegerField(_("position"))
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="images")
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))
    phash = models.CharField(_("perceptual hash"), max_length=16, blank=True)
    data_category = models.CharField(_("data category"), max_length=64, blank=True)
    meta = models.JSONField(_("meta data"), default=dict, blank=True)
    labelled_cl = models.BooleanField(default=False)
    labelled_rc = models.BooleanField(default=False)
    labelled_od = models.BooleanField(default=False)
    labelled_seg = models.BooleanField(default=False)
    needs_review = models.BooleanField(
        _("to be reviewed"), default=False, help_text=_("A model labelled it, and nobody looked at that yet.")
    )
    label_version = models.PositiveIntegerField(default=0, db_default=0, editable=False)  # grows with every change

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="image_name_once_a_dataset")]
        indexes = [models.Index(fields=["dataset", "position"])]
        verbose_name = _("image")
        verbose_name_plural = _("images")

    def __str__(self) -> str:
        return self.name


class ImageFile(models.Model):
    """A sibling picture of the same part (`_X.png` beside `_A.png`)."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="siblings")
    suffix = models.CharField(_("image type"), max_length=64)
    name = models.CharField(_("name"), max_length=500)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="siblings")

    class Meta:
        ordering = ["suffix"]
        constraints = [models.UniqueConstraint(fields=["image", "suffix"], name="one_sibling_a_suffix")]
        verbose_name = _("sibling image")
        verbose_name_plural = _("sibling images")

    def __str__(self) -> str:
        return self.name


class ShapeKind(models.TextChoices):
    NONE = "", _("Whole image")
    RECTANGLE = "rectangle", _("Rectangle")
    POLYGON = "polygon", _("Polygon")


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def meant(self) -> Self:
        """Those that teach or judge: all but what a validation put beside the labels of people, to compare."""
        return self.exclude(is_generated=True, image__dataset__compares=True)


class Annotation(models.Model):
    """One label on one image. CL: a category; RC: a rectangle and a verdict; OD, SEG: a shape; ROI: a shape, no type.

    `points` are pixels of the image as seen: `[[x, y], …]`, a rectangle by its top left and bottom right corners.
    """

    image = models.ForeignKey(Image, models.CASCADE, related_name="annotations", verbose_name=_("image"))
    annotation_type = models.ForeignKey(
        AnnotationType, models.PROTECT, null=True, blank=True, related_name="annotations", db_index=False
    )
    category = models.ForeignKey(Category, models.PROTECT, null=True, blank=True, related_name="annotations")
    verdict = models.BooleanField(_("verdict"), null=True, blank=True)
    kind = models.CharField(_("shape"), max_length=16, choices=ShapeKind, blank=True, default=ShapeKind.NONE)
    points = models.JSONField(_("points"), default=list, blank=True)
    score = models.FloatField(_("score"), null=True, blank=True)
    is_generated = models.BooleanField(_("generated"), default=False)
    is_roi = models.BooleanField(_("region of interest"), default=False)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["annotation_type", "image"])]
        verbose_name = _("annotation")
        verbose_name_plural = _("annotations")

    def __str__(self) -> str:
        return f"{self.category or self.annotation_type or 'ROI'}"


class Snapshot(models.Model):
    """What a run saw: a manifest of image hashes, labels and classes, with one hash of its own. Never changed."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="snapshots", verbose_name=_("project"))
    sha256 = models.CharField(_("hash"), max_length=64)
    manifest = models.ForeignKey(Blob, models.PROTECT, related_name="snapshots")
    details = models.ForeignKey(Blob, models.PROTECT, null=True, blank=True, related_name="details_of")
    images = models.PositiveIntegerField(_("images"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["project", "sha256"], name="snapshot_once_a_project")]
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")

    def __str__(self) -> str:
        return self.sha256[:12]

    def get_absolute_url(self) -> str:
        return reverse("datasets:snapshot", args=[self.project.code, self.pk])


class SnapshotFile(models.Model):
    """A picture that a snapshot holds: it stays, whatever becomes of the datasets that it came from."""

    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="files")
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="snapshot_files")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["snapshot", "blob"], name="file_once_a_snapshot")]
        verbose_name = _("file of a snapshot")
        verbose_name_plural = _("files of snapshots")

    def __str__(self) -> str:
        return f"{self.snapshot_id}: {self.blob_id[:12]}"


class ImportDraft(models.Model):
    """An upload that somebody looks at before it becomes datasets: unpacked below `imports/<id>/`, dropped unused."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="import_drafts")
    created_by = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(_("name"), max_length=200)
    file_name = models.CharField(_("file"), max_length=255, blank=True)
    options = models.JSONField(default=dict, blank=True)  # format, split file, rc type: what the person chose
    preview = models.JSONField(default=dict, blank=True)  # what the reader found

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("import draft")
        verbose_name_plural = _("import drafts")

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return settings.TRAINPORTAL_HOME / "imports" / str(self.pk)
