"""The portal of one case: real processes on the test's own database, and what is done to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection

from jobs import locks, runfolder
from jobs.enclosure import processes
from jobs.launchers import shim
from jobs.models import Job, State
from models_app.models import TrainedModel
from models_app.orders import TrainOrder
from tests.faults.proxy import Proxy

REPOSITORY = Path(__file__).resolve().parents[2]
WITHIN = 10.0  # seconds for what takes at most 5 on a machine that has nothing else to do
PATIENCE = 90.0  # seconds that a busy machine may take for what takes one
MANY = 100_000  # steps: more than any case waits for; `Portal.finish` ends them
FAST = {
    "POLL": 0.1, "TICK": 0.2, "LEASE": 1.0, "GRACE": 1.5, "RUNNER_LOST": 600, "HOST_LOST": 600, "CANARY": 600,
}  # fmt: skip


@dataclass
class Shop:
    """What a training needs, made once a case."""

    project: Any
    user: Any
    model_type: Any
    kernel: Any
    train: Any
    val: Any


class Standing:
    """A worker that stands from one case of a file to the next, so that not every case waits for one to come up.

    It rests in between: it must not look at a database that is being emptied.
    """

    HOST = "standing"

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def wake(self, portal: Portal) -> None:
        (portal.home / "faults" / f"rest-{self.HOST}").unlink(missing_ok=True)
        if self.process is None or self.process.poll() is not None:
            self.process = portal.worker(self.HOST)

    def rest(self, portal: Portal) -> None:
        if self.process is None:
            return
        word = portal.home / "faults" / f"rests-{self.HOST}"
        word.unlink(missing_ok=True)
        portal.file(f"rest-{self.HOST}", "")
        portal.wait("the standing worker to rest", lambda: word.exists() or self.process.poll() is not None)

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Portal:
    home: Path
    shop: Shop
    standing: Standing = field(default_factory=Standing)
    deadlines: dict[str, float] = field(default_factory=lambda: dict(FAST))
    more: dict[str, str] = field(default_factory=dict)
    models: list[TrainedModel] = field(default_factory=list)
    proxy: Proxy | None = None
    expects_rows: bool = True  # of jobs whose metrics a case spoils on purpose the rows are not compared
    allowed: list[str] = field(default_factory=list)  # violations that a case is about, so that they have to be seen
    is_ablated: bool = False  # others may come of those

    # --- processes ---

    def environment(self, host: str = "alpha") -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TRAINPORTAL_", "DATABASE_", "FAULTS_"))}
        deadlines = {f"TRAINPORTAL_JOB_{name}": str(value) for name, value in self.deadlines.items()}
        return kept | deadlines | {
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings", "TRAINPORTAL_HOME": str(self.home),
            "DATABASE_URL": self._database_url(), "TRAINPORTAL_SECRET_KEY": settings.SECRET_KEY,
            "TRAINPORTAL_HOST_NAME": host, "TRAINPORTAL_LOG_LEVEL": "WARNING",
            "TRAINPORTAL_SANDBOX": os.environ.get("FAULTS_SANDBOX", "auto"),
        } | self.more  # fmt: skip

    def worker(self, host: str = "alpha", *, queue: bool = False, **more: str) -> subprocess.Popen[bytes]:
        argv = ["worker"] if queue else ["worker", "--no-task-queue"]
        return self.start(argv, host=host, **more)

    def tend(self) -> None:
        """Let the worker work that all cases of a file share, where a case wants nothing of it but that it works."""
        self.standing.wake(self)

    def start(self, argv: list[str], *, host: str = "alpha", **more: str) -> subprocess.Popen[bytes]:
        """`manage.py` with these arguments, in a session of its own."""
        with (self.home / f"{argv[0]}-{host}.out").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, str(REPOSITORY / "manage.py"), *argv], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
                env=self.environment(host) | more, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def web(self) -> tuple[subprocess.Popen[bytes], str]:
        """A web server, and its address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        argv = [sys.executable, "-m", "gunicorn", "trainportal.wsgi", "--bind", address, "--threads", "4"]
        with (self.home / "web.out").open("ab") as out:
            process = subprocess.Popen(
                [*argv, "--log-level", "warning", "--no-control-socket"], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
                env=self.environment(), stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        return process, f"http://{address}"

    def said(self) -> str:
        """What its workers, its web and its commands said."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.home.glob("*.out")))

    def all(self) -> list[psutil.Process]:
        """Every process of this case: by its home, which no other process names; not the worker that outlives it."""
        standing = self.standing.process.pid if self.standing.process else 0
        return [process for process in psutil.process_iter() if process.pid != standing and self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        home = str(self.home)
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            environment = process.environ()
            return (
                environment.get("TRAINPORTAL_HOME") == home
                or environment.get("TRAINING_CONFIG", "").startswith(home)
                or any(home in word for word in process.cmdline())
            )
        except psutil.Error:
            return False

    def queue_processes(self, worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The task queue of a worker, its main process first."""
        found: list[psutil.Process] = []
        for main in (p for p in psutil.Process(worker.pid).children() if "qcluster" in words(p)):
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end while it is looked at
                found += [each for each in [main, *main.children(recursive=True)] if words(each)]
        return found

    def runner_of(self, job: Job) -> int:
        """The pid of the runner that has the job now; 0 where none has."""
        lock = runfolder.of(job) / runfolder.RUNNER_LOCK
        try:
            found = json.loads(lock.read_text())
        except (OSError, ValueError):
            return 0
        return found[0] if processes.is_alive(found) and locks.is_held(lock) else 0

    def started(self, job: Job, who: str = "leader") -> int:
        """The pid of the job's `shim` or `leader`; 0 where none was started."""
        try:
            found = json.loads((runfolder.of(job) / shim.STARTED).read_text())
        except (OSError, ValueError):
            return 0
        return found.get(who, [0])[0]

    def kernel_of(self, job: Job) -> int:
        """The pid of the program itself, in or out of a sandbox."""
        leader, init = self.started(job), self.started(job, "init")
        if not init:
            return leader
        return next(iter(processes.children().get(init, [])), 0)

    def kernels(self, job: Job) -> list[psutil.Process]:
        """Every living process of the job's kernel."""
        prefix = str(self.home / "runs" / str(job.pk))
        return [p for p in self.all() if environment(p).get("TRAINING_CONFIG", "").startswith(prefix)]

    # --- what is done to it ---

    def kill_kernels(self, job: Job) -> None:
        """SIGKILL to every living process of the job's kernel; one that was just ending is gone already."""
        _kill(self.kernels(job))

    def kill_all(self) -> None:
        """SIGKILL to everything of the portal."""
        _kill(self.all())

    def train(
        self, *, devices: int = 1, behaviour: str = "good", steps: int = MANY, pause: float = 0.05, **params
    ) -> Job:
        """Queue a training. Without `steps` it goes on until somebody ends it: a case has all the time it needs."""
        shop, count = self.shop, len(self.models) + 1
        params |= {"behaviour": behaviour, "steps": steps, "pause": pause}
        order = TrainOrder(
            shop.project, shop.model_type, shop.kernel, [shop.train], [shop.val], f"model {count}", params,
            devices=devices,
        )  # fmt: skip
        self.models.append(order.start(shop.user))
        return self.models[-1].job

    def point(self, name: str, **what: object) -> None:
        """Let the next process that comes to this point have an accident; see `stub/points.py`."""
        self.file(f"{name}.point", json.dumps(what))

    def file(self, name: str, text: str) -> Path:
        path = self.home / "faults" / name
        path.parent.mkdir(exist_ok=True)
        draft = path.with_name(f".{name}")
        draft.write_text(text)
        draft.replace(path)
        return path

    def happened(self, name: str) -> bool:
        return not (self.home / "faults" / f"{name}.point").exists()

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """The database is away: PostgreSQL takes no connection, SQLite is locked by a writer that does not end."""
        if self.proxy:
            self.proxy.cut()
            yield
            self.proxy.mend()
            return
        writer = sqlite3.connect(connection.settings_dict["NAME"], timeout=60, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            writer.rollback()
            writer.close()

    @contextlib.contextmanager
    def muted(self) -> Iterator[None]:
        """Connections to PostgreSQL stand, and nothing goes through them."""
        assert self.proxy
        self.proxy.mute()
        yield
        self.proxy.mend()

    def freeze(self, pids: list[int]) -> None:
        """SIGSTOP to all of them, none in the middle of a transaction (it would hold rows that others wait for)."""
        while True:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            if _is_free():
                return
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.05)

    # --- what comes of it ---

    @staticmethod
    def wait(what: str, look: Callable[[], Any], patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        while not (found := look()):
            assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
            time.sleep(0.03)
        return found

    def until(self, job: Job, *states: State, patience: float = PATIENCE) -> Job:
        """Wait for one of these states, fail at once on another end."""

        def look() -> bool:
            job.refresh_from_db()
            assert job.state in states or job.is_active, f"{job.state}: {job.message}"
            return job.state in states

        self.wait(f"{states} of job {job.pk}", look, patience)
        return job

    def at_step(self, job: Job, step: int) -> Job:
        """Wait until the portal has heard of this step."""

        def look() -> bool:
            job.refresh_from_db()
            assert job.is_active, f"{job.state}: {job.message}"
            return (job.step or 0) >= step

        self.wait(f"step {step} of job {job.pk}", look)
        return job

    def finish(self, *jobs: Job) -> None:
        """Let kernels come to their good end now, however many steps are left, and wait for it."""
        for job in jobs:
            job.refresh_from_db()
            (runfolder.output(job) / "enough").touch()
        for job in jobs:
            self.until(job, State.SUCCEEDED)

    def end(self, *jobs: Job, patience: float = PATIENCE) -> None:
        for job in jobs:
            self.wait(f"the end of job {job.pk}", lambda: not _fresh(job).is_active, patience)  # noqa: B023

    def close(self) -> None:
        """End every process of it; three times, for what was started meanwhile."""
        self.standing.rest(self)
        for _ in range(3):
            left = self.all()
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=5)
        if self.proxy:
            self.proxy.close()

    def _database_url(self) -> str:
        given = connection.settings_dict
        if connection.vendor == "sqlite":
            return f"sqlite:///{given['NAME']}"
        host, port = (given["HOST"], given["PORT"] or 5432) if not self.proxy else ("127.0.0.1", self.proxy.port)
        return f"postgres://{given['USER']}:{given['PASSWORD']}@{host}:{port}/{given['NAME']}"


def _fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def words(process: psutil.Process) -> list[str]:
    """Its command line; nothing of one that is gone, or a zombie."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _is_free() -> bool:
    """Whether nobody is in the middle of a transaction: of SQLite, whether somebody could write now."""
    if connection.vendor == "postgresql":
        time.sleep(0.3)  # a busy server comes late to what a stopped process has asked
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
            return bool(cursor.fetchone()[0] == 0)
    writer = sqlite3.connect(connection.settings_dict["NAME"], timeout=0.1, isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        writer.rollback()
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        writer.close()


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
