"""The page of jobs: which, in what order, and what each device of each host does."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from jobs import clock
from jobs.models import HELD, TERMINAL, Host, Job, JobQuerySet, State
from jobs.waiting import Queue
from projects_app.models import Project, User

KINDS = {
    "training": _("Training"),
    "validation": _("Validation"),
    "import_dataset": _("Dataset import"),
    "import_model": _("Model import"),
    "import_kernel": _("Kernel import"),
    "export_dataset": _("Dataset export"),
    "export_snapshot": _("Snapshot export"),
    "restore_snapshot": _("Snapshot restoration"),
    "export_model": _("Model export"),
}
# what the filter offers: a key of the address, its words
FILTERS = {
    "active": _("Not ended"),
    "running": _("Running"),
    State.QUEUED.value: State.QUEUED.label,
    "ended": _("Ended"),
    State.SUCCEEDED.value: State.SUCCEEDED.label,
    State.FAILED.value: State.FAILED.label,
    State.CANCELLED.value: State.CANCELLED.label,
}
SORTS = {
    "title": "title", "kind": "kind", "created": "created_at", "by": "created_by__username", "devices": "devices",
    "ended": "ended_at",
}  # fmt: skip
RUNNING, WAITING, ENDED = "running", "waiting", "ended"
RELATED = ("project", "created_by", "host")


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


def choose(jobs: JobQuerySet, state: str, kind: str, text: str, by: User | None = None) -> JobQuerySet:
    """The jobs that the filters leave; `by`: only those of one person."""
    if by is not None:
        jobs = jobs.filter(created_by=by)
    if state == "active":
        jobs = jobs.active()
    elif state == "running":
        jobs = jobs.filter(state__in=HELD)
    elif state == "ended":
        jobs = jobs.filter(state__in=TERMINAL)
    elif state in State.values:
        jobs = jobs.filter(state=state)
    if kind:
        jobs = jobs.filter(kind=kind)
    return jobs.filter(title__icontains=text) if text else jobs


class InOrder:
    """Jobs for a paginator: what runs, what waits (first in line first), what ended (latest first)."""

    def __init__(self, jobs: JobQuerySet, queue: Queue) -> None:
        self.running = list(jobs.filter(state__in=HELD).order_by("-started_at", "-pk").values_list("pk", flat=True))
        waiting = set(jobs.filter(state=State.QUEUED).values_list("pk", flat=True))
        self.waiting = [pk for pk in queue.places if pk in waiting] if waiting else []
        self.ended = jobs.filter(state__in=TERMINAL).order_by("-ended_at", "-pk")
        self.counts = {RUNNING: len(self.running), WAITING: len(self.waiting), ENDED: self.ended.count()}

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __getitem__(self, part: slice) -> list[Job]:
        active = [*self.running, *self.waiting]
        chosen = active[part]
        found = Job.objects.select_related(*RELATED).in_bulk(chosen)
        start, stop = max(0, part.start - len(active)), max(0, part.stop - len(active))
        return [*(found[pk] for pk in chosen if pk in found), *self.ended.select_related(*RELATED)[start:stop]]


def by_column(jobs: JobQuerySet, sort: str) -> JobQuerySet | None:
    """In the order of a column; None where `sort` names none."""
    column = SORTS.get(sort.removeprefix("-"))
    if not column:
        return None
    in_order: JobQuerySet = jobs.order_by(f"-{column}" if sort.startswith("-") else column, "-pk")
    return in_order.select_related(*RELATED)


def group(job: Job) -> str:
    """Under which heading the job stands."""
    return ENDED if job.state in TERMINAL else WAITING if job.state == State.QUEUED else RUNNING


def hosts(project: Project) -> list[HostRow]:
    """Every host with its devices and who holds them."""
    found = Host.objects.prefetch_related("leases__job__project", "leases__job__created_by")
    return [HostRow(host, devices(host, project)) for host in found]


def totals(rows: list[HostRow]) -> dict[str, int]:
    """Of the hosts that live how many devices there are, and how many somebody holds."""
    alive = [row for row in rows if row.host.is_alive]
    return {"all": sum(len(row.devices) for row in alive), "held": sum(len(row.devices) - row.free for row in alive)}


def devices(host: Host, project: Project) -> list[Device]:
    held = {lease.index: lease.job for lease in host.leases.all()}
    rows = []
    for index in range(max(host.devices, max(held, default=-1) + 1)):
        job = held.get(index)
        name = host.device_names[index] if index < len(host.device_names) else ""
        rows.append(Device(index, name, job if job and job.project_id == project.pk else None, job is not None))
    return rows
