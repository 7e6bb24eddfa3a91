"""Meta data of a dataset change by a table, by command."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from datasets_app import meta_updates
from datasets_app.commands import DatasetCommand
from datasets_app.models import Dataset


class Command(DatasetCommand):
    """Applies a table, or says why not."""

    help = "Update what is known of the images of a dataset by a CSV; all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("table", type=Path, help="A CSV with a column for the file; every other column is a fact.")
        add("--clear", action="store_true", help="An empty cell removes what is known.")
        add("--dry-run", action="store_true", help="Only say what would change.")

    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        path = options["table"]
        if not path.is_file():
            raise CommandError(f"{path}: there is no such file")
        do = meta_updates.plan if options["dry_run"] else meta_updates.apply
        found = do(dataset, path, clear=options["clear"])
        for refusal in found.refusals():
            self.note(refusal)
        for row in found.unmatched:
            self.note(f"left out: {row}")
        for one in found.examples:
            self.note(f"{one.name}: {one.column}: {one.before or '-'} -> {one.after or '-'}")
        answer = {"dataset": dataset.name, "rows": found.rows, "matched": found.matched, "cells": found.cells}
        text = f"{dataset.name}: {found.cells} cells of {found.images} images"
        self.answer(answer | {"images": found.images, "columns": dict(found.by_column)}, text=text)
