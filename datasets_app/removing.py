"""Chosen images go, with their labels and the bytes that nobody else holds.

What a training saw stays with its snapshot. An image that a validation shows cannot go: its report would change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils.translation import gettext as _

from datasets_app import blobs
from datasets_app.changing import ChangeRefused, check_still, hold
from datasets_app.deleting import Dependant
from datasets_app.models import Annotation, Dataset, Image, ImageFile

_ROWS = 1000  # rows a statement, at most
NAMED = 10

# asked by each of some images of a dataset who shows it; apps above this one add theirs
Shown = Callable[[Dataset, Sequence[int]], list[Dependant]]
_asked: list[Shown] = []


@dataclass(frozen=True)
class Removal:
    """What would go. `held`: by whom, where it cannot."""

    images: int
    labels: int
    all: int  # images of the dataset
    held: list[Dependant] = field(default_factory=list)


class Held(ChangeRefused):
    """`holders` show some of the images."""

    def __init__(self, holders: list[Dependant]) -> None:
        names = ", ".join(f"{one.kind} “{one.name}”" for one in holders[:NAMED])
        super().__init__(
            _(
                "These images cannot be removed, because they are shown by: %(names)s. Delete these first, or clone "
                "the dataset and remove them from the clone."
            )
            % {"names": names}
        )
        self.holders = holders


def ask(shown: Shown) -> None:
    """`shown` is asked before images go."""
    if shown not in _asked:
        _asked.append(shown)


def plan(dataset: Dataset, images: Sequence[int]) -> Removal:
    """What removing these would do."""
    labels = sum(Annotation.objects.filter(image__in=some, is_roi=False).count() for some in _batches(images))
    return Removal(len(images), labels, dataset.images.count(), _holders(dataset, images))


def remove(dataset: Dataset, images: Sequence[int]) -> tuple[int, int]:
    """All or nothing; how many went, and the bytes freed. Raises ChangeRefused."""
    hashes: set[str] = set()
    with transaction.atomic():
        held = hold(dataset)
        check_still(held)
        if holders := _holders(held, images):
            raise Held(holders)
        going = [pk for some in _batches(images) for pk in held.images.filter(pk__in=some).values_list("pk", flat=True)]
        for some in _batches(going):
            hashes.update(Image.objects.filter(pk__in=some).order_by().values_list("blob", flat=True))
            hashes.update(ImageFile.objects.filter(image__in=some).order_by().values_list("blob", flat=True))
        for some in _batches(going):
            Annotation.objects.filter(image__in=some).delete()
            Image.objects.filter(pk__in=some).only("pk").delete()
        held.labels_changed()
    return len(going), blobs.release_unused(hashes)


def _holders(dataset: Dataset, images: Sequence[int]) -> list[Dependant]:
    return [holder for shown in _asked for holder in shown(dataset, images)]


def _batches(images: Sequence[int]) -> Iterator[Sequence[int]]:
    return (images[start : start + _ROWS] for start in range(0, len(images), _ROWS))
