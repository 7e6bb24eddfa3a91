"""Chosen images of a dataset go, by command."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from datasets_app import removing
from datasets_app.commands import DatasetCommand
from datasets_app.models import Dataset


class Command(DatasetCommand):
    """Removes all of them or none."""

    help = "Remove images from a dataset, with their labels and the bytes that nobody else holds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("images", nargs="+", metavar="IMAGE", help="Names as they stand in the dataset.")

    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        found = dict(dataset.images.filter(name__in=options["images"]).values_list("name", "pk"))
        if missing := [name for name in options["images"] if name not in found]:
            raise CommandError(f"There is no image {', '.join(missing)} in {dataset.name}")
        count, freed = removing.remove(dataset, list(found.values()))
        text = f"{dataset.name}: {count} images removed, {freed} bytes free"
        self.answer({"dataset": dataset.name, "removed": count, "freed": freed}, text=text)
