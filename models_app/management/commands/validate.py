"""Validates a model by command: the same order and checks as the page."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs.models import State
from models_app import commands
from models_app.complaints import OrderRefused
from models_app.models import Operation, TrainedModel, Validation
from models_app.orders import ValidationOrder
from projects_app import listing
from projects_app.access import require
from projects_app.commands import PortalCommand
from projects_app.models import Role


class Command(PortalCommand):
    """Queues a validation, or says why not."""

    help = "Run a finished model over datasets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("model", help="An id, or a name that only one model has.")
        add("--project", metavar="CODE", help="Where several projects have a model of that name.")
        add("--dataset", required=True, action="append", nargs="+", metavar="NAME", help="Several, or repeat it.")
        add("--operation", default=Operation.VALIDATION, choices=Operation.values)
        add("--kernel", metavar="NAME[@VERSION]", help="By default the one it was trained with.")
        commands.add_follow_arguments(parser)

    def work(self, **options: Any) -> None:
        model = self._model(options["model"], options["project"])
        require(model.project, self.user, Role.LABELLER)
        kernel = commands.find_kernel(model.project, options["kernel"]) if options["kernel"] else model.kernel
        datasets = commands.find_datasets(model.project, options["dataset"])
        try:
            validation = ValidationOrder(model, kernel, datasets, options["operation"]).start(self.user)
        except OrderRefused as error:
            raise commands.refusal(error) from error
        job = commands.follow(validation.job, wait=options["wait"], foreground=options["foreground"])
        summary = Validation.objects.get(pk=validation.pk).summary
        self.answer({"validation": validation.pk, "job": job.pk, "state": job.state, "summary": summary})
        if (options["wait"] or options["foreground"]) and job.state != State.SUCCEEDED:
            raise CommandError(job.message or f"The validation ended as {job.state}.")

    def _model(self, name: str, project: str | None) -> TrainedModel:
        models = TrainedModel.objects.visible_to(self.user).select_related("project", "model_type", "kernel", "job")
        if project:
            models = models.filter(project__code=project)
        found = list(models.filter(name=name)[:2]) or list(models.filter(pk=listing.whole(name) or 0))
        if not found:
            raise CommandError(f"There is no model {name!r}.")
        if len(found) > 1:
            raise CommandError(f"Several models are named {name!r}: add --project, or give the id.")
        return found[0]
