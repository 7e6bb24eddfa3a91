"""The one command of a worker host."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from types import FrameType

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django_q.tasks import async_task

from jobs import chores, dispatch, hosts, locks, reaper, tasks
from jobs.models import Host

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run jobs on this host: the task queue as a child, and a tick that claims, adopts and looks after jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-task-queue", action="store_true", help="tick only, without the django-q2 cluster")

    def handle(self, *, no_task_queue: bool, **options: object) -> None:
        lock = settings.TRAINPORTAL_HOME / f"worker-{settings.TRAINPORTAL_HOST_NAME}.lock"
        try:
            with locks.hold(lock):
                Worker(TaskQueue() if not no_task_queue else None).run()
        except locks.Busy as error:
            raise CommandError(f"A worker runs on {settings.TRAINPORTAL_HOST_NAME} already.") from error


class Worker:
    """Ticks until it is told to end. Runners and kernels live on without it."""

    def __init__(self, queue: TaskQueue | None) -> None:
        self.queue = queue
        self.ending = threading.Event()
        self.swept = -chores.PAUSE
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                try:
                    self.tick()
                except DatabaseError as error:
                    log.warning("the database does not answer: %s", error)
                    connections.close_all()
                except Exception:  # a full disk, say: the next tick may do better, and somebody must tick
                    log.exception("this tick went wrong")
                self.ending.wait(settings.JOB_TICK)
        finally:
            if self.queue:
                self.queue.end()

    def tick(self) -> None:
        host = hosts.beat()
        if self.queue:
            self.queue.look_after(host.name)
        reaper.look_after(host)
        reaper.give_up_lost_hosts()
        dispatch.fill(host)
        if time.monotonic() - self.swept >= chores.PAUSE:
            self.swept = time.monotonic()
            chores.do_all()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.ending.set()


class TaskQueue:
    """The django-q2 cluster as a child, replaced when it dies or delivers nothing any more."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.started = self.asked = 0.0

    def look_after(self, host_name: str) -> None:
        now = time.monotonic()
        if self.process is None or self.process.poll() is not None:
            self._start()
        elif self._is_wedged():
            log.error("the task queue delivers nothing: replacing it")
            self.end()
            self._start()
        if now - self.asked >= settings.JOB_CANARY:
            self.asked = now
            async_task("jobs.tasks.canary", host_name)

    def end(self) -> None:
        """SIGTERM, and SIGKILL to the whole group after three seconds: a wedged cluster never ends by itself."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            log.info("the task queue did not end in time")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started = time.monotonic()

    def _is_wedged(self) -> bool:
        host = Host.objects.filter(name=settings.TRAINPORTAL_HOST_NAME).first()
        return host is not None and tasks.canary_is_late(host, time.monotonic() - self.started)
