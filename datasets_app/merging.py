"""One category of a question becomes another: every label of it, in all datasets of the project."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils.translation import gettext as _

from datasets_app.models import Annotation, Dataset, Image
from projects_app.models import Category, Project
from projects_app.words import uses


class MergeRefused(Exception):
    """Why not, in the user's words."""


@dataclass(frozen=True)
class Merged:
    """How many labels changed; `is_deleted`: the category is gone, as no model knows it."""

    labels: int
    is_deleted: bool


def datasets_with(category: Category) -> list[Dataset]:
    """Those that have labels of it, by name."""
    found = Annotation.objects.filter(category=category, image__dataset=OuterRef("pk"))
    project = category.annotation_type.project_id
    return list(Dataset.objects.filter(Exists(found), project=project).order_by("name"))


def merge(category: Category, into: Category) -> Merged:
    """All or nothing. Raises MergeRefused."""
    if into.pk == category.pk or into.annotation_type_id != category.annotation_type_id:
        raise MergeRefused(_("Choose another category of the same question."))
    with transaction.atomic():
        project = category.annotation_type.project_id
        list(Project.objects.select_for_update(no_key=True).filter(pk=project))  # no import brings labels of it now
        there = Category.objects.select_for_update(no_key=True).filter(pk__in=[category.pk, into.pk]).order_by("pk")
        if len(there) < 2:
            raise MergeRefused(_("Somebody deleted one of them meanwhile."))
        found = [one.pk for one in datasets_with(category)]
        datasets = list(Dataset.objects.select_for_update().filter(pk__in=found).order_by("pk"))
        if frozen := [one for one in datasets if one.frozen_at]:
            names = ", ".join(f"“{one.name}”" for one in frozen[:10])
            raise MergeRefused(
                _("These datasets are frozen, so that their labels cannot change: %(names)s.") % {"names": names}
            )
        labels = Annotation.objects.filter(category=category)
        count = labels.count()
        same = Annotation.objects.filter(category=into, image=OuterRef("image"), is_generated=OuterRef("is_generated"))
        twice = list(labels.filter(Exists(same)).values_list("pk", flat=True))  # an image answers a question once
        for start in range(0, len(twice), 500):
            Annotation.objects.filter(pk__in=twice[start : start + 500]).delete()
        images = Image.objects.filter(annotations__category=category)
        Image.objects.filter(pk__in=images.values("pk")).update(label_version=F("label_version") + 1)
        labels.update(category=into)
        for dataset in datasets:
            dataset.labels_changed()
        is_known = bool(uses.of_category(category))
        if not is_known:
            category.delete()
    return Merged(count, not is_known)
