"""Jobs and what belongs to them, to look at: their state is a machine's, and only the engine moves it."""

from __future__ import annotations

from django.contrib import admin

from jobs.models import Host, IngestCursor, Job, JobEvent, Lease, MetricPoint
from jobs.outbox import Delivery, Subscription
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


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = ["project", "user", "channel", "events", "only_mine", "url", "is_on", "created_at"]
    list_filter = ["channel", "is_on", "project"]
    search_fields = ["user__username", "project__code", "url"]
    list_select_related = ["project", "user"]
    exclude = ["nonce"]  # the secret follows from it


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "subscription", "event", "job", "state", "attempts", "answer", "error", "next_at"]
    list_filter = ["state", "event"]
    search_fields = ["subscription__user__username", "job__title", "error"]
    list_select_related = ["subscription__user", "job"]
    date_hierarchy = "created_at"
