"""Who is next, and on which devices: the claim is one transaction, so that no device is given twice."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import DateTimeField, F, QuerySet, Value
from django.db.models.functions import Coalesce

from jobs import clock, line
from jobs.models import HELD, DeviceKind, Host, Job, Lease, State


def claim_next(host: Host) -> Job | None:
    """Give the first job in the line that fits to `host`; None when none does."""
    with transaction.atomic():
        if _alone(host).is_stale or is_short_of_disk(host):
            return None
        free = free_devices(host)
        functions = settings.JOB_FUNCTIONS - functions_on(host)
        if not free and functions <= 0:
            return None
        blocked, now = False, clock.now()
        for place in line.places():
            if place.needs_devices:
                fits = place.devices <= len(free) and not blocked
                blocked = blocked or waits_too_long(place, host, now)
            else:
                fits = functions > 0
            if fits and (job := _taken(place.pk, host, free[: place.devices])):
                return job
    return None


def claim(job: Job, host: Host) -> bool:
    """Give this very job to `host`, whoever waits before it (`--foreground`); False when its devices are not free."""
    with transaction.atomic():
        if _alone(host).is_stale:
            return False
        free = free_devices(host)
        return job.devices <= len(free) and _take(job, host, free[: job.devices])


def free_devices(host: Host) -> list[int]:
    """Indices of the devices that nobody holds."""
    held = set(Lease.objects.filter(host=host).values_list("index", flat=True))
    return [index for index in range(host.devices) if index not in held]


def functions_on(host: Host) -> int:
    """How many jobs without a device run there."""
    return Job.objects.filter(host=host, state__in=HELD, devices=0).count()


def alive_hosts() -> list[Host]:
    return [host for host in Host.objects.all() if host.is_alive]


def most_devices() -> int:
    """The most devices that one host has: what a training may ask for at all."""
    hosts: QuerySet[Host] = Host.objects.all()
    return max((host.devices for host in hosts), default=settings.TRAINPORTAL_CPU_SLOTS)


def only_cpus() -> bool:
    """Whether no host has a GPU, so that what is counted are CPU slots."""
    return not Host.objects.filter(device_kind=DeviceKind.GPU).exists()


def is_short_of_disk(host: Host) -> bool:
    """Whether a host has less disk left than must be free before anything starts: it waits until there is more."""
    return host.free_bytes < settings.JOB_DISK_FLOOR


def _alone(host: Host) -> Host:
    """Claims on one host go one after the other (SQLite's IMMEDIATE transactions do so anyway); the host as it is."""
    return Host.objects.select_for_update().get(pk=host.pk)


def waits_too_long(place: line.Place, host: Host, now: datetime) -> bool:
    """A job for many devices would starve behind small ones; after a while it keeps them free for itself.

    `now`: of `clock`, asked once for all that wait (it asks the database).
    """
    waited = (now - place.queued_at).total_seconds()
    return place.devices <= host.devices and waited > settings.JOB_PATIENCE


def _taken(pk: int, host: Host, devices: list[int]) -> Job | None:
    job: Job | None = Job.objects.filter(pk=pk, state=State.QUEUED).first()
    return job if job and _take(job, host, devices) else None


def _take(job: Job, host: Host, devices: list[int]) -> bool:
    at = clock.now()
    try:
        with transaction.atomic():
            taken = job.move(
                (State.QUEUED,),
                State.STARTING,
                who=f"worker on {host.name}",
                epoch_up=True,
                host=host,
                lease_until=clock.after(settings.JOB_LEASE),
                started_at=Coalesce(F("started_at"), Value(at, output_field=DateTimeField())),
            )
            if taken:
                Lease.objects.bulk_create(Lease(host=host, index=index, job=job) for index in devices)
            return taken
    except IntegrityError:  # a device was given away in between: the unique constraint had the last word
        return False
