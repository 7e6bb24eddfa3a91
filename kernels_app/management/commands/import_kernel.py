"""Imports a kernel by command: the same job as on the page, done here."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from jobs import following, runfolder
from jobs.models import Job, State
from kernels_app.doctor import words
from kernels_app.imports import work
from kernels_app.imports.git import BadSource, Repository
from kernels_app.imports.order import Order
from projects_app.commands import ProjectCommand
from projects_app.models import Role


class Command(ProjectCommand):
    """Ends with 0 where the kernel is ready."""

    help = "Import a kernel from an archive or a git repository, and try it."
    role = Role.DEVELOPER

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("source", metavar="SOURCE", help="A zip, tar or tar.gz; or the address of a git repository.")
        add("--branch", default="", help="Of the repository; a tag will do.")
        add("--folder", default="", help="Where the kernel lies in the repository.")
        add("--name", default="", help="By default as its kernel.toml says.")
        add("--kernel-version", default="", metavar="VERSION")
        add("--description", default="")
        add("--container", action="store_true", help="Run it in a container, though it has a train.py.")
        add("--base-image", action="store_true", help="It is an image that other kernels are built on.")
        add("--gpu", action="store_true", help="Try it on a GPU, or on a host without one on a CPU slot.")

    def work(self, **options: Any) -> None:
        told = {"name": options["name"], "version": options["kernel_version"], "description": options["description"]}
        told |= {"runs_in": "container"} if options["container"] else {}
        told |= {"type": "base"} if options["base_image"] else {}
        order = Order(self.project, self.user, **told, devices=int(options["gpu"]))
        try:
            job = self._start(order, options)
        except BadSource as error:
            raise CommandError(str(error)) from error
        job = following.run_here(job)
        kernel = work.kernel_of(job)
        log = runfolder.log(job)
        if log.is_file() and not self.as_json:  # there is none where it was cancelled in the queue
            for line in log.read_text(encoding="utf-8").splitlines():
                self.note(line)
        if job.state != State.SUCCEEDED or kernel is None:
            raise CommandError(job.message or f"The import ended as {job.state}.")
        self.answer(
            {
                "kernel": kernel.pk,
                "name": kernel.name,
                "version": kernel.version,
                "digest": kernel.digest,
                "state": kernel.state,
                "training_types": kernel.types,
                "remarks": [str(words.line_of(one).found) for one in kernel.checklist if one["state"] == words.REMARK],
                "job": job.pk,
            }
        )

    def _start(self, order: Order, options: dict[str, Any]) -> Job:
        source = options["source"]
        if "://" in source:
            return order.start_git(Repository(source, options["branch"], options["folder"]))
        if not Path(source).is_file():
            raise CommandError(f"{source}: there is no such file")
        return order.start_archive(Path(source))
