"""What stands in the way of deleting a label, a category or a model type, by name.

Datasets and models are known here by what points at these rows alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import ProtectedError
from django.urls import reverse
from django.utils.translation import gettext as _

from projects_app.models import AnnotationType, Category, DataCategory, ModelType, Project

NAMED = 20  # of one kind


@dataclass(frozen=True)
class Use:
    """Something that would lose its meaning. `kind` in the user's language."""

    kind: str
    name: str
    url: str


class InUse(Exception):
    """It cannot go; `uses` says because of what."""

    def __init__(self, uses: list[Use]) -> None:
        super().__init__(sentence(uses))
        self.uses = uses


def sentence(uses: list[Use]) -> str:
    names = ", ".join(f"{one.kind} “{one.name}”" for one in uses[:10])
    more = _(" and others") if len(uses) > 10 else ""
    return _("It is used by: %(names)s%(more)s.") % {"names": names, "more": more}


def of_label(label: AnnotationType) -> list[Use]:
    """Datasets with such labels, and model types that learn it."""
    types = [_model_type(one) for one in label.model_types.all()[:NAMED]]
    return [*_datasets(label.project, label.annotations.all()), *types]


def of_category(category: Category) -> list[Use]:
    """Datasets with it, and models whose list of classes has it."""
    label = category.annotation_type
    models_ = [one for one in _trained(label) if category.code in one.classes]
    return [*_datasets(label.project, category.annotations.all()), *map(_model, models_[:NAMED])]


def of_model_type(model_type: ModelType) -> list[Use]:
    """Models of it, and what is remembered of those that were in use."""
    trained = [_model(one) for one in model_type.trained_models.select_related("project")[:NAMED]]
    history = model_type.activations.order_by("pk").values_list("model_name", flat=True)[:NAMED]
    gone = set(history) - {one.name for one in trained}
    url = reverse("models:active", args=[model_type.project.code])
    return trained + [Use(_("history of active models"), name, url) for name in sorted(gone)]


def of_data_category(category: DataCategory) -> list[Use]:
    """Datasets with images of it, and models for it."""
    datasets = category.project.datasets.filter(images__data_category=category.code).distinct()[:NAMED]
    trained = category.project.trained_models.filter(data_category=category.code).select_related("project")[:NAMED]
    return [*map(_dataset, datasets), *map(_model, trained)]


def learnt_by(label: AnnotationType) -> list[Use]:
    """Models that know its categories by their numbers: the order of those stays."""
    return [_model(one) for one in _trained(label)[:NAMED]]


def delete(row: models.Model, uses: Any) -> None:
    """Delete it, unless one of `uses(row)` is in the way. Raises InUse."""
    with transaction.atomic():
        if not type(row)._base_manager.select_for_update().filter(pk=row.pk).first():
            return  # somebody else deleted it this moment
        if found := uses(row):
            raise InUse(found)
        try:
            row.delete()
        except ProtectedError as error:  # somebody began to use it this moment
            others = error.protected_objects
            raise InUse([Use(str(one._meta.verbose_name), str(one), "") for one in list(others)[:NAMED]]) from error


def _trained(label: AnnotationType) -> list[Any]:
    return [
        one
        for model_type in label.model_types.all()
        for one in model_type.trained_models.select_related("project").order_by("-pk")
    ]


def _datasets(project: Project, labels: models.QuerySet[Any]) -> Iterable[Use]:
    found = labels.order_by().values_list("image__dataset", "image__dataset__name").distinct()[:NAMED]
    return [
        Use(_("dataset"), name, reverse("datasets:detail", args=[project.code, pk]))
        for pk, name in sorted(found, key=lambda one: one[1])
    ]


def _dataset(row: Any) -> Use:
    return Use(_("dataset"), row.name, row.get_absolute_url())


def _model(row: Any) -> Use:
    return Use(_("model"), row.name, row.get_absolute_url())


def _model_type(row: ModelType) -> Use:
    return Use(_("model type"), row.code, reverse("projects:model_type", args=[row.project.code, row.pk]))
