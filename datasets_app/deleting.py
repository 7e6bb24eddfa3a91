"""A dataset goes, with the bytes that nobody else uses; not while something was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models, transaction
from django.db.models import ProtectedError, RestrictedError

from datasets_app import blobs, changing, export_jobs
from datasets_app.importing import hashes_of
from datasets_app.models import Annotation, Dataset, Image


@dataclass(frozen=True)
class Dependant:
    """Something that was made of a dataset."""

    kind: str  # "model", in the user's language
    name: str
    url: str


class InUse(Exception):
    """The dataset cannot go; `dependants` says because of what."""

    def __init__(self, dependants: list[Dependant]) -> None:
        super().__init__(", ".join(f"{one.kind} {one.name}" for one in dependants))
        self.dependants = dependants


def dependants(dataset: Dataset) -> list[Dependant]:
    """What was trained or validated with it, whatever app it comes from; each once."""
    found: dict[tuple[str, int], Dependant] = {}
    for relation in Dataset._meta.related_objects:
        if relation.many_to_many and (accessor := relation.get_accessor_name()):
            for row in getattr(dataset, accessor).all():
                found[row._meta.label, row.pk] = _dependant(row)
    return list(found.values())


def delete(dataset: Dataset) -> int:
    """Delete it; returns the bytes freed. Raises InUse, and ChangeRefused where it is frozen."""
    with transaction.atomic():
        changing.hold(dataset)  # nobody begins to use it now
        hashes = hashes_of([dataset])
        if users := dependants(dataset):
            raise InUse(users)
        try:
            Annotation.objects.filter(image__dataset=dataset).delete()
            Image.objects.filter(dataset=dataset).delete()
            Dataset.objects.filter(pk=dataset.pk).delete()
        except (ProtectedError, RestrictedError) as error:
            raise InUse(list(_protecting(error))) from error
    export_jobs.drop(dataset)
    return blobs.release_unused(hashes)


def _protecting(error: ProtectedError | RestrictedError) -> Iterator[Dependant]:
    rows = error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects
    return (_dependant(row) for row in rows)


def _dependant(row: models.Model) -> Dependant:
    address = getattr(row, "get_absolute_url", None)
    return Dependant(str(row._meta.verbose_name), str(row), address() if address else "")
