"""A dataset goes with its bytes, by command."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from datasets_app import deleting
from datasets_app.commands import DatasetCommand
from datasets_app.models import Dataset


class Command(DatasetCommand):
    """Deletes it, or says by name what was made of it."""

    help = "Delete a dataset with its images and labels, and the bytes that nobody else holds."

    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        try:
            freed = deleting.delete(dataset)
        except deleting.InUse as error:
            raise CommandError(f"{dataset.name} cannot be deleted, because it was used by: {error}") from error
        self.answer({"dataset": dataset.name, "freed": freed}, text=f"{dataset.name} is deleted, {freed} bytes free")
