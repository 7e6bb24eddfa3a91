"""The one command of a worker host."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, connections
from django_q.tasks import async_task

from jobs import chores, dispatch, hosts, locks, outbox, reaper
from jobs.models import Host
from jobs.taskqueue import TaskQueue
from jobs.watching import Watch

log = logging.getLogger(__name__)
LEAVE = 4.0  # seconds from SIGTERM to an end that waits for nothing more, not for a database that does not answer
NUDGE = 5.0  # seconds from one nudge to send notices to the next


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # they load every page; `check` and the web do so anyway
    help = "Run jobs on this host: the task queue as a child, and a tick that claims, adopts and looks after jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-task-queue", action="store_true", help="tick only, without the django-q2 cluster")

    def handle(self, *, no_task_queue: bool, **options: object) -> None:
        lock = settings.TRAINPORTAL_HOME / f"worker-{hosts.name()}.lock"
        try:
            with locks.hold(lock):
                Worker(TaskQueue() if not no_task_queue else None).run()
        except locks.Busy as error:
            raise CommandError(f"A worker runs on {hosts.name()} already.") from error


class Worker:
    """Ticks until it is told to end. Runners and kernels live on without it."""

    def __init__(self, queue: TaskQueue | None) -> None:
        self.queue = queue
        self.watch = Watch()
        self.has_arrived = False
        self.ending = threading.Event()
        self.swept = -chores.PAUSE
        self.nudged = -NUDGE
        self._listen()

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                try:
                    self.tick()
                except (DatabaseError, InterfaceError) as error:
                    log.warning("the database does not answer: %s", error)
                    connections.close_all()
                except Exception:  # a full disk, say: the next tick may do better, and somebody must tick
                    log.exception("this tick went wrong")
                self.ending.wait(settings.JOB_TICK)
        finally:
            if self.queue:
                self.queue.end()

    def tick(self) -> None:
        reaper.end_stuck_runners(self.watch)
        if self.queue:
            self.queue.start()
        known = Host.objects.filter(name=hosts.name()).first()
        host = hosts.beat()
        if not self.has_arrived:
            reaper.after_restart(host, known.boot_id if known else "")
        if host.is_stale or not self.has_arrived:
            reaper.sweep(host)
        self.has_arrived = True
        if self.queue:
            self.queue.look_after(host)
        reaper.look_after(host, self.watch)
        reaper.give_up_lost_hosts(host, self.watch)
        dispatch.fill(host)
        if time.monotonic() - self.swept >= chores.PAUSE:
            self.swept = time.monotonic()
            chores.do_all()
        self._send_notices()

    def _send_notices(self) -> None:
        """What the task queue was not told of, or what is to be tried again; it sends, this tick only looks."""
        now = time.monotonic()
        if now - self.nudged >= NUDGE and outbox.is_any_due():
            self.nudged = now
            async_task("jobs.tasks.deliver")

    def _listen(self) -> None:
        """In a thread of its own: one that waits for a locked database would not hear of a signal before its answer."""
        heard, say = os.pipe()
        os.set_blocking(say, False)
        signal.set_wakeup_fd(say, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: None)
        threading.Thread(target=self._await_end, args=(heard,), daemon=True).start()

    def _await_end(self, heard: int) -> None:
        os.read(heard, 1)
        self.ending.set()
        time.sleep(LEAVE)
        log.warning("ending without waiting any longer")
        if self.queue:
            self.queue.kill()
        os._exit(0)
