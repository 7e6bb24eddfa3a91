"""The order in which labels, categories and model types are listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models, transaction

from projects_app.models import AnnotationType, DataCategory, ModelType, Project

UP, DOWN = "up", "down"


def labels(project: Project) -> models.QuerySet[AnnotationType]:
    """By training type, each in its own order."""
    return AnnotationType.objects.filter(project=project).order_by("training_type", "position", "code")


def model_types(project: Project) -> models.QuerySet[ModelType]:
    return ModelType.objects.filter(project=project).order_by("position", "code")


def data_categories(project: Project) -> models.QuerySet[DataCategory]:
    return DataCategory.objects.filter(project=project).order_by("position", "code")


def move(rows: models.QuerySet[Any], pk: int, way: str) -> None:
    """Let a row and its neighbour change places, among these rows; at the end of them nothing happens."""
    with transaction.atomic():
        found = list(rows.select_for_update())
        at = next((n for n, row in enumerate(found) if row.pk == pk), None)
        to = None if at is None else at + (1 if way == DOWN else -1)
        if at is None or to is None or not 0 <= to < len(found):
            return
        found[at], found[to] = found[to], found[at]
        place(found)


def place(rows: Sequence[Any]) -> None:
    """Number them as they stand."""
    for number, row in enumerate(rows):
        if row.position != number:
            row.position = number
            row.save(update_fields=["position"])
