"""Trains a model by command: the same order and checks as the form."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from jobs import charts
from jobs.models import State
from kernels_app import jsontext, schema
from models_app import commands
from models_app.complaints import OrderRefused
from models_app.names import propose_name
from models_app.orders import TrainOrder
from projects_app.commands import ProjectCommand
from projects_app.models import Role


class Command(ProjectCommand):
    """Queues a training, or says why not and leaves nothing behind."""

    help = "Train a model."
    role = Role.LABELLER

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--kernel", required=True, metavar="NAME[@VERSION]")
        add("--model-type", required=True, metavar="CODE")
        add("--train", required=True, action="append", nargs="+", metavar="DATASET", help="Several, or repeat it.")
        add("--validation", required=True, action="append", nargs="+", metavar="DATASET")
        add("--name", help="By default it is proposed from the type, the dataset and a number.")
        add("--description", default="")
        add("--params", default="{}", metavar="JSON|@FILE", help="Over the defaults of the kernel's schema.")
        add("--gpus", type=int, default=1, metavar="N", help="Devices: GPUs, or CPU slots on a host without one.")
        commands.add_follow_arguments(parser)

    def work(self, **options: Any) -> None:
        order = self._order(options)
        try:
            model = order.start(self.user)
        except OrderRefused as error:
            raise commands.refusal(error) from error
        job = commands.follow(model.job, wait=options["wait"], foreground=options["foreground"])
        metrics = {
            chart: {curve: {"last": row["last"], "best": row["best"]} for curve, row in curves.items()}
            for chart, curves in charts.best_and_last(job, model.goals).items()
        }
        self.answer({"model": model.pk, "name": model.name, "job": job.pk, "state": job.state, "metrics": metrics})
        if (options["wait"] or options["foreground"]) and job.state != State.SUCCEEDED:
            raise CommandError(job.message or f"The training ended as {job.state}.")

    def _order(self, options: dict[str, Any]) -> TrainOrder:
        kernel = commands.find_kernel(self.project, options["kernel"])
        model_type = commands.find_model_type(self.project, options["model_type"])
        train = commands.find_datasets(self.project, options["train"])
        return TrainOrder(
            project=self.project,
            model_type=model_type,
            kernel=kernel,
            train=train,
            validation=commands.find_datasets(self.project, options["validation"]),
            name=options["name"] or propose_name(self.project, model_type, train),
            description=options["description"],
            params=schema.defaults(kernel.schema) | _params(options["params"]),
            devices=options["gpus"],
        )


def _params(text: str) -> dict[str, Any]:
    """The JSON object in `text`, or in the file after `@`. Raises CommandError with the place."""
    try:
        source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise CommandError(f"--params: {text[1:]} cannot be read ({why})") from error
    found = jsontext.read(source)
    if found.error:
        raise CommandError(f"--params: this is not JSON: line {found.error.line}: {found.error.message}")
    if not isinstance(found.value, dict):
        raise CommandError("--params: a JSON object is needed, like '{\"epochs\": 5}'")
    return jsontext.settings_of(found.value)
