"""Datasets go out by command: the same writers as on the page, and what the format lost is said."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from datasets_app import export_words, exporting
from datasets_app.formats.writing import WRITERS
from datasets_app.models import Dataset
from projects_app.commands import ProjectCommand
from projects_app.models import Role, TrainingType


class Command(ProjectCommand):
    """Writes one archive, whole or not at all."""

    help = "Export datasets with their images and labels as one archive; several become its splits."
    role = Role.LABELLER

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", nargs="+", metavar="NAME", help="Of the datasets.")
        parser.add_argument("--format", required=True, choices=sorted(WRITERS))
        parser.add_argument(
            "--training-type", choices=TrainingType.values, help="By default that with the most labels."
        )
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="The zip to write.")

    def work(self, **options: Any) -> None:
        datasets, output = self._datasets(options["names"]), options["output"].absolute()
        asked = datasets, options["format"], options["training_type"]
        if not output.parent.is_dir():
            raise CommandError(f"{output.parent}: there is no such folder")
        try:
            lost = exporting.losses(*asked)
            images = exporting.write(*asked, output)
        except exporting.ExportRefused as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{output} cannot be written ({error})") from error
        for loss in lost:
            self.note(f"{export_words.sentence(loss)} ({loss.count})")
        losses = {loss.code: loss.count for loss in lost}
        answer = {"file": str(output), "format": options["format"], "images": images, "losses": losses}
        self.answer(answer, text=f"{output}: {images} images")

    def _datasets(self, names: list[str]) -> list[Dataset]:
        """In the order they were named. Raises CommandError."""
        found = {one.name: one for one in Dataset.objects.filter(project=self.project, name__in=names)}
        if missing := [name for name in names if name not in found]:
            raise CommandError(f"There is no dataset {', '.join(missing)} in {self.project.code}")
        return [found[name] for name in dict.fromkeys(names)]
