"""What else a training needs: disk, devices, and its place in the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from jobs import clock, line
from jobs.models import DeviceKind, Host, Lease
from models_app.preflight.earlier import number
from projects_app.models import Project

MB = 2**20


@dataclass(frozen=True)
class Disk:
    """Bytes: what will be kept, what is used only while it runs, what is free where it can run (None: no worker)."""

    results: int
    temporary: int
    free: int | None

    @property
    def need(self) -> int:
        return self.results + self.temporary


@dataclass(frozen=True)
class Place:
    """Its place in the queue, were it started now."""

    waiting: int = 0
    running: int = 0
    at_once: bool = False
    has_worker: bool = True

    @property
    def ahead(self) -> int:
        return self.waiting + self.running


def kind(hosts: Sequence[Host]) -> str:
    """The devices that it will run on."""
    return DeviceKind.GPU if any(host.device_kind == DeviceKind.GPU for host in hosts) else DeviceKind.CPU


def free(devices: int, hosts: Sequence[Host]) -> int | None:
    """Bytes, where most are of the hosts that have the devices."""
    return max((host.free_bytes for host in hosts if host.devices >= devices), default=None)


@dataclass(frozen=True)
class Kept:
    """Bytes of results that stay, and of those that go again."""

    stay: int
    go: int


def kept(size: int, trainings: int, together: int, best: int | None) -> Kept:
    """Of `trainings` with results of this `size`, where the checkpoints of the `best` so many are kept, or all.

    What is not among the best goes when its training ends: so many beside the best as run at a time.
    """
    stay = min(trainings, best or trainings)
    return Kept(size * stay, size * (min(trainings, stay + together) - stay))


def decoded(params: dict[str, Any], images: int) -> int:
    """Bytes of the images that a kernel with the setting `cache_mb` keeps decoded while it runs, at most.

    The images themselves take no room: a run sees second names of the kept files.
    """
    budget = MB * (number(params.get("cache_mb")) or 0)
    side = number(params.get("image_size"))
    return int(budget if side is None else min(budget, images * side * side * 3))


def place(project: Project, devices: int, hosts: Sequence[Host]) -> Place:
    """Who is before a job for so many devices; one for fewer than the others want may start before them."""
    before, running = line.before_a_new_one(project.pk)
    if not hosts:
        return Place(len(before), has_worker=False)
    held: dict[int, int] = {}
    for host in Lease.objects.values_list("host", flat=True):
        held[host] = held.get(host, 0) + 1
    most = max(host.devices - held.get(host.pk, 0) for host in hosts)
    latest = clock.after(-settings.JOB_PATIENCE)
    blocked = any(one.devices <= most or one.queued_at < latest for one in before)
    if most >= devices and not blocked:
        return Place(at_once=True)
    return Place(len(before), running)
