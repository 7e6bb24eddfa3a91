"""A portal of the bench's own: a small project, the real web and worker as processes, and a user who is logged in."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from bench import kernel, processes
from bench.options import Options
from bench.table import MeasurementFailed
from bench.web import Browser, FormFields, query
from datasets_app.demo import seed
from jobs import runfolder
from jobs.models import Host, Job, State
from kernels_app.models import Kernel
from models_app.models import TrainedModel
from projects_app.models import Membership, ModelType, Project, Role, User

CODE = "bench"
PATIENCE = 60.0  # seconds for anything that takes a moment
T = TypeVar("T")


class Portal:
    """What a bench measures: starts and stops it, trains in it as a user does, and waits."""

    def __init__(self, home: Path, project: Project, kernel: Kernel, password: str, options: Options) -> None:
        self.home, self.project, self.kernel, self.options = home, project, kernel, options
        self.port = _free_port()
        self.browser = Browser(self.port)
        self.base = f"/p/{CODE}"
        self._password = password
        self._children: list[subprocess.Popen[bytes]] = []
        self._trained = 0

    @staticmethod
    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    # --- its processes ---

    def start(self) -> None:
        """Web and worker, where they do not run yet; returns when both answer and the task queue delivers."""
        if self._children:
            return
        began = timezone.now()
        web = [sys.executable, "-m", "gunicorn", "trainportal.wsgi", "--bind", f"127.0.0.1:{self.port}"]
        web += ["--threads", "6", "--chdir", str(settings.BASE_DIR), "--log-level", "warning", "--timeout", "300"]
        worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"]
        self._children = [self._spawn([*web, "--no-control-socket"], "web"), self._spawn(worker, "worker")]
        self.await_("the web to answer", self._answers)
        hosts = Host.objects.filter(canary_at__gte=began)
        self.await_("the task queue to deliver", lambda: hosts.exists() or None)
        if not self.browser.cookies:
            self._log_in()

    def _spawn(self, argv: list[str], name: str) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C is for the bench, which ends its processes itself."""
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.home
            )

    def _answers(self) -> bool | None:
        try:
            return self.browser.get("/healthz").status == 200 or None
        except OSError:
            self.browser.close()
            return None

    def stop(self) -> None:
        """Web and worker; runners and kernels live on."""
        self.browser.close()
        processes.end([psutil.Process(child.pid) for child in self._children if child.poll() is None], 10)
        for child in self._children:
            child.wait()
        self._children = []

    def kill(self) -> None:
        """Everything, at once."""
        processes.kill_all(self.home)
        for child in self._children:
            child.wait()

    def last_words(self, lines: int = 12) -> str:
        """The end of what web and worker logged: why something went wrong."""
        logs = [self.home / "web.log", self.home / "worker.log"]
        told = [log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:] for log in logs if log.exists()]
        return "\n".join(line for part in told for line in part)

    # --- what its user does ---

    def _log_in(self) -> None:
        form = FormFields(self.browser.get("/login/").body.decode())
        answer = self.browser.post("/login/", form.changed({"username": "bench", "password": self._password}))
        if answer.status != 302:
            raise MeasurementFailed(f"logging in was answered with {answer.status}")

    def form(self, kernel: Kernel | None = None, params: dict[str, object] | None = None) -> list[tuple[str, str]]:
        """The training form, opened and filled in; all that is left is to press *Start training*."""
        kernel = kernel or self.kernel
        sets = {name: self.project.datasets.get(name=f"{seed.NAME}-{name}").pk for name in ("train", "val")}
        model_type = ModelType.objects.get(project=self.project, code="PLATE_CL").pk
        chosen = {"model_type": model_type, "kernel": kernel.pk, "train": sets["train"], "validation": sets["val"]}
        page = self.browser.get(f"{self.base}/models/train/?{query(**chosen)}")
        if page.status != 200:
            raise MeasurementFailed(f"the page with the training form was answered with {page.status}")
        self._trained += 1
        typed = {f"params.{name}": str(value) for name, value in (params or {}).items()}
        return FormFields(page.body.decode(), "train").changed({"name": f"bench {self._trained}"} | typed)

    def press_start(self, form: list[tuple[str, str]]) -> Job:
        """Post the form. Raises MeasurementFailed where no training came of it."""
        answer = self.browser.post(f"{self.base}/models/train/", form)
        if answer.status != 302:
            raise MeasurementFailed(f"the training form was answered with {answer.status}")
        model = TrainedModel.objects.select_related("job").get(pk=answer.location.rstrip("/").split("/")[-1])
        return model.job

    def cancel(self, job: Job) -> None:
        """Press *Cancel*, and wait for the end."""
        token = [("csrfmiddlewaretoken", self.browser.cookies["csrftoken"])]
        self.browser.post(f"{self.base}/jobs/{job.pk}/cancel/", token)
        self.await_(f"job {job.pk} to stop", lambda: not Job.objects.get(pk=job.pk).is_active or None)

    def model_page(self, job: Job) -> str:
        """The path of the page that shows the job's model."""
        return f"{self.base}/models/{TrainedModel.objects.get(job=job).pk}/"

    # --- what it has ---

    def folder(self, job: Job) -> Path:
        return runfolder.of(job)

    def ended(self, job: Job, patience: float = PATIENCE) -> Job:
        """The job after its end. Raises MeasurementFailed where it did not succeed."""
        self.await_(f"job {job.pk} to end", lambda: not Job.objects.get(pk=job.pk).is_active or None, patience)
        job.refresh_from_db()
        if job.state != State.SUCCEEDED:
            raise MeasurementFailed(f"job {job.pk} ended as {job.state}: {job.message}")
        return job

    @staticmethod
    def await_(what: str, look: Callable[[], T | None], patience: float = PATIENCE, pause: float = 0.1) -> T:
        """What `look` finds. Raises MeasurementFailed where it finds nothing in time."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(pause)
        raise MeasurementFailed(f"waited {patience:.0f} s for {what}")


@contextmanager
def prepared(options: Options) -> Iterator[Portal]:
    """A portal with the demo's data and the bench's kernel, not started yet; nothing of it is left at the end."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    project = Project.objects.create(code=CODE, name="Bench")
    password = secrets.token_urlsafe(12)
    user = User.objects.create_user("bench", password=password)
    Membership.objects.create(project=project, user=user, role=Role.LABELLER)
    seed.make_demo(project, user)
    portal = Portal(settings.TRAINPORTAL_HOME, project, kernel.register(), password, options)
    try:
        yield portal
    finally:
        portal.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
