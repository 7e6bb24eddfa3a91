"""Jobs and what belongs to them, to look at: their state is a machine's, and only the engine moves it."""

from __future__ import annotations

from django.contrib import admin

from jobs.models import Host, IngestCursor, Job, JobEvent, Lease, MetricPoint
from projects_app.readonly import ReadOnlyAdmin, ReadOnlyInline


class EventInline(ReadOnlyInline):
    model = JobEvent


class LeaseInline(ReadOnlyInline):
    model = Lease


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "title",
        "kind",
        "state",
        "project",
        "host",
        "devices",
        "created_by",
        "created_at",
        "ended_at",
    ]
    list_display_links = ["id", "title"]
    list_filter = ["state", "kind", "project", "host"]
    search_fields = ["title", "message", "created_by__username", "project__code"]
    list_select_related = ["project", "host", "created_by"]
    date_hierarchy = "created_at"
    exclude = ["run_key"]  # a secret of the run
    inlines = [EventInline, LeaseInline]


@admin.register(JobEvent)
class JobEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "job", "old", "new", "who", "why"]
    list_filter = ["new"]
    search_fields = ["job__title", "who", "why"]
    list_select_related = ["job"]


@admin.register(Host)
class HostAdmin(ReadOnlyAdmin):
    list_display = ["name", "device_kind", "devices", "cores", "memory_bytes", "free_bytes", "seen_at", "canary_at"]
    list_filter = ["device_kind"]
    search_fields = ["name"]
    inlines = [LeaseInline]


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ["host", "index", "job"]
    list_filter = ["host"]
    search_fields = ["host__name", "job__title"]
    list_select_related = ["host", "job"]


@admin.register(MetricPoint)
class MetricPointAdmin(ReadOnlyAdmin):
    list_display = ["job", "chart", "series", "x", "t", "value"]
    search_fields = ["job__title", "chart", "series"]
    list_select_related = ["job"]


@admin.register(IngestCursor)
class IngestCursorAdmin(ReadOnlyAdmin):
    list_display = ["job", "file", "offset", "generation", "bad_rows"]
    search_fields = ["job__title", "file"]
    list_select_related = ["job"]
