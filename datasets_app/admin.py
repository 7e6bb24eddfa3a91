"""Datasets in Django's admin: searchable; what files and runs rely on cannot be changed by hand."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from datasets_app.models import Annotation, AnnotationChange, Blob, Dataset, Image, ImageFile, ImportDraft, Snapshot
from projects_app.readonly import NoMaking, ReadOnlyAdmin

_MADE = (
    *("project", "split", "format", "is_synthetic", "problems", "cloned_from", "frozen_at", "frozen_by"),
    *("created_by", "created_at"),
)  # of a dataset, when it was imported


@admin.register(Dataset)
class DatasetAdmin(NoMaking, admin.ModelAdmin):
    """Name and description; a dataset is made by an import and deleted on its page, where its bytes are freed."""

    list_display = ["name", "project", "split", "format", "created_by", "created_at"]
    list_filter = ["project", "split", "format", "is_synthetic"]
    search_fields = ["name", "description"]
    fields = ("name", "description", *_MADE)
    readonly_fields = _MADE
    list_select_related = ["project", "created_by"]

    def get_readonly_fields(self, request: HttpRequest, obj: Dataset | None = None) -> tuple[str, ...]:
        """Of a frozen one everything."""
        return tuple(self.fields if obj and obj.frozen_at else self.readonly_fields)


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin):
    list_display = ["name", "dataset", "width", "height", "data_category"]
    list_filter = ["labelled_cl", "labelled_rc", "labelled_od", "labelled_seg"]
    search_fields = ["name", "dataset__name", "blob__sha256"]
    list_select_related = ["dataset"]


@admin.register(ImageFile)
class ImageFileAdmin(ReadOnlyAdmin):
    list_display = ["name", "suffix", "image"]
    search_fields = ["name", "image__name"]
    list_select_related = ["image"]


@admin.register(Annotation)
class AnnotationAdmin(ReadOnlyAdmin):
    list_display = ["image", "annotation_type", "category", "verdict", "kind", "is_generated", "is_roi"]
    list_filter = ["kind", "is_generated", "is_roi"]
    search_fields = ["image__name", "annotation_type__code", "category__code"]
    list_select_related = ["image", "annotation_type", "category"]


@admin.register(AnnotationChange)
class AnnotationChangeAdmin(ReadOnlyAdmin):
    list_display = ["at", "who", "verb", "image", "label"]
    list_filter = ["verb"]
    search_fields = ["who", "image__name", "image__dataset__name"]
    list_select_related = ["image"]


@admin.register(Blob)
class BlobAdmin(ReadOnlyAdmin):
    list_display = ["sha256", "size", "content_type", "created_at"]
    list_filter = ["content_type"]
    search_fields = ["sha256"]


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ["sha256", "project", "images", "created_at"]
    list_filter = ["project"]
    search_fields = ["sha256"]
    list_select_related = ["project"]


@admin.register(ImportDraft)
class ImportDraftAdmin(ReadOnlyAdmin):
    list_display = ["name", "project", "file_name", "created_by", "created_at"]
    list_filter = ["project"]
    search_fields = ["name", "file_name"]
    list_select_related = ["project", "created_by"]
