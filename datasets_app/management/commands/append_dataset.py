"""Images join a dataset by command: those of another one, or of a folder or an archive."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from datasets_app import appending, formats, importing, joining
from datasets_app.appending import ADD, LEAVE, Choices
from datasets_app.commands import DatasetCommand
from datasets_app.models import Dataset
from projects_app.models import TrainingType


class Command(DatasetCommand):
    """Adds all or nothing."""

    help = "Add images to a dataset: of another dataset of the project, or of a folder or an archive."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--from", dest="source", metavar="NAME", help="Another dataset of the project.")
        add("--images", type=Path, metavar="PATH", help="A folder, or a zip, tar or tar.gz of one.")
        add("--annotations", type=Path, metavar="PATH", help="The annotations, where they are not with the images.")
        add("--format", choices=sorted(formats.FORMATS), default="", help="By default it is recognised.")
        add("--training-type", choices=TrainingType.values, default="", help="By default it follows from the shapes.")
        add("--same", choices=[LEAVE, ADD], default=LEAVE, help="An image whose picture is there already.")
        add("--taken", choices=[ADD, LEAVE], default=ADD, help="An image whose name another picture has.")

    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        choices = Choices(options["same"], options["taken"])
        if bool(options["source"]) == bool(options["images"]):
            raise CommandError("Name either --from or --images.")
        if options["source"]:
            done = appending.append(dataset, self.find(options["source"]), choices)
        else:
            done = self._join(dataset, options, choices)
        answer = {"dataset": dataset.name, "added": done.added, "same": done.same, "taken": done.taken}
        text = f"{dataset.name}: {done.added} images added, {done.left} left out"
        self.answer(answer | {"left_out": done.left}, text=text)

    def _join(self, dataset: Dataset, options: dict[str, Any], choices: Choices) -> appending.Plan:
        joining.refuse(dataset)
        for path in filter(None, (options["images"], options["annotations"])):
            if not path.exists():
                raise CommandError(f"{path}: there is no such file or folder")
        chosen = importing.Options(format=options["format"], training_type=options["training_type"])
        with ExitStack() as stack:
            images = stack.enter_context(importing.opened(options["images"]))
            beside = options["annotations"]
            annotations = stack.enter_context(importing.opened(beside, "annotations")) if beside else None
            source = importing.Source(images, annotations)
            reading = importing.read(source, chosen)
            plan = importing.propose(self.project, dataset.name, reading, chosen)
            stem = options["images"].name.split(".")[0]
            return joining.commit(dataset, self.user, source, reading, plan, choices, stem)
