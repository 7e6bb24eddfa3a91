"""An upload that joins a dataset: read, shown and imported as any other. It is a dataset of its own for a moment,
inside the transaction that adds its images to the other one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from datasets_app import appending, blobs, importing
from datasets_app.changing import ChangeRefused, hold
from datasets_app.formats.source import Source
from datasets_app.importing import ImportRefused, Plan
from datasets_app.models import Dataset, ImportDraft
from datasets_app.records import Reading
from projects_app.models import ModelType, User


def target_of(draft: ImportDraft) -> Dataset | None:
    """The dataset that the upload is to join; None where it becomes one. Raises ImportRefused where it is gone."""
    if "into" not in draft.options:
        return None
    found = Dataset.objects.filter(project=draft.project, pk=draft.options["into"]).first()
    if found is None:
        raise ImportRefused(("", _("The dataset “%(name)s” is gone.") % {"name": draft.name}))
    return found


def choices_of(draft: ImportDraft) -> appending.Choices:
    return appending.Choices.from_json(draft.options.get("choices", {}))


def choose(draft: ImportDraft, choices: appending.Choices) -> None:
    """What becomes of images that meet others, until the import starts."""
    draft.options["choices"] = choices.as_json()


def context(draft: ImportDraft, source: Source) -> dict[str, Any]:
    """What the preview says of a draft that joins a dataset: `meeting` counts images whose names are there already."""
    if "into" not in draft.options:
        return {}
    target = Dataset.objects.filter(project=draft.project, pk=draft.options["into"]).first()
    if target is None:
        return {}
    meeting = set(source.images).intersection(target.images.order_by().values_list("name", flat=True))
    return {"into": target, "choices": choices_of(draft), "meeting": len(meeting)}


def commit(
    target: Dataset,
    user: User | None,
    source: Source,
    reading: Reading,
    plan: Plan,
    choices: appending.Choices,
    stem: str,
    *,
    progress: importing.Progress = importing.silent,
    done: Callable[[list[Dataset]], None] = lambda datasets: None,
) -> appending.Plan:
    """Import as `importing.commit` does, and add what came of it to `target`, all or nothing. Raises ImportRefused."""
    hashes: set[str] = set()
    found = appending.Plan()

    def take_over(datasets: list[Dataset]) -> None:
        nonlocal found
        hashes.update(importing.hashes_of(datasets))
        ModelType.objects.filter(project=target.project, name=new.name).update(name=target.name)
        try:
            found = appending.take_over(target, datasets, choices, stem)
        except ChangeRefused as error:
            raise ImportRefused((error.field, str(error))) from error
        done(datasets)
        progress(100, _("%(added)d images added, %(left)d left out") % {"added": found.added, "left": found.left})

    def held() -> None:
        """The dataset before the files, as whoever clones it holds them."""
        try:
            hold(target)
        except ChangeRefused as error:
            raise ImportRefused((error.field, str(error))) from error

    new = as_new(plan)
    importing.commit(target.project, user, source, reading, new, progress=progress, first=held, done=take_over)
    blobs.release_unused(hashes)  # of what was left out
    return found


def refuse(target: Dataset) -> None:
    """Raises ImportRefused where nothing can be added now."""
    try:
        appending.refuse(target)
    except ChangeRefused as error:
        raise ImportRefused(("", str(error))) from error


def as_new(plan: Plan) -> Plan:
    """The plan under a name that nobody has."""
    return replace(plan, name=f"{plan.name[:100]}.{uuid.uuid4().hex[:12]}")
