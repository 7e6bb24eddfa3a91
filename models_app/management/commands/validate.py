"""Validates a model by command: the same order and checks as the page."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs.models import Job, State
from models_app import commands
from models_app.complaints import OrderRefused
from models_app.models import Operation, TrainedModel, Validation
from models_app.orders import ValidationOrder
from models_app.validation_form import usual_score
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
        add("--min-score", type=float, metavar="0..1", help="Inference: shapes that score less become no label.")
        commands.add_follow_arguments(parser)

    def work(self, **options: Any) -> None:
        model = commands.find_model(self.user, options["model"], options["project"])
        require(model.project, self.user, Role.LABELLER)
        kernel = commands.find_kernel(model.project, options["kernel"]) if options["kernel"] else model.kernel
        datasets = commands.find_datasets(model.project, options["dataset"])
        least = self._least(model, options["min_score"])
        try:
            validation = ValidationOrder(model, kernel, datasets, options["operation"], least).start(self.user)
        except OrderRefused as error:
            raise commands.refusal(error) from error
        job = commands.follow(validation.job, wait=options["wait"], foreground=options["foreground"])
        self.answer(_facts(Validation.objects.select_related("result", "project").get(pk=validation.pk), job))
        if (options["wait"] or options["foreground"]) and job.state != State.SUCCEEDED:
            raise CommandError(job.message or f"The validation ended as {job.state}.")

    @staticmethod
    def _least(model: TrainedModel, given: float | None) -> float | None:
        if given is None:
            return usual_score(model)
        if not 0 <= given <= 1:
            raise CommandError(f"--min-score: a number from 0 to 1 is needed; you gave {given:g}.")
        return given


def _facts(validation: Validation, job: Job) -> dict[str, Any]:
    """`figures`: computed here; `summary`: what the kernel says. Both are empty, and `result` null, before the end."""
    kept = ("matrix", "classes", "labels")
    result = validation.result
    return {
        "validation": validation.pk,
        "job": job.pk,
        "state": job.state,
        "operation": validation.operation,
        "figures": {name: value for name, value in validation.figures.items() if name not in kept},
        "summary": validation.summary,
        "result": {"dataset": result.pk, "name": result.name, "images": result.images.count()} if result else None,
        "faults": validation.faults,
    }
