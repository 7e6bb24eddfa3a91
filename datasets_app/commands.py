"""What the commands that change a dataset share."""

from __future__ import annotations

from abc import abstractmethod
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from datasets_app.changing import ChangeRefused
from datasets_app.models import Dataset
from datasets_app.plans import ImportRefused
from projects_app.commands import ProjectCommand
from projects_app.models import Role


class DatasetCommand(ProjectCommand):
    """A command about one dataset, named first. Write `change`."""

    role = Role.LABELLER

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="Of the dataset.")

    def work(self, **options: Any) -> None:
        try:
            self.change(self.find(options["name"]), options)
        except (ChangeRefused, ImportRefused) as error:
            raise CommandError(str(error)) from error

    @abstractmethod
    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        """Do it, and answer. Raises ChangeRefused, ImportRefused, CommandError."""

    def find(self, name: str) -> Dataset:
        """The dataset of the project with this name. Raises CommandError."""
        found = Dataset.objects.select_related("project").filter(project=self.project, name=name).first()
        if found is None:
            raise CommandError(f"There is no dataset {name} in {self.project.code}")
        return found
