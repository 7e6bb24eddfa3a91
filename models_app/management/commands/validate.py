"""Validates a model by command: the same order and checks as the page."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs.models import State
from models_app import commands
from models_app.complaints import OrderRefused
from models_app.models import Operation, Validation
from models_app.orders import ValidationOrder
from projects_app.access import require
from projects_app.commands import PortalCommand
from projects_app.models import Role


class Command(PortalCommand):
    """Queues a validation, or says why not."""

    help = "Run a finished model over datasets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        commands.add_model_arguments(parser)
        add("--dataset", required=True, action="append", nargs="+", metavar="NAME", help="Several, or repeat it.")
        add("--operation", default=Operation.VALIDATION, choices=Operation.values)
        add("--kernel", metavar="NAME[@VERSION]", help="By default the one it was trained with.")
        commands.add_follow_arguments(parser)

    def work(self, **options: Any) -> None:
        model = commands.find_model(self.user, options["model"], options["project"])
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
