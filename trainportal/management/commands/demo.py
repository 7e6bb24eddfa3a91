"""`make run`: database, demo project, web and worker, all in one, until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from jobs.models import Job
from kernels_app import registry, schema
from kernels_app.models import Kernel
from models_app.models import TrainedModel
from models_app.orders import TrainOrder
from projects_app.models import Membership, ModelType, Project, Role, User

CODE = "demo"
PARAMS = {"epochs": 2}  # of the first training: it shall end within a minute on two cores


class Command(BaseCommand):
    """Starts everything a fresh clone needs to be looked at."""

    help = "Prepare the demo project and run web and worker together on this machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--prepare", action="store_true", help="Only prepare the database and the demo project.")

    def handle(self, *, port: int, prepare: bool, **options: object) -> None:
        if not prepare and not _is_free(port):
            raise CommandError(f"Port {port} is taken. Choose another: make run PORT={port + 1}")
        _migrate()
        password = self._prepare()
        if prepare:
            return
        self.stdout.write(f"\n  http://127.0.0.1:{port}/   user: demo   password: {password}\n\n  Ctrl-C stops it.\n\n")
        self.stdout.flush()
        _run(port)
        running = Job.objects.active().count()
        if running:
            self.stdout.write(f"{running} job(s) not ended: what runs goes on, `make run` shows it again.")

    def _prepare(self) -> str:
        """The demo project where it is not there yet; returns the demo user's password."""
        kept = settings.TRAINPORTAL_HOME / "demo_password"
        if not kept.exists():
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(6), encoding="utf-8")
        password = kept.read_text(encoding="utf-8").strip()
        if not TrainedModel.objects.filter(project__code=CODE).exists():
            self.stdout.write("Drawing the demo data …")
            self.stdout.flush()
            with transaction.atomic():
                _start_training(*_make_project(password))
        return password


def _migrate() -> None:
    """Bring the database up to date; where it is, only the bundled kernels are looked at, which takes no second."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
    else:
        registry.register_bundled()


def _make_project(password: str) -> tuple[Project, User]:
    project, _created = Project.objects.get_or_create(code=CODE, defaults={"name": "Demo: metal plates"})
    user, created = User.objects.get_or_create(username="demo", defaults={"is_superuser": True, "is_staff": True})
    if created:
        user.set_password(password)
        user.save()
    Membership.objects.get_or_create(project=project, user=user, defaults={"role": Role.MANAGER})
    from datasets_app.demo import seed  # here, since it imports what only drawing and importing need: a second

    seed.make_demo(project, user)
    return project, user


def _start_training(project: Project, user: User) -> None:
    """Queue one real training, so that the first page shows it live."""
    kernel = Kernel.objects.on_in(project).for_training_type("CL").newest().first()
    model_type = ModelType.objects.get(project=project, code="PLATE_CL")
    if kernel is None:
        raise CommandError("No kernel for classification is registered: run manage.py migrate.")
    known = schema.params_schema(kernel.schema).get("properties", {})
    TrainOrder(
        project=project,
        model_type=model_type,
        kernel=kernel,
        train=[project.datasets.get(name="plates-train")],
        validation=[project.datasets.get(name="plates-val")],
        name="PLATE_CL-demo-1",
        description="The first training of the demo, on plates that the portal draws itself.",
        params=schema.defaults(kernel.schema) | {name: value for name, value in PARAMS.items() if name in known},
    ).start(user)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _run(port: int) -> None:
    """Web and worker, until a signal comes or one of them ends."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    web = [sys.executable, "-m", "gunicorn", "trainportal.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "6"]
    web += ["--chdir", str(settings.BASE_DIR), "--log-level", "warning", "--timeout", "300", "--no-control-socket"]
    commands = (web, [*manage, "worker"])
    ending = False

    def end(number: int, frame: object) -> None:
        nonlocal ending
        ending = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    children = [subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL) for argv in commands]
    while not ending and all(child.poll() is None for child in children):
        time.sleep(0.2)
    for child in children:
        if child.poll() is None:
            os.kill(child.pid, signal.SIGTERM)
    for child in children:
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
