"""Imports a model by command: the same look and checks as the page, and the work is done here."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from jobs import following
from jobs.models import State
from models_app import commands
from models_app.complaints import OrderRefused
from models_app.imports import drafts
from models_app.imports.layout import BadModel
from models_app.imports.order import ImportOrder
from models_app.models import TrainedModel
from projects_app.commands import ProjectCommand
from projects_app.models import Role


class Command(ProjectCommand):
    """Makes a model, or says why not and leaves nothing behind."""

    help = "Import a model: an archive of weights with its model.json, or what export_model wrote."
    role = Role.DEVELOPER

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add(
            "weights", type=Path, metavar="WEIGHTS", help="A zip, tar or tar.gz with save/checkpoint.pth, or an export."
        )
        add("settings", nargs="?", type=Path, metavar="MODEL_JSON", help="The settings; an export brings its own.")
        add("--kernel", metavar="NAME[@VERSION]", help="By default the one that trained it, else one that fits.")
        add("--name", help="By default what the export says, or the model type and the file.")
        add("--description")

    def work(self, **options: Any) -> None:
        text = _text(options["settings"]) if options["settings"] else ""
        if not options["weights"].is_file():
            raise CommandError(f"{options['weights']}: there is no such file")
        kernel = str(commands.find_kernel(self.project, options["kernel"]).pk) if options["kernel"] else ""
        self.note(f"Unpacking {options['weights'].name} …")
        try:
            draft = drafts.receive(self.project, self.user, options["weights"], text)
        except BadModel as error:
            raise CommandError(str(error)) from error
        try:
            self._import(ImportOrder(draft, draft.settings_text, kernel), options)
        finally:
            drafts.discard(draft)

    def _import(self, order: ImportOrder, options: dict[str, Any]) -> None:
        order.name = (options["name"] or order.proposed_name).strip()
        order.description = order.proposed_description if options["description"] is None else options["description"]
        try:
            job = order.start(self.user)
        except OrderRefused as error:
            raise commands.refusal(error) from error
        for remark in order.remarks:
            self.note(remark)
        if order.kernels and order.kernels.is_brought:
            self.note(f"The kernel {order.kernels.chosen} came along; it is on in this project now.")
        job = following.run_here(job)
        if job.state != State.SUCCEEDED:
            raise CommandError(job.message or f"The import ended as {job.state}.")
        model = TrainedModel.objects.select_related("kernel", "model_type").get(job=job)
        self.answer(
            {
                "model": model.pk,
                "name": model.name,
                "model_type": model.model_type.code,
                "training_type": model.model_type.training_type,
                "kernel": str(model.kernel),
                "classes": model.classes,
                "size": model.size,
                "job": job.pk,
                "state": job.state,
            }
        )


def _text(path: Path) -> str:
    """Raises CommandError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise CommandError(f"{path} cannot be read ({why})") from error
