"""`export.json`: what an exported model is, so that another installation can take it in with nothing to fill in.

An export is a zip, stored (weights do not compress, and a log that does would look like a zip bomb to its importer):

    export.json            this
    model.json             the settings
    model_schema.json      the kernel's schema
    label.txt              the classes, one a line, in the order that the model numbers them
    dataset.json           the snapshot it was trained on: image hashes, labels, classes
    scores.json            best and last value of each metric
    kernel.log             what the training wrote
    model/…                every result, where the kernel wrote it
    kernel/…               the kernel's own files, where they are small: its numbers come from no other version
"""

from __future__ import annotations

import re
from typing import Any

from jobs import charts
from kernels_app.contract import ContractError
from models_app.models import TrainedModel
from projects_app.models import CODE, Category, ModelType, User

FORMAT, VERSION = "trainportal-model", 1
NAME, SETTINGS, SCHEMA, LABELS = "export.json", "model.json", "model_schema.json", "label.txt"
DATASET, SCORES, LOG = "dataset.json", "scores.json", "kernel.log"
RESULTS, KERNEL = "model/", "kernel/"
CODE_LENGTH = 128


def about(model: TrainedModel, by: User | None, at: str) -> dict[str, Any]:
    """Everything but `files`, which are known when they are written. `at`: ISO 8601."""
    job = model.job
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": at,
        "exported_by": str(by or ""),
        "project": {"code": model.project.code, "name": model.project.name},
        "model": {
            "id": model.pk,
            "name": model.name,
            "description": model.description,
            "origin": model.origin,
            "data_category": model.data_category,
            "classes": model.classes,
            "created_by": str(model.created_by or ""),
            "created_at": model.created_at.isoformat(),
            "ended_at": job.ended_at.isoformat() if job.ended_at else "",
            "devices": model.devices,
            "base_model": model.base_model.name if model.base_model else "",
            "retrained_from": model.retrained_from.name if model.retrained_from else "",
        },
        "model_type": _model_type(model.model_type),
        "kernel": {"name": model.kernel.name, "version": model.kernel.version, "digest": model.kernel.digest},
        "dataset": _dataset(model),
        "imported_from": model.imported_from,
    }


def scores(model: TrainedModel) -> dict[str, Any]:
    return charts.best_and_last(model.job, model.goals)


def is_one(found: Any) -> bool:
    return isinstance(found, dict) and found.get("format") == FORMAT


def check(found: dict[str, Any]) -> dict[str, Any]:
    """The same, once it is sure that the parts which an import reads are there. Raises ContractError."""
    if found.get("version") != VERSION:
        raise ContractError(f"{NAME}: version {found.get('version')!r} is not known here, only {VERSION}")
    for name, kind in (("model", dict), ("model_type", dict), ("kernel", dict), ("files", dict), ("dataset", dict)):
        if not isinstance(found.get(name), kind):
            raise ContractError(f"{NAME}: {name} is missing or no {kind.__name__}")
    texts = [(found["model"], "name"), (found["model_type"], "code"), (found["model_type"], "name")]
    texts += [(found["model_type"], "training_type"), (found["kernel"], "name"), (found["kernel"], "digest")]
    for part, name in texts:
        if not isinstance(part.get(name), str):
            raise ContractError(f"{NAME}: {name} is missing or no text")
    classes = found["model"].get("classes")
    if not isinstance(classes, list) or not all(map(_is_code, classes)):
        raise ContractError(f"{NAME}: classes must be a list of codes")
    labels = found["model_type"].get("annotation_types")
    if not isinstance(labels, list) or not all(map(_is_label, labels)):
        raise ContractError(f"{NAME}: annotation_types must be a list of objects with code, name and categories")
    return found


def _is_code(found: Any) -> bool:
    return isinstance(found, str) and len(found) <= CODE_LENGTH and bool(re.match(CODE.regex, found))


def _is_label(found: Any) -> bool:
    if not isinstance(found, dict) or not _is_code(found.get("code")) or not isinstance(found.get("name"), str):
        return False
    categories = found.get("categories", [])
    return isinstance(categories, list) and all(map(_is_label, categories))


def _model_type(model_type: ModelType) -> dict[str, Any]:
    """Enough to make it anew, with its annotation types and their categories."""
    categories = Category.objects.filter(annotation_type__model_types=model_type).order_by("position")
    by_type: dict[int, list[dict[str, str]]] = {}
    for one in categories:
        by_type.setdefault(one.annotation_type_id, []).append({"code": one.code, "name": one.name})
    return {
        "code": model_type.code,
        "name": model_type.name,
        "training_type": model_type.training_type,
        "annotation_types": [
            {"code": one.code, "name": one.name, "categories": by_type.get(one.pk, [])}
            for one in model_type.ordered_annotation_types()
        ],
    }


def _dataset(model: TrainedModel) -> dict[str, Any]:
    """`sha256` is that of `dataset.json`; empty where nobody knows what it was trained on."""
    known = model.imported_from.get("dataset") if model.imported_from else None
    own = {
        "train": list(model.train_datasets.order_by("name").values_list("name", flat=True)),
        "validation": list(model.validation_datasets.order_by("name").values_list("name", flat=True)),
    }
    shown = known if isinstance(known, dict) and not any(own.values()) else own
    snapshot = model.snapshot
    return shown | {"sha256": snapshot.sha256 if snapshot else "", "images": snapshot.images if snapshot else 0}
