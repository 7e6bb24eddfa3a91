"""A dataset once more under another name: images, siblings, labels, meta data and flags. The files are shared."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from datasets_app import copying, deriving
from datasets_app.changing import ChangeRefused
from datasets_app.copying import Moved
from datasets_app.models import Dataset
from datasets_app.plan_checks import check_name
from datasets_app.plans import ImportRefused
from projects_app.models import Project, User

_KEPT = ("description", "format", "is_synthetic", "problems", "compares")


def free_name(dataset: Dataset) -> str:
    """A name for a clone: that of the dataset with a number, and no number behind a number."""
    stem, dot, number = dataset.name.rpartition(".")
    known = Dataset.objects.filter(project=dataset.project, name=stem)
    return deriving.free_name(dataset.project, stem if dot and number.isdigit() and known.exists() else dataset.name)


def refuse_name(project: Project, name: str, field: str = "name") -> None:
    """Raises ChangeRefused where no dataset can get this name."""
    try:
        check_name(project, name)
    except ImportRefused as error:
        raise ChangeRefused(error.faults[0][1], field) from error


def clone(dataset: Dataset, name: str, user: User | None) -> Dataset:
    """All or nothing. The clone is not frozen. Raises ChangeRefused."""
    refuse_name(dataset.project, name)
    try:
        with transaction.atomic():
            source = hold_source(dataset)
            made = begin(source, name, user, split=source.split)
            copying.copy(made, copying.all_of(source))
    except IntegrityError as error:
        raise ChangeRefused(_("Somebody used the name at the same moment. Try again."), "name") from error
    return made


def hold_source(dataset: Dataset) -> Dataset:
    """The row, locked, so that no image of it goes while it is copied; it may be frozen. Raises ChangeRefused."""
    found = Dataset.objects.select_for_update(of=("self",)).select_related("project").filter(pk=dataset.pk).first()
    if found is None:
        raise ChangeRefused(_("The dataset “%(name)s” is gone.") % {"name": dataset.name})
    return found


def begin(source: Dataset, name: str, user: User | None, *, split: str) -> Dataset:
    """The row of a dataset that is filled from `source`."""
    kept = {field: getattr(source, field) for field in _KEPT}
    return Dataset.objects.create(
        project=source.project, name=name, split=split, cloned_from=source, created_by=user, **kept
    )


def part(source: Dataset, name: str, user: User | None, split: str, images: Sequence[int]) -> Dataset:
    """A dataset of some images of `source`, in their order. Inside a transaction that holds it."""
    made = begin(source, name, user, split=split)
    copying.copy(made, [Moved(pk) for pk in images])
    return made
