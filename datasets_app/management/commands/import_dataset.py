"""Labelled images come in by command: the same reading, plan and checks as on the page."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from datasets_app import formats, importing, problems
from datasets_app.importing import ImportRefused, Options, Source
from datasets_app.models import Dataset
from datasets_app.parts import plan_problems
from datasets_app.records import Problem
from projects_app.commands import ProjectCommand
from projects_app.models import Role, TrainingType


class Command(ProjectCommand):
    """Makes datasets, or says why not and leaves nothing behind."""

    help = "Import labelled images from a folder or an archive."
    role = Role.LABELLER

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("name", help="Name of the dataset; with splits, NAME-train, NAME-val, NAME-test are made.")
        add("--images", required=True, type=Path, metavar="PATH", help="A folder, or a zip, tar or tar.gz of one.")
        add("--annotations", type=Path, metavar="PATH", help="The annotations, where they are not with the images.")
        add("--format", choices=sorted(formats.FORMATS), help="By default it is recognised.")
        add(
            "--split", type=Path, metavar="FILE", help="A CSV that names a file and its split (train, val, test) a row."
        )
        add("--meta", type=Path, metavar="FILE", help="A CSV that names a file and facts about it a row.")
        add("--training-type", choices=TrainingType.values, help="By default it follows from the shapes.")
        add("--rc-type", metavar="CODE", help="All rectangles are regions of this one annotation type.")
        add("--rc-false-label", action="append", default=[], metavar="LABEL", help="This label means false. Repeat it.")
        add("--image-types", default="", metavar="A,B", help="Suffixes of sibling images: _A.png,_X.png")
        add("--model-type", default="", metavar="CODE", help="A model type that covers the labels, or a new code.")

    def work(self, **options: Any) -> None:
        try:
            datasets, model_type = self._import(options)
        except ImportRefused as error:
            raise CommandError(str(error)) from error
        answers = [_answer(dataset) | {"model_type": model_type} for dataset in datasets]
        has_splits = len(datasets) > 1 or bool(datasets[0].split)
        self.answer(answers if has_splits else answers[0], text="\n".join(map(_text, datasets)))

    def _import(self, options: dict[str, Any]) -> tuple[list[Dataset], str]:
        name, chosen = options["name"], _options(options)
        importing.check_name(self.project, name)
        images_path, beside, split, meta = (_path(options[key]) for key in ("images", "annotations", "split", "meta"))
        with ExitStack() as stack:
            images = stack.enter_context(importing.opened(images_path or Path()))
            annotations = stack.enter_context(importing.opened(beside, "annotations")) if beside else None
            source = Source(images, annotations)
            reading = importing.read(source, chosen, split, meta)
            plan = importing.propose(self.project, name, reading, chosen)
            self._explain([*reading.problems, *plan_problems(reading, plan)])
            return importing.commit(self.project, self.user, source, reading, plan), plan.model_type

    def _explain(self, found: list[Problem]) -> None:
        """Each kind of problem in words, with its first files."""
        for group in problems.grouped(found):
            more = ", …" if group.count > len(group.files) else ""
            self.note(f"{group.count} × {group.sentence} ({'; '.join(group.files)}{more})")


def _path(value: str | Path | None) -> Path | None:
    """Raises CommandError where nothing is there."""
    if not value:
        return None
    if not Path(value).exists():
        raise CommandError(f"{value}: there is no such file or folder")
    return Path(value)


def _options(options: dict[str, Any]) -> Options:
    return Options(
        format=options["format"] or "",
        training_type=options["training_type"] or "",
        rc_type=options["rc_type"] or "",
        rc_false_labels=tuple(options["rc_false_label"]),
        image_types=tuple(filter(None, (suffix.strip() for suffix in options["image_types"].split(",")))),
        model_type=options["model_type"],
    )


def _answer(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "images": dataset.images.count(),
        "labels": _labels(dataset),
        "problems": dataset.problems,
    }


def _labels(dataset: Dataset) -> dict[str, int]:
    """Code -> how many; both verdicts of an RC type together."""
    counts: Counter[str] = Counter()
    for row in dataset.label_counts():
        counts[str(row["code"])] += int(str(row["count"]))
    return dict(counts)


def _text(dataset: Dataset) -> str:
    found = _answer(dataset)
    labels = ", ".join(f"{code} {count}" for code, count in found["labels"].items()) or "no labels"
    problems = ", ".join(f"{code} {count}" for code, count in found["problems"].items())
    return f"{dataset.name}: {found['images']} images; {labels}" + (f"; problems: {problems}" if problems else "")
