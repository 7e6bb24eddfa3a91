"""Projects, people and labels in the admin. What kernels and files know a row by does not change any more."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from projects_app.models import (
    AnnotationType,
    Category,
    DataCategory,
    KeptPost,
    Membership,
    ModelType,
    ModelTypeClass,
    Project,
    Upload,
    User,
)
from projects_app.readonly import ReadOnlyAdmin, ReadOnlyInline


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


class FixedOnceMade(admin.ModelAdmin):
    """Fields in `fixed` are chosen when the row is made. Nothing is deleted here: data, models and files hang on it."""

    fixed: tuple[str, ...] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fixed if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(UserAdmin):
    fieldsets = (*(UserAdmin.fieldsets or ()), (_("Portal"), {"fields": ("language",)}))  # type: ignore[assignment]
    list_display = ["username", "first_name", "last_name", "email", "is_active", "is_staff", "last_login"]


@admin.register(Project)
class ProjectAdmin(FixedOnceMade):
    fixed = ("code", "created_at")
    list_display = ["name", "code", "created_at"]
    search_fields = ["name", "code", "description"]
    inlines = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["user", "project", "role"]
    list_filter = ["role", "project"]
    search_fields = ["user__username", "project__name", "project__code"]
    list_select_related = ["user", "project"]
    autocomplete_fields = ["user", "project"]


class CategoryInline(ReadOnlyInline):
    model = Category


@admin.register(AnnotationType)
class AnnotationTypeAdmin(FixedOnceMade):
    fixed = ("project", "code", "training_type")
    exclude = ("position",)
    list_display = ["code", "name", "training_type", "project"]
    list_filter = ["training_type", "project"]
    search_fields = ["code", "name"]
    list_select_related = ["project"]
    inlines = [CategoryInline]


@admin.register(Category)
class CategoryAdmin(FixedOnceMade):
    """A category's place is the class number that trained models know: only its name may change."""

    fixed = ("annotation_type", "code", "position")
    list_display = ["code", "name", "annotation_type", "position"]
    list_filter = ["annotation_type__project"]
    search_fields = ["code", "name", "annotation_type__code"]
    list_select_related = ["annotation_type"]


@admin.register(DataCategory)
class DataCategoryAdmin(FixedOnceMade):
    fixed = ("project", "code")
    exclude = ("position",)
    list_display = ["code", "name", "project"]
    list_filter = ["project"]
    search_fields = ["code", "name"]
    list_select_related = ["project"]


class ModelTypeClassInline(ReadOnlyInline):
    model = ModelTypeClass


@admin.register(ModelType)
class ModelTypeAdmin(FixedOnceMade):
    fixed = ("project", "code", "training_type")
    exclude = ("position",)
    list_display = ["code", "name", "training_type", "project"]
    list_filter = ["training_type", "project"]
    search_fields = ["code", "name"]
    list_select_related = ["project"]
    inlines = [ModelTypeClassInline]


@admin.register(ModelTypeClass)
class ModelTypeClassAdmin(ReadOnlyAdmin):
    """The order of classes only grows, and the portal lets it grow: a model keeps the list it was trained with."""

    list_display = ["model_type", "position", "annotation_type"]
    list_filter = ["model_type__project"]
    search_fields = ["model_type__code", "annotation_type__code"]
    list_select_related = ["model_type", "annotation_type"]


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    list_display = ["file_name", "project", "created_by", "size", "created_at"]
    search_fields = ["file_name"]
    list_select_related = ["project", "created_by"]


@admin.register(KeptPost)
class KeptPostAdmin(ReadOnlyAdmin):
    fields = ["path", "created_at"]  # neither the key nor what somebody typed
    list_display = ["path", "created_at"]
    search_fields = ["path"]
