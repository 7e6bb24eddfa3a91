"""Who may change a dataset now: not while it is frozen, and its images not while a run reads them.

Every verb that changes one holds its row by `hold` first, in the transaction in which it changes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone
from django.utils.translation import gettext as _

from datasets_app.models import Dataset
from projects_app.models import User

NAMED = 5  # runs that are named


class ChangeRefused(Exception):
    """Why nothing was changed: a sentence for the user, and the field of a form that it is about."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class Frozen(ChangeRefused):
    """The dataset is frozen."""


def hold(dataset: Dataset) -> Dataset:
    """The row as it is now, nobody else's until the transaction ends. Raises ChangeRefused where it cannot change."""
    return hold_several(dataset)[0]


def hold_several(dataset: Dataset, *others: Dataset) -> list[Dataset]:
    """The same, with others that are only read: they cannot go meanwhile."""
    wanted = [dataset, *others]
    rows = Dataset.objects.select_for_update(of=("self",)).select_related("project")
    found = {row.pk: row for row in rows.filter(pk__in=[one.pk for one in wanted]).order_by("pk")}
    if gone := [one.name for one in wanted if one.pk not in found]:
        raise ChangeRefused(_("The dataset “%(name)s” is gone.") % {"name": gone[0]})
    check(found[dataset.pk])
    return [found[one.pk] for one in wanted]


def check(dataset: Dataset) -> None:
    """Raises Frozen."""
    if dataset.frozen_at:
        raise Frozen(
            _("“%(name)s” is frozen: nothing can change it. Clone it and change the clone.") % {"name": dataset.name}
        )


def check_still(dataset: Dataset) -> None:
    """Raises ChangeRefused while a run reads its images: it would learn from others than its snapshot says."""
    if names := [str(row) for row in _running(dataset)]:
        shown = ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
        raise ChangeRefused(
            _(
                "Its images are being used by: %(names)s. Wait until that ends, or clone the dataset and change the "
                "clone."
            )
            % {"names": shown}
        )


def freeze(dataset: Dataset, user: User) -> None:
    """From now on nothing changes it. Frozen already, it stays as it is."""
    Dataset.objects.filter(pk=dataset.pk, frozen_at=None).update(frozen_at=timezone.now(), frozen_by=user)


def lift(dataset: Dataset) -> None:
    """It can be changed again."""
    Dataset.objects.filter(pk=dataset.pk).update(frozen_at=None, frozen_by=None)


def _running(dataset: Dataset) -> Iterator[object]:
    """The trainings and validations that have not ended, whatever app they come from; each once."""
    seen = set()
    for relation in Dataset._meta.related_objects:
        if not relation.many_to_many:
            continue
        for row in getattr(dataset, str(relation.get_accessor_name())).select_related("job"):
            if row.job.is_active and (row._meta.label, row.pk) not in seen:
                seen.add((row._meta.label, row.pk))
                yield row
