"""A dataset becomes one for training and one for validation, by command."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from datasets_app import split_plans
from datasets_app.commands import DatasetCommand
from datasets_app.models import Dataset


class Command(DatasetCommand):
    """Makes both, or says why not."""

    help = "Split a dataset in two, in proportion to its labels; the dataset itself stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--share", type=float, default=20.0, metavar="PERCENT", help="For validation; by default 20.")
        add("--seed", type=int, default=split_plans.SEED, help="The same seed deals the images out in the same way.")
        add(
            "--by",
            metavar="TYPE",
            help="A training type, or =CODE of an annotation type; by default that with the most.",
        )
        add("--group", default="", metavar="COLUMN", help="Of the meta data: images of one value never part.")
        add("--train-name", metavar="NAME")
        add("--val-name", metavar="NAME")
        add("--dry-run", action="store_true", help="Only say what would come of it.")

    def change(self, dataset: Dataset, options: dict[str, Any]) -> None:
        by = split_plans.strata(dataset)[0][0] if options["by"] is None else options["by"]
        asked = split_plans.Options(options["share"] / 100, options["seed"], by, options["group"])
        plan = split_plans.plan(dataset, asked)
        for remark in plan.remarks:
            self.note(remark)
        proposed = split_plans.names(dataset)
        names = options["train_name"] or proposed[0], options["val_name"] or proposed[1]
        if not options["dry_run"]:
            split_plans.make(dataset, asked, names, self.user)
        sides = dict(zip(names, (len(plan.sides.train), len(plan.sides.val)), strict=True))
        labels = {one.text: {"train": one.train, "val": one.val} for one in plan.counts}
        text = "\n".join(f"{name}: {count} images" for name, count in sides.items())
        self.answer({"datasets": sides, "labels": labels, "made": not options["dry_run"]}, text=text)
