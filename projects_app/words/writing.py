"""The words of a project as YAML: everything that `reading` and `planning` take in again."""

from __future__ import annotations

from typing import Any

import yaml

from projects_app.models import AnnotationType, Project, TrainingType
from projects_app.words import order
from projects_app.words.reading import DATA, LABELS, TYPES


def write(project: Project) -> str:
    labels = order.labels(project).prefetch_related("categories")
    found = {
        "version": 1,
        LABELS: [_label(one) for one in labels],
        DATA: [_plain(one) for one in order.data_categories(project)],
        TYPES: [
            {
                **_plain(one),
                "training_type": str(one.training_type),
                "learns": [label.code for label in one.ordered_annotation_types()],
            }
            for one in order.model_types(project)
        ],
    }
    return yaml.safe_dump(found, allow_unicode=True, sort_keys=False, width=120)


def _label(label: AnnotationType) -> dict[str, Any]:
    found = _plain(label) | {"training_type": str(label.training_type)}
    if label.training_type == TrainingType.CL:
        found["categories"] = [_plain(one) for one in sorted(label.categories.all(), key=lambda one: one.position)]
    return found


def _plain(row: Any) -> dict[str, Any]:
    colour = {"colour": str(row.colour)} if getattr(row, "colour", "") else {}
    return {"code": row.code, "name": row.name} | colour
