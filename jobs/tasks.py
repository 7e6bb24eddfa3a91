"""What django-q2 delivers: nudges of a second or less, which may come twice, late or never without harm."""

from __future__ import annotations

from django.conf import settings

from jobs import clock, dispatch, notices
from jobs.models import Host


def run(job_id: int) -> None:
    """There is something in the queue (`job_id` says what, for the admin's eyes): claim what fits here."""
    dispatch.fill()


def deliver() -> None:
    """Send what lies in the outbox and is due."""
    notices.deliver()


def canary(host_name: str) -> None:
    """Prove that the task queue of this host delivers."""
    Host.objects.filter(name=host_name).update(canary_at=clock.now())


def canary_is_late(host: Host, since_start: float) -> bool:
    """Whether the task queue has delivered nothing for three canaries. `since_start`: seconds it has been up."""
    limit = 3 * settings.JOB_CANARY
    if since_start < limit:
        return False
    return host.canary_at is None or (clock.now() - host.canary_at).total_seconds() > limit
