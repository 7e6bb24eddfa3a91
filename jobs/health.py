"""Whether the portal does its work, in numbers without names: nobody logs in to ask."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Min, Q

from jobs import clock
from jobs.models import HELD, Host, Job, State

DOWN: dict[str, Any] = {"status": "down", "database": False, "worker": False}


def facts() -> dict[str, Any]:
    """`status`: "ok"; "degraded" where jobs wait for a machine or a person; "down" without the database."""
    try:
        return _facts()
    except DatabaseError:
        connection.close()  # the next look starts afresh
        return DOWN


def _facts() -> dict[str, Any]:
    now = clock.now()
    hosts = list(Host.objects.all())
    alive = [host for host in hosts if host.is_alive]
    canaries = [host.canary_at for host in alive if host.canary_at]
    delivers = any((now - at).total_seconds() <= 3 * settings.JOB_CANARY for at in canaries)
    waiting = Q(state=State.QUEUED)
    jobs = Job.objects.active().aggregate(
        running=Count("pk", filter=Q(state__in=HELD)),
        waiting=Count("pk", filter=waiting),
        since=Min("queued_at", filter=waiting),
        late=Count("pk", filter=Q(state__in=HELD, lease_until__lt=now)),
    )
    return {
        "status": "ok" if alive and delivers and not jobs["late"] else "degraded",
        "database": True,
        "worker": bool(alive),
        "workers_alive": len(alive),
        "workers_silent": len(hosts) - len(alive),
        "heartbeat_age": _age(now, max((host.seen_at for host in hosts), default=None)),
        "task_queue": delivers,
        "canary_age": _age(now, max(canaries, default=None)),
        "jobs_running": jobs["running"],
        "jobs_waiting": jobs["waiting"],
        "longest_wait": _age(now, jobs["since"]),
        "jobs_late": jobs["late"],
    }


def _age(now: datetime, at: datetime | None) -> float | None:
    """Seconds since then; a clock that is ahead counts as now."""
    return round(max(0.0, (now - at).total_seconds()), 1) if at else None
