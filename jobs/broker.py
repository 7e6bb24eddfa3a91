"""How tasks reach a host: those for whoever comes first, and those for this host alone (its canary)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from jobs import hosts


def own_queue() -> str:
    """The queue that only this host's cluster takes from."""
    return f"host:{hosts.name()}"[:100]


def waits() -> bool:
    """Whether something in it was not taken yet. What was taken stays there, locked, until it is done."""
    waiting: bool = OrmQ.objects.filter(key=own_queue(), lock__lte=timezone.now()).exists()
    return waiting


class Broker(ORM):
    """django-q2's broker on the database, with two queues instead of one, the oldest task first."""

    def dequeue(self) -> list[tuple[int, str]] | None:
        waiting: Any = self.get_connection().filter(key__in=(self.list_key, own_queue()), lock__lt=timezone.now())
        for task in waiting.order_by("pk")[: Conf.BULK]:
            until = timezone.now() + timedelta(seconds=Conf.RETRY)
            if OrmQ.objects.filter(pk=task.pk, lock=task.lock).update(lock=until):  # else another was faster
                return [(task.pk, task.payload)]
        time.sleep(Conf.POLL)
        return None
