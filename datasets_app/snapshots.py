"""What a run sees, written down: image hashes, labels and classes. Canonical: the same data has the same hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from datasets_app.blobs import keep_bytes
from datasets_app.models import Annotation, Dataset, Snapshot
from datasets_app.rows import Row, rows
from projects_app.models import ModelType, Project

VERSION = 1


def take(
    project: Project, model_type: ModelType, train: Iterable[Dataset] = (), validation: Iterable[Dataset] = ()
) -> Snapshot:
    """The snapshot of these sets as they are now; the one that is there already where nothing changed."""
    splits = {"train": _images(train, model_type), "validation": _images(validation, model_type)}
    manifest = {
        "version": VERSION,
        "training_type": str(model_type.training_type),
        "model_type": model_type.code,
        "classes": model_type.class_codes(),
        **splits,
    }
    text = json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    with transaction.atomic():
        same = Snapshot.objects.filter(project=project, sha256=hashlib.sha256(text).hexdigest())
        if found := same.select_for_update().first():  # held, so that nobody drops it before the run is written
            return found
        blob = keep_bytes(text, "application/json")
        return Snapshot.objects.create(
            project=project, sha256=blob.sha256, manifest=blob, images=sum(map(len, splits.values()))
        )


def adopt(project: Project, text: bytes) -> Snapshot | None:
    """The snapshot of a manifest that was taken elsewhere, byte for byte; None where the text is no manifest."""
    try:
        manifest = json.loads(text)
        images = len(manifest["train"]) + len(manifest["validation"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    with transaction.atomic():
        same = Snapshot.objects.filter(project=project, sha256=hashlib.sha256(text).hexdigest())
        if found := same.select_for_update().first():
            return found
        blob = keep_bytes(text, "application/json")
        return Snapshot.objects.create(project=project, sha256=blob.sha256, manifest=blob, images=images)


def drop_unused(snapshot: Snapshot | None) -> set[str]:
    """Delete it where no run uses it any more; its file, for `blobs.release_unused` after the transaction."""
    with transaction.atomic():
        held = Snapshot.objects.select_for_update().filter(pk=snapshot.pk).first() if snapshot else None
        try:
            return {held.manifest_id} if held and held.delete() else set()
        except ProtectedError:
            return set()


def _images(datasets: Iterable[Dataset], model_type: ModelType) -> list[dict[str, Any]]:
    """Every image of the sets, sorted; `labels` is null where nobody labelled it for this model type."""
    chosen = list(datasets)
    names = {dataset.pk: dataset.name for dataset in chosen}
    labelled = {row.image.pk for row in rows(chosen, model_type)}
    found = [
        _image(row, names[row.image.dataset_id], row.image.pk in labelled)
        for row in rows(chosen, model_type, only_labelled=False)
    ]
    return sorted(found, key=lambda image: (image["dataset"], image["name"]))


def _image(row: Row, dataset: str, is_labelled: bool) -> dict[str, Any]:
    labels = sorted((_label(one) for one in row.labels), key=json.dumps)
    return {
        "dataset": dataset,
        "name": row.image.name,
        "sha256": row.image.blob_id,
        "siblings": {sibling.suffix: sibling.blob_id for sibling in row.siblings},
        "labels": labels if is_labelled else None,
    }


def _label(label: Annotation) -> list[Any]:
    code = label.annotation_type.code if label.annotation_type else ""
    category = label.category.code if label.category else ""
    return [code, category, label.verdict, str(label.kind), label.points]
