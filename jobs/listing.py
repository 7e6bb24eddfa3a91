"""The page of jobs: which, in what order, and what each device of each host does."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Case, F, IntegerField, Value, When
from django.utils.translation import gettext_lazy as _

from jobs import clock
from jobs.models import HELD, Host, Job, JobQuerySet, State
from projects_app.models import Project

KINDS = {
    "training": _("Training"),
    "validation": _("Validation"),
    "import_dataset": _("Dataset import"),
    "import_model": _("Model import"),
    "export_model": _("Model export"),
}
# what the filter offers: a key of the address, its words
FILTERS = {
    "active": _("Not ended"),
    "running": _("Running"),
    State.QUEUED.value: State.QUEUED.label,
    State.SUCCEEDED.value: State.SUCCEEDED.label,
    State.FAILED.value: State.FAILED.label,
    State.CANCELLED.value: State.CANCELLED.label,
}
SORTS = {"title": "title", "kind": "kind", "created": "created_at", "by": "created_by__username"}


@dataclass(frozen=True)
class Device:
    """One device; a holder in another project is not named, only that there is one."""

    index: int
    name: str
    job: Job | None
    is_held: bool


@dataclass(frozen=True)
class HostRow:
    host: Host
    devices: list[Device]

    @property
    def free(self) -> int:
        return sum(not device.is_held for device in self.devices)

    @property
    def queue_is_late(self) -> bool:
        """Whether three canaries in a row did not come; the worker's own tick then starts jobs."""
        proven = self.host.canary_at
        return proven is not None and (clock.now() - proven).total_seconds() > 3 * settings.JOB_CANARY


def choose(jobs: JobQuerySet, state: str, kind: str, text: str) -> JobQuerySet:
    """The jobs that the filters leave."""
    if state == "active":
        jobs = jobs.active()
    elif state == "running":
        jobs = jobs.filter(state__in=HELD)
    elif state in State.values:
        jobs = jobs.filter(state=state)
    if kind:
        jobs = jobs.filter(kind=kind)
    return jobs.filter(title__icontains=text) if text else jobs


def in_order(jobs: JobQuerySet, sort: str) -> JobQuerySet:
    """By a column; else what runs, what waits (first in line first), what ended (newest first)."""
    column = SORTS.get(sort.removeprefix("-"))
    if column:
        return jobs.order_by(f"-{column}" if sort.startswith("-") else column, "-pk")
    rank = Case(When(state__in=HELD, then=0), When(state=State.QUEUED, then=1), default=2, output_field=IntegerField())
    waits = Case(When(state=State.QUEUED, then=F("queued_at")), default=Value(None))
    line = Case(When(state=State.QUEUED, then=-F("priority")), default=0, output_field=IntegerField())
    ordered: JobQuerySet = jobs.annotate(rank=rank, line=line, waits=waits).order_by("rank", "line", "waits", "-pk")
    return ordered


def places() -> dict[int, int]:
    """By id how many jobs stand before each waiting job, in all projects: `Job.ahead` of all of them at once."""
    found: dict[int, int] = {}
    with_devices = 0
    for before, (pk, devices) in enumerate(Job.objects.waiting().values_list("pk", "devices")):
        found[pk] = with_devices if devices else before
        with_devices += bool(devices)
    return found


def hosts(project: Project) -> list[HostRow]:
    """Every host with its devices and who holds them."""
    found = Host.objects.prefetch_related("leases__job__project")
    return [HostRow(host, devices(host, project)) for host in found]


def devices(host: Host, project: Project) -> list[Device]:
    held = {lease.index: lease.job for lease in host.leases.all()}
    rows = []
    for index in range(max(host.devices, max(held, default=-1) + 1)):
        job = held.get(index)
        name = host.device_names[index] if index < len(host.device_names) else ""
        rows.append(Device(index, name, job if job and job.project_id == project.pk else None, job is not None))
    return rows
