"""Exports a model by command: the same archive as the page, written here and copied to where it is wanted."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from jobs import following
from jobs.models import State
from models_app import commands, exporting
from models_app.models import ModelExport
from projects_app.access import require
from projects_app.commands import PortalCommand
from projects_app.models import Role


class Command(PortalCommand):
    """Writes one archive, whole or not at all."""

    help = "Export a finished model with everything about it, for another installation or for keeping."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        commands.add_model_arguments(parser)
        parser.add_argument("--output", type=Path, metavar="FILE", help="By default the model's name, here.")

    def work(self, **options: Any) -> None:
        model = commands.find_model(self.user, options["model"], options["project"])
        require(model.project, self.user, Role.DEVELOPER)
        output = options["output"]
        if output and not output.absolute().parent.is_dir():
            raise CommandError(f"{output.absolute().parent}: there is no such folder")
        try:
            started = exporting.start(model, self.user)
        except exporting.ExportRefused as error:
            raise CommandError(str(error)) from error
        job = following.run_here(started.job)
        if job.state != State.SUCCEEDED:
            raise CommandError(job.message or f"The export ended as {job.state}.")
        export = ModelExport.objects.select_related("model", "job").get(pk=started.pk)
        target = (output or Path(export.file_name)).absolute()
        target = target / export.file_name if target.is_dir() else target
        _copy(export.path, target)
        self.answer({"model": model.pk, "file": str(target), "size": export.size, "job": job.pk, "state": job.state})


def _copy(source: Path, target: Path) -> None:
    """All of it or nothing. Raises CommandError."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(source, draft)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CommandError(f"{target} cannot be written ({error.strerror})") from error
