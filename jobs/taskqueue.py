"""The django-q2 cluster as a child of the worker, replaced when it dies or delivers nothing any more."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django_q.models import OrmQ
from django_q.tasks import async_task

from jobs import broker, hosts, tasks
from jobs.enclosure import processes
from jobs.launchers import shim
from jobs.models import Host

log = logging.getLogger(__name__)
SLOWEST = 16  # times as long as usual for one to come up: on a busy machine it would be replaced before it is there
PATIENCE = 2.5  # seconds for the cluster to end by itself: one that is wedged never does


class TaskQueue:
    """Its processes are one group, so that none of them outlives a replacement: each would go on taking tasks."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.started = self.asked = 0.0
        self.proven: datetime | None = None
        self.slowness = 1
        self._file = settings.TRAINPORTAL_HOME / f"worker-{hosts.name()}.tasks"

    def start(self) -> None:
        """Start it where it does not run; what is left of an earlier one is ended first."""
        if self.process is not None and self.process.poll() is None:
            return
        self.kill()
        self.process = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster", "--skip-checks"],  # they take a second
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        with contextlib.suppress(OSError):  # a full disk: then a later worker does not know of it
            shim.write_json(self._file, {"session": self.process.pid, "boot": processes.boot_id()})
        self.started, self.asked = time.monotonic(), 0.0

    def look_after(self, host: Host) -> None:
        now = time.monotonic()
        if host.canary_at != self.proven:
            self.proven, self.slowness = host.canary_at, 1
        if tasks.is_wedged(host, (now - self.started) / self.slowness):
            log.error("the task queue delivers nothing: replacing it")
            self.slowness = min(2 * self.slowness, SLOWEST)
            self.end()
            OrmQ.objects.filter(key=broker.own_queue()).delete()
            self.start()
        if now - self.asked >= settings.JOB_CANARY:
            self.asked = now
            if not broker.waits():  # nobody takes them yet: one is enough to see when somebody does
                async_task("jobs.tasks.canary", cluster=broker.own_queue())

    def end(self) -> None:
        """SIGTERM, and SIGKILL to all of it after a while."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            log.info("the task queue did not end in time")
        self.kill()

    def kill(self) -> None:
        """End what is left of this cluster, or of that which a worker before this one had and could not end."""
        sessions = {self.process.pid} if self.process else self._left_behind()
        members = [pid for pid in processes.processes() if processes.session_of(pid) in sessions] if sessions else []
        processes.send(members, signal.SIGKILL)
        if self.process:
            self.process.wait()

    def _left_behind(self) -> set[int]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            session, boot = int(found["session"]), found["boot"]
        except (OSError, ValueError, KeyError, TypeError):
            return set()
        if boot != processes.boot_id() or session == os.getsid(0):
            return set()
        return {session} if _is_ours(session) else set()


def _is_ours(session: int) -> bool:
    """Whether the processes of a session are those of a task queue: its number may be another's by now."""
    members = [pid for pid in processes.processes() if processes.session_of(pid) == session]
    return any(b"qcluster" in _command_of(pid) for pid in members)


def _command_of(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
