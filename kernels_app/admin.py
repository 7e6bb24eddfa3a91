"""Kernels in the admin: what was packaged stays as it was packaged."""

from __future__ import annotations

from django.contrib import admin

from kernels_app.models import Kernel, KernelSwitch
from projects_app.readonly import NoMaking

FACTS = [
    "name", "version", "digest", "state", "training_types", "schema", "is_bundled", "origin", "job", "checklist",
    "tried_at", "model_types", "created_by", "created_at",
]  # fmt: skip


@admin.register(Kernel)
class KernelAdmin(NoMaking, admin.ModelAdmin):
    """Only the descriptions are free: the rest follows from the package, which the digest names."""

    list_display = ["name", "version", "state", "training_types", "is_bundled", "created_at"]
    list_filter = ["state", "is_bundled"]
    search_fields = ["name", "version", "description", "digest"]
    fields = ["description", "description_ko", *FACTS]
    readonly_fields = FACTS


@admin.register(KernelSwitch)
class KernelSwitchAdmin(admin.ModelAdmin):
    list_display = ["kernel", "project", "is_on"]
    list_filter = ["is_on", "project"]
    search_fields = ["kernel__name", "project__code"]
    list_select_related = ["kernel", "project"]
