"""What django-q2 delivers: nudges of a second or less, which may come twice, late or never without harm."""

from __future__ import annotations

from django.conf import settings
from django_q.models import OrmQ

from jobs import broker, clock, dispatch, hosts, notices
from jobs.models import Host


def run(job_id: int) -> None:
    """There is something in the queue (`job_id` says what, for the admin's eyes): claim what fits here."""
    dispatch.fill()


def deliver() -> None:
    """Send what lies in the outbox and is due."""
    notices.deliver()


def canary() -> None:
    """Prove that the task queue of this host delivers; its queue is its own."""
    Host.objects.filter(name=hosts.name()).update(canary_at=clock.now())


def is_wedged(host: Host, since_start: float) -> bool:
    """Whether the task queue has delivered nothing for three canaries, or delivers without ever saying so.

    `since_start`: seconds it has been up. A cluster whose idle worker was killed looks alive and does nothing.
    """
    limit = 3 * settings.JOB_CANARY
    if since_start < limit:
        return False
    is_late = host.canary_at is None or (clock.now() - host.canary_at).total_seconds() > limit
    return is_late or OrmQ.objects.filter(key=broker.own_queue()).count() > 3
