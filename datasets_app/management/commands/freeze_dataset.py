"""Freeze a dataset, or lift that, by command."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from datasets_app import changing
from datasets_app.commands import DatasetCommand
from datasets_app.models import Dataset
from projects_app.access import require
from projects_app.models import Role


class Command(DatasetCommand):
    """Freezes, or lifts with `--lift`."""

    help = "Freeze a dataset: nothing changes it any more, until a manager lifts that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--lift", action="store_true", help="Let it be changed again; needs a manager.")

    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        if options["lift"]:
            require(self.project, self.user, Role.MANAGER)
            changing.lift(dataset)
        else:
            changing.freeze(dataset, self.user)
        dataset.refresh_from_db()
        text = f"{dataset.name}: {'frozen' if dataset.frozen_at else 'can be changed'}"
        self.answer({"dataset": dataset.name, "frozen_at": dataset.frozen_at}, text=text)
