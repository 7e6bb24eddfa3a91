"""A dataset once more under another name, by command."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from datasets_app import cloning
from datasets_app.commands import DatasetCommand
from datasets_app.models import Dataset


class Command(DatasetCommand):
    """Makes a clone, or says why not."""

    help = "Clone a dataset: images, labels, sibling pictures and meta data; the files are shared."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as", dest="clone", metavar="NAME", help="Of the clone; by default one is proposed.")

    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        made = cloning.clone(dataset, options["clone"] or cloning.free_name(dataset), self.user)
        images = made.images.count()
        self.answer({"dataset": made.name, "images": images}, text=f"{made.name}: {images} images")
