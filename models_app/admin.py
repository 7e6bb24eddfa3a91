"""Models and validations in the admin: what a run was and what came out of it cannot be edited, its name can."""

from __future__ import annotations

from django.contrib import admin

from models_app.models import (
    Activation,
    FoundObject,
    ModelDraft,
    ModelExport,
    Prediction,
    Preset,
    Sweep,
    TrainDraft,
    TrainedModel,
    TruthObject,
    Validation,
)
from projects_app.readonly import NoMaking, ReadOnlyAdmin

FACTS = [
    "project", "model_type", "kernel", "origin", "base_model", "retrained_from", "sweep", "varied", "train_datasets",
    "validation_datasets", "snapshot", "data_category", "settings", "classes", "devices", "job", "size",
    "imported_from", "created_by", "created_at",
]  # fmt: skip


@admin.register(TrainedModel)
class TrainedModelAdmin(NoMaking, admin.ModelAdmin):
    list_display = ["id", "name", "project", "model_type", "kernel", "state", "created_by", "created_at"]
    list_display_links = ["id", "name"]
    list_filter = ["job__state", "origin", "project", "kernel"]
    search_fields = ["name", "description", "model_type__code", "created_by__username"]
    list_select_related = ["project", "model_type", "kernel", "job", "created_by"]
    date_hierarchy = "created_at"
    fields = ["name", "description", *FACTS]
    readonly_fields = FACTS

    @admin.display(ordering="job__state")
    def state(self, model: TrainedModel) -> str:
        return model.job.get_state_display()


@admin.register(Validation)
class ValidationAdmin(ReadOnlyAdmin):
    list_display = ["id", "model", "operation", "kernel", "state", "created_by", "created_at"]
    list_filter = ["job__state", "operation", "project"]
    search_fields = ["model__name", "created_by__username"]
    list_select_related = ["model", "kernel", "job", "created_by"]

    @admin.display(ordering="job__state")
    def state(self, validation: Validation) -> str:
        return validation.job.get_state_display()


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    list_display = ["validation", "image", "truth", "predicted", "score", "is_right"]
    list_filter = ["is_right"]
    search_fields = ["image__name", "truth", "predicted"]
    list_select_related = ["validation__model", "image"]


@admin.register(FoundObject)
class FoundObjectAdmin(ReadOnlyAdmin):
    list_display = ["validation", "image", "label", "score", "verdict", "is_right", "iou"]
    list_filter = ["is_right"]
    search_fields = ["label", "image__name"]
    list_select_related = ["validation__model", "image"]


@admin.register(TruthObject)
class TruthObjectAdmin(ReadOnlyAdmin):
    list_display = ["validation", "image", "label", "found_score", "taken_for", "iou"]
    search_fields = ["label", "image__name"]
    list_select_related = ["validation__model", "image"]


@admin.register(Preset)
class PresetAdmin(ReadOnlyAdmin):
    list_display = ["project", "kernel_name", "model_type", "saved_by", "saved_at"]
    list_filter = ["project"]
    search_fields = ["kernel_name", "model_type__code", "saved_by__username"]


@admin.register(TrainDraft)
class TrainDraftAdmin(ReadOnlyAdmin):
    list_display = ["project", "user", "updated_at"]
    list_filter = ["project"]
    search_fields = ["user__username"]


@admin.register(Sweep)
class SweepAdmin(ReadOnlyAdmin):
    list_display = ["id", "name", "project", "kernel", "keep_best", "created_by", "created_at"]
    list_filter = ["project", "kernel"]
    search_fields = ["name", "created_by__username"]
    list_select_related = ["project", "kernel", "created_by"]


@admin.register(Activation)
class ActivationAdmin(ReadOnlyAdmin):
    list_display = ["model_type", "model_name", "started_at", "started_by", "reason", "ended_at", "ended_by"]
    list_filter = ["project"]
    search_fields = ["model_name", "model_type__code", "started_by__username", "reason"]
    list_select_related = ["model_type", "started_by", "ended_by"]


@admin.register(ModelDraft)
class ModelDraftAdmin(ReadOnlyAdmin):
    list_display = ["file_name", "project", "created_by", "created_at"]
    list_filter = ["project"]
    search_fields = ["file_name", "created_by__username"]
    list_select_related = ["project", "created_by"]


@admin.register(ModelExport)
class ModelExportAdmin(ReadOnlyAdmin):
    list_display = ["model", "project", "size", "created_by", "created_at"]
    list_filter = ["project"]
    search_fields = ["model__name", "created_by__username"]
    list_select_related = ["model", "project", "created_by"]
