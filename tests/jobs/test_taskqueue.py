"""When the task queue counts as wedged. With real processes: `tests/faults/test_taskqueue.py`."""

from __future__ import annotations

import time

import pytest
from django.conf import settings
from django_q.brokers import get_broker
from django_q.models import OrmQ

from jobs import broker, tasks
from jobs.models import Host
from jobs.taskqueue import TaskQueue


@pytest.fixture
def started(monkeypatch) -> list[float]:
    """Instead of a cluster of its own, each start is only noted."""
    found: list[float] = []
    monkeypatch.setattr(TaskQueue, "start", lambda self: found.append(self.started))
    return found


@pytest.fixture
def coming_up(host, started) -> TaskQueue:
    """It was replaced before, because this machine is slow; it is not there for longer than three canaries."""
    queue = TaskQueue()
    queue.slowness, queue.started = 8, time.monotonic() - 6 * settings.JOB_CANARY
    return queue


def look(queue: TaskQueue) -> None:
    """When the next canary is due."""
    queue.asked = float("-inf")
    queue.look_after(Host.objects.get())


def deliver() -> None:
    """What the cluster does with the oldest task, up to where it says that it is done."""
    assert get_broker().dequeue()
    tasks.canary()


def test_a_queue_that_came_up_slowly_is_not_replaced_when_it_delivers_at_last(coming_up, started):
    for _ in range(6):
        look(coming_up)
    deliver()
    look(coming_up)
    assert coming_up.slowness == 1
    assert started == []


def test_a_queue_that_delivers_and_never_says_that_it_is_done_is_replaced(coming_up, started):
    for _ in range(4):
        look(coming_up)
        deliver()
    look(coming_up)
    assert len(started) == 1
    assert OrmQ.objects.filter(key=broker.own_queue()).count() == 1


def test_a_canary_that_was_taken_and_lost_is_followed_by_another(coming_up):
    look(coming_up)
    assert get_broker().dequeue()
    look(coming_up)
    assert broker.waits()


def test_a_queue_that_never_delivers_is_replaced_and_given_more_time(coming_up, started):
    coming_up.started -= 8 * 3 * settings.JOB_CANARY
    look(coming_up)
    assert len(started) == 1
    assert coming_up.slowness == 16
