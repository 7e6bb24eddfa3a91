"""Models go, with their bytes; not while something stands on them. What stands on several at once goes in one order:
a model before the one it started from."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.urls import reverse
from django.utils.translation import gettext as _

from datasets_app import blobs, snapshots
from jobs import runfolder
from jobs.models import Job
from models_app.models import Activation, ModelExport, TrainedModel, Validation
from models_app.publishing import size_of

NAMED = 10  # of what stands on a model; the rest is counted


@dataclass
class Obstacle:
    """Why a model cannot go, in a sentence, and what stands on it: names and addresses, and how many more."""

    sentence: str
    links: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0

    def __str__(self) -> str:
        names = ", ".join(name for name, _url in self.links) + (f" +{self.more}" if self.more else "")
        return f"{self.sentence} {names}".strip()


class InUse(Exception):
    """The model cannot go; `obstacles` says why."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        super().__init__(" ".join(map(str, obstacles)))
        self.obstacles = list(obstacles)


@dataclass(frozen=True)
class Plan:
    """`going`, in the order they go, with the bytes of each; `staying`, with what is in the way of each."""

    going: list[tuple[TrainedModel, int]]
    staying: list[tuple[TrainedModel, list[Obstacle]]]

    @property
    def bytes(self) -> int:
        return sum(size for _model, size in self.going)


def plan(models: Iterable[TrainedModel]) -> Plan:
    """Which of these can go. What starts from one of them is no obstacle where it goes too."""
    left = sorted(models, key=lambda model: -model.pk)
    standing = Standing(left)
    going = {model.pk for model in left}
    while True:
        free = {model.pk for model in left if model.pk in going and not standing.on(model, going)}
        if free == going:
            break
        going = free
    sizes = [(model, sum(map(size_of, folders_of(model)))) for model in left if model.pk in going]
    return Plan(sizes, [(model, standing.on(model, going)) for model in left if model.pk not in going])


def delete(model: TrainedModel) -> int:
    """Delete it; returns the bytes freed. Raises InUse."""
    with transaction.atomic():
        held = TrainedModel.objects.select_for_update(of=("self",)).get(pk=model.pk)  # nobody begins to use it now
        if found := Standing([held]).on(held, {held.pk}):
            raise InUse(found)
        folders, exports = folders_of(held), list(held.exports.values_list("job", flat=True))
        jobs = [held.job_id, *(job.pk for job in held.job.earlier()), *exports]
        try:
            held.delete()
            Job.objects.filter(pk__in=jobs).delete()
        except ProtectedError as error:
            raise InUse([_protecting(error)]) from error
        hashes = snapshots.drop_unused(held.snapshot)
    return sum(map(_remove, folders)) + blobs.release_unused(hashes)


class Standing:
    """What stands on these models, asked for at once for all of them."""

    def __init__(self, models: Sequence[TrainedModel]) -> None:
        ids = [model.pk for model in models]
        children = TrainedModel.objects.filter(base_model__in=ids).select_related("project").order_by("pk")
        validations = Validation.objects.filter(model__in=ids).select_related("project", "model").order_by("pk")
        exports = ModelExport.objects.filter(model__in=ids, job__in=Job.objects.active()).select_related("job__project")
        self._children = _by(children.only("name", "project", "base_model"), "base_model_id")
        self._validations = _by(validations, "model_id")
        self._exports = _by(exports, "model_id")
        self._active = set(Activation.objects.current().filter(model__in=ids).values_list("model", flat=True))

    def on(self, model: TrainedModel, going: set[int]) -> list[Obstacle]:
        """What is in the way of deleting it, where the models with the ids in `going` go too."""
        found = [*self._state(model), *self._use(model)]
        children = [child for child in self._children.get(model.pk, []) if child.pk not in going]
        found += _named(_("Models that start from it:"), children)
        found += _named(_("Validations of it:"), self._validations.get(model.pk, []))
        exports = [export.job for export in self._exports.get(model.pk, [])]
        return found + _named(_("It is being exported. Wait, or cancel that first:"), exports)

    @staticmethod
    def _state(model: TrainedModel) -> list[Obstacle]:
        address = model.get_absolute_url()
        return (
            [Obstacle(_("It has not ended. Cancel it first:"), [(model.name, address)])] if model.job.is_active else []
        )

    def _use(self, model: TrainedModel) -> list[Obstacle]:
        if model.pk not in self._active:
            return []
        sentence = _("It is the active model of %(type)s. Deactivate it, or activate another one, first:")
        link = (_("Active models"), reverse("models:active", args=[model.project.code]))
        return [Obstacle(sentence % {"type": model.model_type.code}, [link])]


def folders_of(model: TrainedModel) -> list[Path]:
    """Everything that it keeps on disk."""
    exports = list(model.exports.select_related("job"))
    jobs = [model.job, *model.job.earlier(), *(export.job for export in exports)]
    runs = [runfolder.of(job) for job in jobs]
    return [model.folder, *runs, *(export.folder for export in exports)]


def _by(rows: Iterable[Any], field: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(getattr(row, field), []).append(row)
    return found


def _named(sentence: str, rows: Sequence[Any]) -> list[Obstacle]:
    links = [(str(row), row.get_absolute_url()) for row in rows[:NAMED]]
    return [Obstacle(sentence, links, len(rows) - len(links))] if links else []


def _protecting(error: ProtectedError) -> Obstacle:
    """What came to stand on it since it was looked at, or what only a newer version of the portal knows."""
    rows = list(error.protected_objects)
    links = [(str(row), row.get_absolute_url() if hasattr(row, "get_absolute_url") else "") for row in rows[:NAMED]]
    return Obstacle(_("It is needed by:"), links, len(rows) - len(links))


def _remove(folder: Path) -> int:
    """Remove a folder with all that is in it; returns the bytes that are free now."""
    before = size_of(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return before - size_of(folder)
